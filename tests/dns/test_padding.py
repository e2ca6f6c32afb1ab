"""Padding of replies: whole blocks, only for who pads, and nothing that cannot be padded."""

import dns.edns
import dns.message
import dns.rrset
import dns.tsig
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import padding

PADDING = dns.edns.GenericOption(dns.edns.OptionType.PADDING, b"")
EMPTY_COOKIE = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, bytes(8))


def query(*options: dns.edns.Option) -> dns.message.QueryMessage:
    return dns.message.make_query("a.example.com", "A", use_edns=0, options=options)


def reply(asked: dns.message.Message, addresses: int = 1, edns: int = 0) -> dns.message.Message:
    made = dns.message.make_response(asked, pad=0)
    rows = [f"10.0.{i >> 8}.{i & 255}" for i in range(addresses)]
    made.answer.append(dns.rrset.from_text_list("a.example.com.", 30, "IN", "A", rows))
    made.use_edns(edns)
    return made


@given(st.integers(0, 300))
def test_a_padded_query_gets_whole_blocks_and_the_same_answer(addresses: int) -> None:
    asked = query(EMPTY_COOKIE, PADDING)
    made = reply(asked, addresses) if addresses else dns.message.make_response(asked, pad=0)
    before = made.to_wire(max_size=65535)
    after = padding.padded(asked.to_wire(), before)
    assert after is not None and len(after) % padding.BLOCK == 0
    assert 0 < len(after) - len(before) <= padding.BLOCK + 4
    read = dns.message.from_wire(after)
    assert read.answer == made.answer and [int(each.otype) for each in read.options] == [padding.PADDING]


def test_the_options_of_the_reply_stay() -> None:
    asked = query(PADDING)
    made = reply(asked)
    made.use_edns(0, options=[dns.edns.EDEOption(3)])
    after = padding.padded(asked.to_wire(), made.to_wire())
    assert after is not None
    assert [int(each.otype) for each in dns.message.from_wire(after).options] == [15, 12]


@pytest.mark.parametrize(
    "asked",
    [query(EMPTY_COOKIE).to_wire(), query().to_wire(), b"", b"\0\x0c", bytes(12) + b"\0\x0c"],
    ids=["cookie", "plain", "nothing", "option", "header"],
)
def test_who_does_not_pad_gets_the_reply_as_it_is(asked: bytes) -> None:
    made = reply(query()).to_wire()
    assert padding.padded(asked, made) == made


def test_what_has_no_opt_at_its_end_stays() -> None:
    asked = query(PADDING).to_wire()
    bare = reply(query(), edns=-1).to_wire()
    signed = reply(query())
    signed.use_tsig(dns.tsig.Key("key.", b"secret" * 6))
    octets = signed.to_wire()
    assert padding.padded(asked, bare) == bare
    assert padding.padded(asked, octets) == octets
    assert padding.padded(asked, None) is None


def test_the_largest_message_is_not_exceeded() -> None:
    asked = query(PADDING).to_wire()
    made = reply(query(), 4093).to_wire(max_size=65535)
    filled = padding.padded(asked, made)
    assert filled is not None and len(made) > 65400 and len(filled) == 65535
