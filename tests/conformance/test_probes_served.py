"""The probe table, and the packets of other servers' fuzzers, against running workers behind sockets."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedns import tables
from fedns.dns import wire
from tests.conformance import probes, vectors
from tests.fuzz import fuzz_packets
from tests.servers import running

SILENCE = 0.2  # seconds in which a reply that must not come would have come


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    state: Path = tmp_path_factory.mktemp("state")
    writer = tables.Writer(str(state / "tables"))
    writer.publish({"dns": fuzz_packets.view()}, time.time())
    writer.close()
    with running.serving(state) as served:
        yield served.port


@pytest.mark.parametrize("probe", [pytest.param(each, id=each.id) for each in probes.ALL])
def test_probe(port: int, probe: probes.Probe) -> None:
    patience = SILENCE if probe.expect.rcode is None else running.LONG
    exchange = probes.over_socket("127.0.0.1", port, patience)
    assert probes.judge(probe, exchange(probe.packet, probe.stream)) == []


def test_garbage_changes_nothing(port: int) -> None:
    """A packet that asks for a reply gets one, of its id and no larger than may be, over both transports."""
    exchange = probes.over_socket("127.0.0.1", port, running.LONG)
    for vector in vectors.load("dns_fuzz_packets")["vectors"]:
        packet = bytes.fromhex(vector["hex"])
        if len(packet) < wire.HEADER or packet[2] & 0x80:
            continue
        for stream in (False, True):
            reply = exchange(packet, stream)
            assert reply is not None and reply[:2] == packet[:2] and reply[2] & 0x80, vector["id"]
            assert stream or len(reply) <= wire.OWN_SIZE, vector["id"]
    soa = probes.query("@", wire.SOA)
    assert [bool(exchange(soa, stream)) for stream in (False, True)] == [True, True]
