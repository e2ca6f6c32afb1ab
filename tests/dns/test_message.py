"""Replies that do not fit."""

import struct

import dns.message
import pytest

from fedns.dns import message, node, wire

_ZONE = b"\x07example\0"
_QUESTION = b"\x01q" + _ZONE + b"\0\1\0\1"
_HOSTS = [b"\x02ns" + bytes([1, 97 + each]) + _ZONE for each in range(20)]


def _write(limit: int, *sections: list[message.Record], tail: bytes = b"") -> dns.message.Message:
    reply = message.Message(_QUESTION, limit, tail)
    reply.fill(sections)
    octets = reply.finish(1, wire.QR)
    assert len(octets) <= limit
    return dns.message.from_wire(octets)


def _glue(needed: bool) -> list[message.Record]:
    return [message.Record(host, node.RRset(wire.A, 1, (b"1234",)), needed) for host in _HOSTS]


def test_an_answer_goes_in_whole_or_not_at_all() -> None:
    rdatas = tuple(struct.pack(">I", each) for each in range(10))
    record = message.Record(_QUESTION[:-4], node.RRset(wire.A, 1, rdatas))
    size = 12 + len(_QUESTION) + 160
    assert len(_write(size, [record]).answer[0]) == 10
    short = _write(size - 1, [record])
    assert short.flags & wire.TC and not short.answer


def test_the_opt_record_has_its_room() -> None:
    rdatas = tuple(struct.pack(">I", each) for each in range(10))
    record = message.Record(_QUESTION[:-4], node.RRset(wire.A, 1, rdatas))
    opt = b"\0\0\x29\4\xd0\0\0\0\0\0\0"
    short = _write(12 + len(_QUESTION) + 160 + 10, [record], tail=opt)
    assert short.flags & wire.TC and short.edns == 0


@pytest.mark.parametrize("needed", [True, False])
def test_missing_glue_truncates_other_additional_data_does_not(needed: bool) -> None:
    names = message.Record(_ZONE, node.RRset(wire.NS, 1, tuple(_HOSTS)))
    reply = _write(512, [], [names], _glue(needed))
    assert len(reply.authority[0]) == 20
    assert 0 < len(reply.additional) < 20
    assert bool(reply.flags & wire.TC) == needed


def test_names_after_a_record_left_out_still_point_right() -> None:
    big = message.Record(b"\x03big" + _ZONE, node.RRset(wire.TXT, 1, (b"\xc8" + b"x" * 200,)), needed=False)
    small = message.Record(b"\x03big" + _ZONE, node.RRset(wire.A, 1, (b"1234",)), needed=False)
    reply = _write(100, [], [], [big, small])
    assert [rrset.name.to_text() for rrset in reply.additional] == ["big.example."]


def test_soa_and_mx_names_are_compressed() -> None:
    soa = b"\x02ns" + _ZONE + b"\x04host" + _ZONE + bytes(20)
    octets = message.Message(_QUESTION, 512, b"")
    octets.fill([[message.Record(_ZONE, node.RRset(wire.SOA, 1, (soa,)))]])
    assert len(octets.finish(1, wire.QR)) == 12 + len(_QUESTION) + 2 + 10 + 5 + 7 + 20
