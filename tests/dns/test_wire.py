"""Names in wire form."""

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import wire

_labels = st.lists(st.binary(min_size=1, max_size=20), max_size=6)


def _wire(labels: list[bytes]) -> bytes:
    return b"".join(bytes([len(each)]) + each for each in labels) + b"\0"


@given(_labels)
def test_reading_and_counting(labels: list[bytes]) -> None:
    name = _wire(labels)
    assert wire.read_name(b"..." + name + b"rest", 3) == 3 + len(name)
    assert wire.labels(name) == len(labels)
    assert wire.ancestors(name) == [_wire(labels[cut:]) for cut in range(len(labels) + 1)]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_garbage_is_refused_quietly(octets: bytes, at: int) -> None:
    for read in (wire.read_name, wire.skip_name):
        end = read(octets, at)
        assert end == -1 or at < end <= len(octets)


@given(_labels, _labels)
def test_below_is_by_labels(labels: list[bytes], others: list[bytes]) -> None:
    assert wire.below(_wire(labels + others), _wire(others))
    assert not wire.below(b"\x01a" + b"\x04xcom\0", b"\x03com\0")


@pytest.mark.parametrize(
    "octets", [b"\xc0\x00", b"\x40" + b"a" * 64 + b"\0", b"\x03ab", (b"\x3f" + b"a" * 63) * 4 + b"\0"]
)
def test_what_a_question_may_not_hold(octets: bytes) -> None:
    assert wire.read_name(octets, 0) == -1


@given(st.lists(_labels, min_size=1, max_size=5))
def test_compressed_names_read_back(names: list[list[bytes]]) -> None:
    known: dict[bytes, int] = {}
    message, places = b"\0" * 12, []
    for labels in names:
        places.append(len(message))
        message += wire.compress(_wire(labels), known, len(message))
    for labels, at in zip(names, places, strict=True):
        name, _ = dns.name.from_wire(message, at)
        assert name.to_digestable() == _wire(labels).lower()
