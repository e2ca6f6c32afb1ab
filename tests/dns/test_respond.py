"""The hot path says what the slow path says, only sooner."""

import dns.flags
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import answers, node, resolve, respond, wire
from tests.conformance import probes
from tests.fuzz import fuzz_packets

_VIEW = fuzz_packets.view()
_OWNERS = [
    "@",
    "host",
    "svc",
    "alias",
    "ent",
    "leaf.ent",
    "a.wild",
    "wild",
    "x.sub",
    "sub",
    "ns.sub",
    "x.tree",
]
_ABSENT = [
    "nope",
    "a.b.nope",
    "x.host",
    "x.svc",
    "_tcp.svc",
    "_http._tcp.svc",
    "_http._udp.svc",
    "elsewhere.",
]
_TAILS = [
    b"",
    probes.opt(),
    probes.opt(4096, flags=0x8000),
    probes.opt(1000),
    probes.opt(options=probes.option(10, b"12345678")),
]


def _shape(octets: bytes | None) -> tuple[object, ...]:
    """A reply without the order of its records."""
    assert octets is not None
    reply = dns.message.from_wire(octets)
    sections = [
        sorted((rrset.name, rrset.ttl, rdata.to_text()) for rrset in section for rdata in rrset)
        for section in (reply.question, reply.answer, reply.authority)
    ]
    return reply.id, reply.flags, reply.rcode(), reply.edns, reply.ednsflags, reply.options, sections


@given(
    st.sampled_from(_OWNERS + _ABSENT),
    st.sampled_from([wire.A, wire.AAAA]),
    st.sampled_from(_TAILS),
    st.sampled_from([0, wire.RD, 0x0010, 0x0130]),
    st.sampled_from([wire.OWN_SIZE, wire.STREAM]),
)
def test_hot_and_slow_agree(owner: str, rtype: int, tail: bytes, flags: int, limit: int) -> None:
    packet = probes.query(owner, rtype, tail, flags)
    assert _shape(respond.respond(_VIEW, packet, limit)) == _shape(resolve.resolve(_VIEW, packet, limit))


@pytest.mark.parametrize("owner", ["hOsT", "SVC", "NoPe"])
def test_the_question_comes_back_in_its_own_case(owner: str) -> None:
    packet = probes.query(owner, wire.A, probes.opt())
    reply = respond.respond(_VIEW, packet, wire.OWN_SIZE)
    assert reply is not None and packet[12:-11] in reply


@pytest.mark.parametrize("key", [node.ZONES, node.READY, node.META, b""])
@pytest.mark.parametrize("tail", [b"", b"\0\1\0\1", b"\0\0\1\0\1", b"\0\0\x1c\0\1"])
def test_no_question_reaches_the_special_keys(key: bytes, tail: bytes) -> None:
    view = {**_VIEW, node.META: b"\0" * 16}
    reply = respond.respond(view, probes.header() + key + tail, wire.OWN_SIZE)
    assert reply is not None and (reply[3] & 15) in (wire.FORMERR, wire.REFUSED)


def test_a_set_too_large_for_the_client_is_truncated() -> None:
    rdatas = tuple(bytes([10, 0, 0, last]) for last in range(100))
    table = dict(_VIEW)
    owner = probes.name("many")
    from_answers = answers.slot(owner, (), wire.A, 5, rdatas)
    table[owner] = node.encode(node.Node(0, 0, (node.RRset(wire.A, 5, rdatas),), {wire.A: from_answers}))
    for tail, limit, whole in [
        (b"", wire.OWN_SIZE, False),
        (probes.opt(1232), wire.OWN_SIZE, False),
        (probes.opt(4096), wire.OWN_SIZE, False),
        (probes.opt(4096), 4096, True),
        (b"", wire.STREAM, True),
    ]:
        reply = respond.respond(table, probes.query("many", wire.A, tail), limit)
        assert reply is not None
        assert bool(reply[2] & 2) != whole
        assert (int.from_bytes(reply[6:8], "big") == 100) == whole


def test_stale_answers_say_so_where_the_client_can_read_it() -> None:
    table = dict(_VIEW)
    owner = probes.name("svc")
    held = node.decode(table[owner])
    table[owner] = node.encode(
        held._replace(slots={t: s._replace(stale=True) for t, s in held.slots.items()})
    )
    for tail, codes in [(b"", []), (probes.opt(), [3])]:
        for rtype in (wire.A, wire.AAAA):
            reply = respond.respond(table, probes.query("svc", rtype, tail), wire.OWN_SIZE)
            assert reply is not None
            read = dns.message.from_wire(reply)
            assert [int(each.code) for each in read.options] == codes
            assert read.answer and read.flags & dns.flags.AA
