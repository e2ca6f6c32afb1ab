"""Signatures as an independent validator reads them, in every kind of answer."""

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from fedns.dns import client, node, respond, signing, wire
from tests.conformance import probes, worlds
from tests.fakes import signed

_ORIGIN = "example.com."
_ZONE = """
$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster 1 2 3 4 60
@ NS NS1
ns1 A 192.0.2.1
www A 192.0.2.7
www A 192.0.2.8
www AAAA 2001:db8::7
alias CNAME www
far CNAME gone
lost CNAME x.acme.com.
*.wild TXT hello
*.wild A 192.0.2.9
*.calias CNAME www
a.b.c TXT deep
sub NS ns.sub
ns.sub A 192.0.2.10
safe NS ns.sub
safe DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
old DNAME new
www.new A 192.0.2.11
mx MX 10 Mail
mail A 192.0.2.12
x NAPTR 1 2 "U" "E2U+sip" "" Mail
_x._tcp SRV 0 1 80 WWW
"""
_VIEW = worlds.view(
    {
        _ORIGIN: _ZONE,
        "acme.com.": "$ORIGIN acme.com.\n@ 300 SOA a b 1 2 3 4 60\n@ 300 NS a\ny 300 A 192.0.2.99\n",
    }
)
_SIGNED = {algorithm: signed.zone(_ORIGIN, algorithm) for algorithm in (signing.P256, signing.ED25519)}
_DO = probes.opt(flags=0x8000)
_DO_CO = probes.opt(flags=0xC000)
_NXNAME = 128


def _asker(algorithm: int = signing.P256) -> client.Client:
    host = client.Host(client.Server())
    host.renew(client.Server(), signed.NOW, signing.encode([_SIGNED[algorithm]]))
    return client.Client(host)


_ASKER = _asker()


def _ask(
    owner: str, rtype: int, tail: bytes = _DO, asker: client.Client = _ASKER, limit: int = wire.STREAM
) -> dns.message.Message:
    reply = respond.respond(_VIEW, probes.query(owner, rtype, tail), limit, asker)
    assert reply is not None
    return dns.message.from_wire(reply)


def _validated(reply: dns.message.Message, algorithm: int = signing.P256) -> set[tuple[str, str]]:
    """The (owner, type) of all signed RRsets of the answer and authority, each of them valid."""
    found = set()
    keys = signed.keys(_SIGNED[algorithm])
    for section in (reply.answer, reply.authority, reply.additional):
        for rrset in section:
            if rrset.rdtype == dns.rdatatype.RRSIG:
                continue
            over = next(
                (each for each in section if each.name == rrset.name and each.covers == rrset.rdtype), None
            )
            if over is not None:
                dns.dnssec.validate(rrset, over, keys, now=signed.NOW)
                found.add((rrset.name.to_text().lower(), dns.rdatatype.to_text(rrset.rdtype)))
    return found


def _types(reply: dns.message.Message, owner: str) -> set[int]:
    """The types that the reply's NSEC record gives the name."""
    nsec = reply.find_rrset(reply.authority, dns.name.from_text(owner), "IN", "NSEC")[0]
    return {
        window * 256 + octet * 8 + bit
        for window, bits in nsec.windows
        for octet, value in enumerate(bits)
        for bit in range(8)
        if value & 0x80 >> bit
    }


@pytest.mark.parametrize("algorithm", _SIGNED)
def test_an_answer_is_signed(algorithm: int) -> None:
    reply = _ask("www.example.com.", wire.A, asker=_asker(algorithm))
    assert _validated(reply, algorithm) == {("www.example.com.", "A")}
    assert reply.flags & dns.flags.AA and len(reply.answer[0]) == 2


def test_without_do_nothing_is_signed() -> None:
    for tail in (b"", probes.opt()):
        assert {each.rdtype for each in _ask("www.example.com.", wire.A, tail).answer} == {wire.A}
        reply = _ask("no.example.com.", wire.A, tail)
        assert reply.rcode() == dns.rcode.NXDOMAIN and [each.rdtype for each in reply.authority] == [wire.SOA]


def test_each_link_of_a_chain_is_signed() -> None:
    assert _validated(_ask("alias.example.com.", wire.AAAA)) == {
        ("alias.example.com.", "CNAME"),
        ("www.example.com.", "AAAA"),
    }


