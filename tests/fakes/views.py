"""Admin views over a handful of values, and a running admin API that serves them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from fedns.dns import explanation
from fedns.errors import FednsError
from fedns.servers import admin, api, itinerary

SHARD = api.Shard(
    "shop/web", "m1", "r1", ["z1"], "healthy", "2 of 2 ready", 5.0, 10.0, 0.0, "", 0,
    ["192.0.2.1"], [], 2, 2, [api.Evidence("readiness", "up", "2 of 2 ready", 1.0)],
)  # fmt: skip


class Values:
    """Views over a handful of values."""

    def __init__(self) -> None:
        self.why = ""
        self.given: dict[str, api.Order] = {}
        self.farewells: list[api.Farewell] = []
        """What is said of orders, look by look; the last stays."""

    def ready(self) -> str:
        return self.why

    def status(self) -> api.Status:
        table = api.Table(7, 1.0, 2.0)
        return api.Status("0", "f.yaml", "f", "d", 3.0, 1.0, self.why, table, 1, 1, {"healthy": 1}, 0, 0)

    def members(self) -> Iterable[api.Member]:
        yield api.Member("m1", "r1", ["z1"], {}, "reachable", 1.0, 2.0, 1, {"healthy": 1}, 2, 2)

    def services(self) -> Iterable[api.Service]:
        yield api.Service("shop/web", "ActiveActive", "open", 1, 1, {"healthy": 1}, ["m1"], True)

    def shards(self, wanted: Mapping[str, str]) -> Iterable[api.Shard]:
        both = (SHARD, msgspec.structs.replace(SHARD, member="m2"))
        return (one for one in both if all(getattr(one, key) == value for key, value in wanted.items()))

    def problems(self) -> Iterable[api.Problem]:
        yield api.Problem("zones", "a.zone:3", "bad", "fix it")

    def orders(self) -> Iterable[api.Order]:
        told = self.farewells.pop(0) if len(self.farewells) > 1 else next(iter(self.farewells), None)
        return [msgspec.structs.replace(one, farewell=told) for one in self.given.values()]

    def signed(self) -> Iterable[api.Signed]:
        keys = [api.Key(1234, "csk", "ED25519", "ready", 1.0, None)]
        yield api.Signed("example.com", keys, [api.Step(None, "CSK 1234 waits")], 9.0)

    def copies(self, ailing: bool) -> Iterable[api.Copy]:
        if not ailing:
            yield api.Copy("m1", "Service", "shop/web", "PropagationPolicy shop/p", "applied", "")

    def portions(self) -> Iterable[api.Portion]:
        yield api.Portion("PropagationPolicy shop/p", "m1", 1, {"applied": 1})

    def whereabouts(self, name: str) -> Iterable[api.Whereabouts]:
        policy = "PropagationPolicy shop/p"
        yield api.Whereabouts("Service", "shop/web", "m1", policy, "f.yaml:1", ["so"], "applied", "", None)

    def allow(self, member: str) -> int:
        if member != "m1":
            raise FednsError("no such member")
        return 3

    def metrics(self) -> bytes:
        return b"fedns_ready 1\n"

    def explain(self, name: str, rtype: str, source: str, member: str = "") -> explanation.Explanation:
        if rtype == "WHAT":
            raise ValueError("no such type")
        reply = explanation.Reply("REFUSED", "QR", (), (), (), (), "00" * 12)
        return explanation.Explanation(name, rtype, "foreign", f"asked from {source}", 7, reply, ())

    def request(self, asked: itinerary.Asked) -> itinerary.Itinerary:
        if not asked.url.startswith("http"):
            raise ValueError("no URL")
        steps = [asked.method, *(f"{name}={value}" for name, value in asked.headers), asked.client]
        nothing: list[str] = []
        return itinerary.Itinerary(
            asked.url, asked.method, 7, steps, 404, [], "", None, "", "", "", "", "", "", "", "",
            nothing, "", {}, [], [], [],
        )  # fmt: skip

    def routes(self, wanted: Mapping[str, str]) -> Iterable[itinerary.Route]:
        hosts = [wanted["host"]] if "host" in wanted else ["a.test", "b.test"]
        for host in hosts:
            yield itinerary.Route(
                host, "/", "Prefix", "shop/web", "shop/web", "80", ["m1"], 2, [], "", {}, None
            )

    async def zone(self, origin: str) -> AsyncIterator[bytes] | None:
        return self._pieces() if origin in ("", "d") else None

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield b"$ORIGIN d.\n"

    def add_order(self, order: api.NewOrder) -> api.Order:
        if order.word not in ("up", "down", "drain"):
            raise ValueError(f"{order.word!r} is not up, down or drain")
        until = 100.0 + order.seconds if order.seconds else None
        self.given[order.target] = api.Order(order.target, order.word, 100.0, until, order.reason)
        return self.given[order.target]

    def remove_order(self, target: str) -> bool:
        return self.given.pop(target, None) is not None


@contextmanager
def serving(values: Values) -> Iterator[str]:
    """The address of an admin API that serves `values` from another thread."""
    ready, ends = threading.Event(), asyncio.Event()
    found: list[tuple[asyncio.AbstractEventLoop, int]] = []

    async def run() -> None:
        server = admin.Admin(values)
        found.append((asyncio.get_running_loop(), await server.start("127.0.0.1", 0)))
        ready.set()
        await ends.wait()
        await server.stop()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    ready.wait()
    loop, port = found[0]
    try:
        yield f"127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join()
