"""gRPC over two members: an Ingress of the fleet, servers and clients of gRPC's own library."""

import queue
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from tests.bench import serving
from tests.proxy import calls
from tests.scenarios import shops, world

WHERE = {"east": "127.1.7.1", "west": "127.1.7.2"}


@contextmanager
def _channel(port: int) -> Iterator[grpc.Channel]:
    named = [("grpc.default_authority", shops.HOST), ("grpc.enable_retries", 0)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", named) as channel:
        yield channel


def _who(channel: grpc.Channel, times: int) -> Counter[str]:
    """Who answered so many calls; what else came of one."""
    call, found = channel.unary_unary("/shop.Cart/unary"), Counter[str]()
    for _ in range(times):
        try:
            found[call(b"", timeout=world.LONG).decode().rstrip(":")] += 1
        except grpc.RpcError as error:
            found[str(error.code())] += 1  # type: ignore[attr-defined]
    return found


def test_calls_go_to_all_members_and_conversations_outlive_changes(tmp_path: Path) -> None:
    port = serving.free_port("127.0.0.1")
    fleet = shops.Shops(tmp_path, WHERE, port, workers=1)
    servers = {name: calls.Server(name, f"{address}:{port}") for name, address in WHERE.items()}
    for name, address in WHERE.items():
        fleet.serves(name, [address])
    fleet.routes("shop", backend_protocol="GRPC")
    try:
        with shops.serve(fleet) as served, _channel(served.http) as channel:
            world.until(lambda: set(_who(channel, 8)) == set(WHERE), "calls go to both members")
            assert all(abs(count - 100) <= 10 for count in _who(channel, 200).values())
            says: queue.Queue[bytes | None] = queue.Queue()
            heard = channel.stream_stream("/shop.Cart/chat")(iter(says.get, None), timeout=3 * world.LONG)
            says.put(b"one")
            assert next(heard) == b"ONE"
            fleet.routes("other", host="other.example.com")  # routes, and then endpoints, change meanwhile
            talks = next(name for name in WHERE if len(servers[name].service.chats))
            silent = next(name for name in WHERE if name != talks)
            fleet.serves(talks, [], [WHERE[talks]])
            world.until(lambda: set(_who(channel, 8)) == {silent}, "calls go to the other member")
            says.put(b"two")
            assert next(heard) == b"TWO"
            says.put(None)
            assert list(heard) == [] and heard.code() == grpc.StatusCode.OK
            fleet.serves(talks, [WHERE[talks]])
            world.until(lambda: set(_who(channel, 8)) == set(WHERE), "calls go to both members again")
            servers[silent].stop()  # unannounced: only a call that meets its end is not sent twice
            assert _who(channel, 100)[talks] >= 99
    finally:
        for server in servers.values():
            server.stop()