def test_a_wildcard_answers_as_if_the_name_were_there() -> None:
    reply = _ask("a.b.wild.example.com.", wire.A)
    assert _validated(reply) == {("a.b.wild.example.com.", "A")}
    chain = _ask("q.calias.example.com.", wire.A)
    assert _validated(chain) == {("q.calias.example.com.", "CNAME"), ("www.example.com.", "A")}
    nothing = _ask("a.wild.example.com.", wire.MX)
    assert _types(nothing, "a.wild.example.com.") == {wire.A, wire.TXT, wire.RRSIG, wire.NSEC}


def test_a_missing_type_is_denied_with_the_types_there_are() -> None:
    reply = _ask("www.example.com.", wire.MX)
    assert reply.rcode() == dns.rcode.NOERROR and not reply.answer
    assert _validated(reply) == {("example.com.", "SOA"), ("www.example.com.", "NSEC")}
    assert _types(reply, "www.example.com.") == {wire.A, wire.AAAA, wire.RRSIG, wire.NSEC}


def test_the_apex_denies_with_all_it_has() -> None:
    assert _types(_ask("example.com.", wire.MX), _ORIGIN) == {2, 6, wire.RRSIG, wire.NSEC, wire.DNSKEY}


def test_an_empty_non_terminal_has_nothing() -> None:
    assert _types(_ask("b.c.example.com.", wire.A), "b.c.example.com.") == {wire.RRSIG, wire.NSEC}


def test_a_missing_name_is_denied_alone() -> None:
    reply = _ask("no.example.com.", wire.A)
    assert reply.rcode() == dns.rcode.NOERROR and not reply.ednsflags & 0x4000
    assert _validated(reply) == {("example.com.", "SOA"), ("no.example.com.", "NSEC")}
    assert _types(reply, "no.example.com.") == {wire.RRSIG, wire.NSEC, _NXNAME}
    nsec = reply.find_rrset(reply.authority, dns.name.from_text("no.example.com."), "IN", "NSEC")
    assert nsec[0].next == dns.name.from_text("\\000.no.example.com.") and nsec.ttl == 60


def test_who_understands_compact_answers_hears_nxdomain() -> None:
    reply = _ask("no.example.com.", wire.A, _DO_CO)
    assert reply.rcode() == dns.rcode.NXDOMAIN and reply.ednsflags == 0xC000
    assert _types(reply, "no.example.com.") == {wire.RRSIG, wire.NSEC, _NXNAME}
    assert _ask("www.example.com.", wire.A, _DO_CO).ednsflags == 0xC000
    assert _ask("no.example.com.", wire.A, probes.opt(flags=0x4000)).ednsflags == 0


def test_a_chain_to_a_missing_name_is_denied_at_its_end() -> None:
    reply = _ask("far.example.com.", wire.A)
    assert reply.rcode() == dns.rcode.NOERROR
    assert ("gone.example.com.", "NSEC") in _validated(reply)


def test_a_chain_into_an_unsigned_zone_ends_as_that_zone_ends() -> None:
    reply = _ask("lost.example.com.", wire.A)
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert _validated(reply) == {("lost.example.com.", "CNAME")}
    assert [each.rdtype for each in reply.authority] == [wire.SOA]


def test_an_unsigned_zone_beside_is_as_before() -> None:
    query = probes.header(0, extras=1) + b"\x01y\x04acme\x03com\0\0\x01\0\x01" + _DO
    reply = respond.respond(_VIEW, query, wire.OWN_SIZE, _ASKER)
    plain = respond.respond(_VIEW, query, wire.OWN_SIZE)
    assert reply == plain


def test_a_delegation_proves_that_it_is_unsigned() -> None:
    reply = _ask("x.sub.example.com.", wire.A)
    assert _validated(reply) == {("sub.example.com.", "NSEC")}
    assert _types(reply, "sub.example.com.") == {wire.NS, wire.RRSIG, wire.NSEC}
    nothing = _ask("sub.example.com.", wire.DS)
    assert _types(nothing, "sub.example.com.") == {wire.NS, wire.RRSIG, wire.NSEC}


