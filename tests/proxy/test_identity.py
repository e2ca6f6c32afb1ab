"""Who is believed about clients, and what backends are told."""

import pytest

from fedns.gateway import access, terms
from fedns.proxy import framing, identity

_PRIVATE = ((4, 10 << 24, 24), (6, 1, 0))
_PEER = identity.Peer("10.0.0.1", 80, False)


def test_a_stranger_is_its_own_client() -> None:
    lines = identity.own(identity.Peer("2001:db8::1", 443, True)).split(b"\r\n")
    assert lines[0] == b"x-forwarded-for: 2001:db8::1" and lines[1] == b"x-real-ip: 2001:db8::1"
    assert lines[2:] == [b"x-forwarded-port: 443", b"x-forwarded-proto: https"]


def test_who_is_trusted() -> None:
    assert identity.trusts(_PRIVATE, "10.9.9.9") and identity.trusts(_PRIVATE, "::1")
    assert identity.trusts(_PRIVATE, "::ffff:10.1.1.1")
    assert not identity.trusts(_PRIVATE, "11.0.0.1") and not identity.trusts((), "10.0.0.1")


@pytest.mark.parametrize(
    ("chain", "client", "sent"),
    [
        (b"192.0.2.1", "192.0.2.1", b"192.0.2.1, 10.0.0.1"),
        (b"6.6.6.6, 192.0.2.1, 10.0.0.9", "192.0.2.1", b"6.6.6.6, 192.0.2.1, 10.0.0.9, 10.0.0.1"),
        (b"10.0.0.8, 10.0.0.9", "10.0.0.8", b"10.0.0.8, 10.0.0.9, 10.0.0.1"),
        (b"unknown, 192.0.2.1", "192.0.2.1", b"192.0.2.1, 10.0.0.1"),
        (b"", "10.0.0.1", b"10.0.0.1"),
    ],
)
def test_the_client_is_the_last_that_no_trusted_peer_put_there(
    chain: bytes, client: str, sent: bytes
) -> None:
    told = identity.told(_PEER, _PRIVATE, [(b"x-forwarded-for", chain)])
    assert told.client == client
    assert told.lines.split(b"\r\n")[0] == b"x-forwarded-for: " + sent


def test_a_trusted_peer_says_how_the_client_came() -> None:
    marked: list[framing.Field] = [
        (b"x-forwarded-proto", b"HTTPS"),
        (b"x-forwarded-host", b"Shop.example.com"),
    ]
    marked += [(b"x-request-id", b"abc-1"), (b"host", b"inner")]
    told = identity.told(_PEER, _PRIVATE, marked)
    assert (told.secure, told.host, told.request_id) == (True, b"shop.example.com", b"abc-1")
    assert told.lines.endswith(b"x-forwarded-port: 443\r\nx-forwarded-proto: https")


@pytest.mark.parametrize("value", [b"a b", b"x" * 200, b"a\xff"])
def test_what_cannot_be_a_request_id_is_none(value: bytes) -> None:
    assert identity.told(_PEER, _PRIVATE, [(b"x-request-id", value)]).request_id == b""


def test_forwarded_gets_this_hop() -> None:
    before = [(b"forwarded", b"for=192.0.2.1")]
    assert identity.forwarded(before, identity.Peer("::1", 80, False), b"a") == (
        b'forwarded: for=192.0.2.1, for="[::1]";host="a";proto=http'
    )


def test_networks_of_both_versions_fit_into_tables() -> None:
    trusted = (access.network(4, 10 << 24, 24), access.network(6, 0xFD << 120, 120))
    agreed = terms.decode(terms.encode(terms.Terms(trusted=trusted)))
    assert [
        identity.trusts(agreed.trusted, each) for each in ("10.1.1.1", "11.1.1.1", "fd12::1", "fe80::1")
    ] == [
        True,
        False,
        True,
        False,
    ]
