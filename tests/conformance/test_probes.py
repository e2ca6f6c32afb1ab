"""The probe table against `respond` itself."""

import pytest

from fedns.dns import node, respond, wire
from tests.conformance import probes, worlds

_VIEW = worlds.view({probes.ORIGIN: probes.ZONE})


def _exchange(packet: bytes, stream: bool) -> bytes | None:
    return respond.respond(_VIEW, packet, wire.STREAM if stream else wire.OWN_SIZE)


@pytest.mark.parametrize("probe", [pytest.param(each, id=each.id) for each in probes.ALL])
def test_probe(probe: probes.Probe) -> None:
    assert probes.judge(probe, _exchange(probe.packet, probe.stream)) == []


@pytest.mark.parametrize("probe", [pytest.param(each, id=each.id) for each in probes.GARBAGE])
def test_garbage_is_not_amplified(probe: probes.Probe) -> None:
    reply = _exchange(probe.packet, probe.stream)
    assert reply is None or len(reply) <= len(probe.packet)


def test_before_the_first_sync_nothing_is_known() -> None:
    view = {key: value for key, value in _VIEW.items() if key != node.READY}
    for owner in ("no.such", "@"):
        probe = probes.Probe(
            owner,
            probes.query(owner, 6, probes.opt()),
            probes.Expect("SERVFAIL", aa=False, answer="", authority="", opt=True, error=14),
        )
        assert probes.judge(probe, respond.respond(view, probe.packet, wire.OWN_SIZE)) == []
