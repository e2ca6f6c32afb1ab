"""The one NSEC record, against dnspython's order of names and its reading of bit maps."""

import dns.name
import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import denial, wire

_OCTETS = st.integers(0, 255).filter(lambda octet: not 0x41 <= octet <= 0x5A)
_LABEL = st.lists(_OCTETS, min_size=1, max_size=63).map(bytes)
_LABELS = st.lists(_LABEL, min_size=1, max_size=8)


def _wire(labels: list[bytes]) -> bytes:
    """As many of the labels as a name can hold."""
    name = b"\x07example\0"
    for label in labels:
        if len(name) + 1 + len(label) <= wire.MAX_NAME:
            name = bytes((len(label),)) + label + name
    return name


def _name(name: bytes) -> dns.name.Name:
    return dns.name.from_wire(name, 0)[0]


@given(_LABELS)
def test_the_successor_comes_later_and_nothing_lies_between(labels: list[bytes]) -> None:
    name = _wire(labels)
    after = denial.successor(name)
    assert len(after) <= wire.MAX_NAME and _name(name) < _name(after)
    if len(name) + 2 <= wire.MAX_NAME:
        assert after == b"\x01\0" + name


@pytest.mark.parametrize(
    "first, after",
    [
        (b"a" * 63, b"a" * 62 + b"b"),
        (b"a" * 62, b"a" * 61 + b"b"),
        (b"a" * 62 + b"@", b"a" * 62 + b"["),
        (b"a" * 62 + b"\xff", b"a" * 61 + b"b"),
    ],
)
def test_a_name_of_full_length_is_raised(first: bytes, after: bytes) -> None:
    rest = (b"\x3f" + b"x" * 63) * 2 + bytes((124 - len(first),)) + b"y" * (124 - len(first)) + b"\0"
    name = bytes((len(first),)) + first + rest
    assert len(name) == wire.MAX_NAME
    assert denial.successor(name) == bytes((len(after),)) + after + rest


def test_a_full_label_of_a_shorter_name_is_raised() -> None:
    rest = (b"\x3f" + b"x" * 63) * 2 + b"\x3c" + b"y" * 60 + b"\0"
    name = b"\x3f" + b"a" * 63 + rest
    assert len(name) == wire.MAX_NAME - 1
    assert denial.successor(name) == b"\x3f" + b"a" * 62 + b"b" + rest


@given(st.sets(st.integers(1, 65535), min_size=1, max_size=20))
def test_bit_maps_are_read_back(types: set[int]) -> None:
    made = denial.record(b"\x01a\0", types, 60).rdatas[0]
    read = dns.rdata.from_wire("IN", "NSEC", made, 0, len(made))
    found = {
        window * 256 + index * 8 + bit
        for window, bits in read.windows
        for index, octet in enumerate(bits)
        for bit in range(8)
        if octet & 0x80 >> bit
    }
    assert found == {*types, wire.RRSIG, wire.NSEC}
