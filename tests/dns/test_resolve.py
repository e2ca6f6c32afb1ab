"""What the slow path decides before any name is looked up, and the zone version."""

import dns.message
import dns.tsig
import pytest

from fedns.dns import node, resolve, wire
from tests.conformance import probes, worlds

_VIEW = worlds.view({probes.ORIGIN: probes.ZONE})
_ZONEVERSION = probes.option(19)


def _options(packet: bytes) -> dict[int, bytes]:
    reply = resolve.resolve(_VIEW, packet, wire.OWN_SIZE)
    assert reply is not None
    return {int(each.otype): each.to_wire() or b"" for each in dns.message.from_wire(reply).options}


@pytest.mark.parametrize("owner", ["@", "host", "no.such", "ent", "outside"])
def test_zone_version_is_the_serial(owner: str) -> None:
    """RFC 9660: label count of the zone, type 0, the serial."""
    found = _options(probes.query(owner, wire.A, probes.opt(options=_ZONEVERSION)))
    assert found == {19: b"\2\0" + (7).to_bytes(4, "big")}


@pytest.mark.parametrize("owner", ["x.sub", "elsewhere."])
def test_no_zone_version_without_authority(owner: str) -> None:
    assert 19 not in _options(probes.query(owner, wire.A, probes.opt(options=_ZONEVERSION)))


def test_no_zone_version_unasked() -> None:
    assert _options(probes.query("@", wire.A, probes.opt())) == {}


def test_a_zone_version_with_content_is_malformed() -> None:
    packet = probes.query("@", wire.A, probes.opt(options=probes.option(19, b"x")))
    reply = resolve.resolve(_VIEW, packet, wire.OWN_SIZE)
    assert reply is not None and reply[3] & 15 == wire.FORMERR


@pytest.mark.parametrize("missing", [node.ZONES, node.READY])
def test_nothing_to_serve_yet(missing: bytes) -> None:
    view = {key: value for key, value in _VIEW.items() if key != missing}
    reply = resolve.resolve(view, probes.query("@", wire.SOA), wire.OWN_SIZE)
    assert reply is not None and reply[3] & 15 == wire.SERVFAIL


def test_a_signed_request_before_the_keys_are_known_is_no_forgery() -> None:
    asked = dns.message.make_query("example.com.", "AXFR")
    asked.use_tsig(dns.tsig.Key("copy.", b"secret" * 6))
    reply = resolve.resolve({}, asked.to_wire(), wire.STREAM)
    assert reply is not None and reply[3] & 15 == wire.SERVFAIL


def test_any_over_a_stream_gets_everything() -> None:
    packet = probes.query("@", wire.ANY)
    counts = {
        limit: int.from_bytes((resolve.resolve(_VIEW, packet, limit) or b"")[6:8], "big")
        for limit in (wire.OWN_SIZE, wire.STREAM)
    }
    assert counts == {wire.OWN_SIZE: 1, wire.STREAM: 2}
