"""Ready answers, read back by dnspython as a resolver would."""

from collections import Counter

import dns.message
import dns.rdatatype
from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import answers, node, respond, wire
from tests.conformance import probes, worlds

_ZONE = b"\x05probe\x07example\0"
_SHORT = b"\x01s" + _ZONE
_LONG = b"\x01s\x02eu" + _ZONE
_LONGER = b"\x01s\x01a\x02eu" + _ZONE
_BASE = worlds.view({probes.ORIGIN: probes.ZONE})
_FOUR = [bytes([192, 0, 2, last]) for last in range(1, 5)]


def _read(owner: bytes, slot: node.Slot, ident: int = 0) -> dns.message.Message:
    view = {**_BASE, owner: node.encode(node.Node(0, node.SERVICE, slots={wire.A: slot}))}
    question = owner + b"\0\1\0\1"
    reply = respond.respond(view, ident.to_bytes(2, "big") + probes.header()[2:] + question, wire.STREAM)
    assert reply is not None
    return dns.message.from_wire(reply)


def _lines(reply: dns.message.Message) -> list[str]:
    return [line for rrset in reply.answer for line in rrset.to_text().splitlines()]


def test_addresses() -> None:
    reply = _read(_SHORT, answers.slot(_SHORT, (), wire.A, 7, _FOUR[:2]))
    assert sorted(_lines(reply)) == ["s.probe.example. 7 IN A 192.0.2.1", "s.probe.example. 7 IN A 192.0.2.2"]


def test_the_chain_comes_first_and_in_order() -> None:
    reply = _read(_LONGER, answers.slot(_LONGER, (_LONG, _SHORT), wire.A, 7, _FOUR[:1]))
    assert _lines(reply) == [
        "s.a.eu.probe.example. 7 IN CNAME s.eu.probe.example.",
        "s.eu.probe.example. 7 IN CNAME s.probe.example.",
        "s.probe.example. 7 IN A 192.0.2.1",
    ]


def test_a_chain_that_ends_without_data_carries_the_soa() -> None:
    reply = _read(_LONG, answers.slot(_LONG, (_SHORT,), wire.A, 7, ()))
    assert _lines(reply) == ["s.eu.probe.example. 7 IN CNAME s.probe.example."]
    assert [rrset.to_text().split()[:4] for rrset in reply.authority] == [
        ["probe.example.", "60", "IN", "SOA"]
    ]


def test_addresses_rotate_and_none_is_lost() -> None:
    slot = answers.slot(_LONG, (_SHORT,), wire.A, 7, _FOUR)
    firsts: Counter[str] = Counter()
    for ident in range(400):
        lines = _lines(_read(_LONG, slot, ident))
        assert len(lines) == 5 and "CNAME" in lines[0] and len(set(lines)) == 5
        firsts[lines[1]] += 1
    assert set(firsts.values()) == {100}


def test_weights_are_met_exactly_over_one_schedule() -> None:
    choices = [(1, _FOUR[:1]), (3, _FOUR[1:2]), (4, _FOUR[2:])]
    slot = answers.weighted(_SHORT, (), wire.A, 7, choices)
    seen = Counter(
        tuple(sorted(_lines(_read(_SHORT, slot, ident)))) for ident in range(len(slot.schedule) * 5)
    )
    assert sorted(seen.values()) == [5, 15, 20]
    assert sorted(len(lines) for lines in seen) == [1, 1, 2]


def test_an_alias_is_compressed_against_the_question() -> None:
    slot = answers.slot(_LONG, (_SHORT,), wire.A, 7, _FOUR[:1])
    assert len(slot.body) == 12 + 4 + 16  # a CNAME of one label and a pointer, and an address


_families = st.tuples(
    st.lists(st.binary(min_size=4, max_size=4), max_size=20),
    st.lists(st.binary(min_size=16, max_size=16), max_size=5),
)


@given(_families, st.sampled_from([(), (_LONG,), (_LONG, _SHORT)]), st.sampled_from([0, 7]))
def test_a_stem_is_the_node_that_it_stands_for(
    families: answers.Families, chain: tuple[bytes, ...], zone: int
) -> None:
    pairs = list(zip((wire.A, wire.AAAA), families, strict=True))
    slots = {rtype: answers.slot(_LONGER, chain, rtype, 30, rdatas) for rtype, rdatas in pairs}
    rrsets = tuple(node.RRset(rtype, 30, tuple(rdatas)) for rtype, rdatas in pairs if rdatas)
    rrsets = (node.RRset(wire.CNAME, 30, chain[:1]),) if chain else rrsets
    whole = node.encode(node.Node(zone, node.SERVICE, rrsets, slots))
    assert answers.stem((zone, node.SERVICE), 30, families, answers.Path(_LONGER, chain)) == whole
