"""The lookup across several zones: chains, cuts, signatures, bounds."""

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from fedns.dns import respond, wire
from tests.conformance import probes, worlds

_HEAD = "@ SOA ns1 hostmaster 1 2 3 4 60\n@ NS ns1\nns1 A 192.0.2.1\n"
_VIEW = worlds.view(
    {
        "acme.com.": "$ORIGIN acme.com.\n$TTL 300\n" + _HEAD + "eu CNAME www.eu.example.com.\n"
        "gone CNAME no.such.example.com.\ndown CNAME eu.sub.example.com.\n"
        + "".join(f"c{each} CNAME c{each + 1}\n" for each in range(40)),
        "example.com.": "$ORIGIN example.com.\n$TTL 300\n" + _HEAD + "www.eu CNAME www\nwww A 192.0.2.7\n"
        "@ MX 10 mail.sub\n_x._tcp SRV 0 1 80 www\nsub NS ns.sub\nsub NS ns.other\nns.sub A 192.0.2.8\n"
        "svc HTTPS 1 www alpn=h2\nself HTTPS 1 . alpn=h2\nself A 192.0.2.10\nold SVCB 0 www\n"
        "child NS ns1\nchild DS 1 13 2 " + "00" * 32 + "\n",
        "web.org.": "$ORIGIN web.org.\n$TTL 300\n" + _HEAD + "@ HTTPS 0 pool\npool HTTPS 1 h2 alpn=h2\n"
        "pool HTTPS 2 . port=8443\npool HTTPS 3 h2 alpn=h3\npool A 192.0.2.10\nh2 AAAA 2001:db8::2\n"
        "h2 SVCB 1 pool\nring HTTPS 0 gnir\ngnir HTTPS 0 ring\nnone HTTPS 0 .\n_dns SVCB 1 h2 alpn=dot\n"
        "out HTTPS 0 www.example.com.\nnone A 192.0.2.11\n",
        "child.example.com.": "$ORIGIN child.example.com.\n$TTL 300\n" + _HEAD + "host A 192.0.2.9\n",
        ".": "$ORIGIN .\n$TTL 300\n. SOA a. b. 1 2 3 4 60\n. NS a.root.\na.root. A 192.0.2.53\n",
    }
)


def _ask(owner: str, rtype: int, tail: bytes = b"", limit: int = wire.OWN_SIZE) -> dns.message.Message:
    reply = respond.respond(_VIEW, probes.query(owner, rtype, tail), limit)
    assert reply is not None
    return dns.message.from_wire(reply)


def _lines(section: list[dns.rrset.RRset]) -> list[str]:
    return [line for rrset in section for line in rrset.to_text().splitlines()]


def test_a_chain_goes_through_all_our_zones() -> None:
    assert _lines(_ask("eu.acme.com.", wire.A).answer) == [
        "eu.acme.com. 300 IN CNAME www.eu.example.com.",
        "www.eu.example.com. 300 IN CNAME www.example.com.",
        "www.example.com. 300 IN A 192.0.2.7",
    ]


def test_the_last_name_of_a_chain_gives_the_code() -> None:
    reply = _ask("gone.acme.com.", wire.A)
    assert reply.rcode() == dns.rcode.NXDOMAIN and reply.flags & wire.AA
    assert [rrset.name.to_text() for rrset in reply.authority] == ["example.com."]


def test_a_chain_may_end_at_a_delegation() -> None:
    reply = _ask("down.acme.com.", wire.A)
    assert reply.rcode() == dns.rcode.NOERROR and reply.flags & wire.AA
    assert [rrset.name.to_text() for rrset in reply.authority] == ["sub.example.com."]
    assert _lines(reply.additional) == ["ns.sub.example.com. 300 IN A 192.0.2.8"]


@pytest.mark.parametrize(("owner", "rtype", "address"), [("svc", 65, 7), ("self", 65, 10), ("old", 64, 7)])
def test_addresses_of_a_service_binding_come_along(owner: str, rtype: int, address: int) -> None:
    """RFC 9460 section 4.1; "." is the owner itself."""
    reply = _ask(f"{owner}.example.com.", rtype)
    assert [str(rdata) for rrset in reply.additional for rdata in rrset] == [f"192.0.2.{address}"]


def test_a_long_chain_is_bounded() -> None:
    assert 10 < len(_ask("c0.acme.com.", wire.A, limit=wire.STREAM).answer) < 20


def test_a_child_zone_of_ours_answers_and_the_ds_is_the_parents() -> None:
    assert _lines(_ask("host.child.example.com.", wire.A).answer) == [
        "host.child.example.com. 300 IN A 192.0.2.9"
    ]
    assert _lines(_ask("child.example.com.", wire.DS).answer)[0].startswith(
        "child.example.com. 300 IN DS 1 13 2"
    )
    assert [each.name.to_text() for each in _ask("example.com.", wire.DS).authority] == ["."]


@pytest.mark.parametrize(("owner", "rtype"), [(".", wire.NS), ("nope.", wire.A), ("a.root.", wire.AAAA)])
def test_the_root_zone_answers(owner: str, rtype: int) -> None:
    reply = _ask(owner, rtype)
    assert reply.flags & wire.AA
    assert [each.name.to_text() for each in (*reply.answer, *reply.authority)] == ["."]


def test_named_hosts_come_along() -> None:
    assert _lines(_ask("_x._tcp.example.com.", wire.SRV).additional) == [
        "www.example.com. 300 IN A 192.0.2.7"
    ]
    assert _lines(_ask("example.com.", wire.NS).additional) == ["ns1.example.com. 300 IN A 192.0.2.1"]
    assert _lines(_ask("example.com.", wire.MX).additional) == []


@pytest.mark.parametrize(
    ("owner", "rtype", "added"),
    [
        ("web.org.", "HTTPS", ["pool HTTPS", "pool A", "h2 AAAA"]),
        ("pool.web.org.", "HTTPS", ["pool A", "h2 AAAA"]),
        ("_dns.web.org.", "SVCB", ["h2 AAAA", "h2 SVCB", "pool A"]),
        ("ring.web.org.", "HTTPS", ["gnir HTTPS"]),
        ("none.web.org.", "HTTPS", []),
        ("out.web.org.", "HTTPS", ["www.example.com. A"]),
    ],
)
def test_service_bindings_bring_what_their_targets_hold(owner: str, rtype: str, added: list[str]) -> None:
    reply = _ask(owner, dns.rdatatype.from_text(rtype), limit=wire.STREAM)
    assert [dns.rdatatype.to_text(each.rdtype) for each in reply.answer] == [rtype]
    found = [f"{each.name} {dns.rdatatype.to_text(each.rdtype)}" for each in reply.additional]
    assert sorted(found) == sorted(
        each if ". " in each else each.replace(" ", ".web.org. ") for each in added
    )


def test_a_binding_is_written_without_compression() -> None:
    (rrset,) = _ask("web.org.", wire.HTTPS).answer
    raw = respond.respond(_VIEW, probes.query("web.org.", wire.HTTPS, b""), wire.OWN_SIZE) or b""
    assert raw.count(b"\0\0\x04pool\x03web\x03org\0") == 1 and rrset[0].to_text() == "0 pool.web.org."