def test_a_delegation_gives_its_signed_ds() -> None:
    assert _validated(_ask("x.safe.example.com.", wire.A)) == {("safe.example.com.", "DS")}
    assert _validated(_ask("safe.example.com.", wire.DS)) == {("safe.example.com.", "DS")}


def test_a_dname_is_signed_and_its_cname_is_not() -> None:
    reply = _ask("www.old.example.com.", wire.A)
    assert _validated(reply) == {("old.example.com.", "DNAME"), ("www.new.example.com.", "A")}
    assert dns.name.from_text("www.old.example.com.") in {each.name for each in reply.answer}


@pytest.mark.parametrize(
    "owner, rtype", [("mx", 15), ("x", 35), ("_x._tcp", 33), ("@", 2), ("@", 6), ("@", 48)]
)
def test_names_in_data_are_signed_in_lower_case(owner: str, rtype: int) -> None:
    name = _ORIGIN if owner == "@" else f"{owner}.{_ORIGIN}"
    assert (name, dns.rdatatype.to_text(rtype)) in _validated(_ask(name, rtype))


def test_additional_addresses_come_signed_if_there_is_room() -> None:
    assert ("mail.example.com.", "A") in _validated(_ask("mx.example.com.", wire.MX))
    small = _ask("mx.example.com.", wire.MX, probes.opt(size=512, flags=0x8000), limit=wire.OWN_SIZE)
    assert not small.flags & dns.flags.TC


def test_any_has_one_signed_set_over_udp_and_all_over_tcp() -> None:
    assert len(_validated(_ask("www.example.com.", wire.ANY, limit=wire.OWN_SIZE))) == 1
    assert len(_validated(_ask("www.example.com.", wire.ANY))) == 2
    assert ("example.com.", "DNSKEY") in _validated(_ask("example.com.", wire.ANY))


def test_what_a_signer_makes_can_be_asked_for() -> None:
    assert _validated(_ask("www.example.com.", wire.NSEC)) == {("www.example.com.", "NSEC")}
    assert [each.rdtype for each in _ask("alias.example.com.", wire.RRSIG).answer] == [wire.RRSIG]
    assert _ask("www.example.com.", _NXNAME).rcode() == dns.rcode.FORMERR


def test_a_signature_is_made_once_and_renewed_in_half_its_life() -> None:
    signer = signing.Signer(_SIGNED[signing.P256])
    signer.now = signed.NOW
    rrset = node.RRset(wire.A, 30, (b"\xc0\0\2\1",))
    first = signer.sign(b"\x01a\x07example\x03com\0", rrset)
    assert signer.sign(b"\x01a\x07example\x03com\0", rrset) is first and signer.made == 1
    signer.now += _SIGNED[signing.P256].validity // 2
    assert signer.sign(b"\x01a\x07example\x03com\0", rrset) != first and signer.made == 2


def test_lives_of_signatures_differ() -> None:
    signer = signing.Signer(_SIGNED[signing.P256])
    signer.now = signed.NOW
    rrset = node.RRset(wire.A, 30, (b"\xc0\0\2\1",))
    owners = [bytes((2, 97, letter)) + b"\x07example\x03com\0" for letter in range(97, 123)]
    ends = {int.from_bytes(signer.sign(owner, rrset).rdatas[0][8:12], "big") for owner in owners}
    lives = {end - signed.NOW for end in ends}
    assert len(lives) > 20 and min(lives) >= 0.9 * signer.zone.validity and max(lives) <= signer.zone.validity


def test_memory_is_bounded_and_keeps_what_is_used() -> None:
    memory = signing.Memory(10)
    for number in range(1000):
        memory.put(number, number)
        memory.put("used", memory.get("used") or 1)
    assert len(memory) <= 20 and memory.get("used") == 1 and memory.get(3) is None


def test_zones_go_through_octets() -> None:
    zones = tuple(_SIGNED.values())
    assert signing.decode(signing.encode(zones)) == zones


def test_a_key_of_another_algorithm_is_an_error() -> None:
    secret = _SIGNED[signing.P256].secrets[0]
    with pytest.raises(ValueError, match="does not fit"):
        signing.private(secret._replace(algorithm=signing.ED25519))
