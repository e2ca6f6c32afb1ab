"""Raw packets that other servers' fuzzers kept: the invariants hold, over both transports."""

import pytest

from fedns.dns import respond, wire
from tests.conformance import probes, vectors, worlds
from tests.fuzz import fuzz_packets

_VIEW = fuzz_packets.view()
_PACKETS = [
    pytest.param(bytes.fromhex(each["hex"]), id=each["id"])
    for each in vectors.load("dns_fuzz_packets")["vectors"]
]


@pytest.mark.parametrize("limit", [wire.OWN_SIZE, wire.STREAM])
@pytest.mark.parametrize("packet", _PACKETS)
def test_invariants_hold(packet: bytes, limit: int) -> None:
    assert fuzz_packets.check(_VIEW, packet, limit, True) == ""


@pytest.mark.parametrize("packet", _PACKETS)
def test_no_state_is_left_behind(packet: bytes) -> None:
    soa = probes.query("@", wire.SOA)
    view: worlds.View = dict(_VIEW)
    before = respond.respond(view, soa, wire.OWN_SIZE)
    respond.respond(view, packet, wire.OWN_SIZE)
    assert view == _VIEW
    assert respond.respond(view, soa, wire.OWN_SIZE) == before
