"""A dump read in blocks is what it would be if it were parsed as a whole, or is not read so."""

import json

import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.sources import dumps, objects
from fedns.sources.documents import Content, read

KIND = ("v1", "Thing")
TOKENS = [
    b"",
    b" ",
    b"\n",
    b"\x0b",
    b",",
    b"{}",
    b"{},",
    b",{}",
    b'{"n":1}',
    b"]",
    b"}",
    b'"',
    b'"items":[{}],',
]
COUNT = 150


class _List(msgspec.Struct):
    items: list[msgspec.Raw]


def whole(data: bytes) -> list[msgspec.Raw]:
    return msgspec.json.decode(data, type=_List).items


def text(numbers: list[int], indent: int | None = None) -> bytes:
    items = [{"n": number} if number else {} for number in numbers]
    return json.dumps({"kind": "List", "items": items, "metadata": {}}, indent=indent).encode()


def cut(data: bytes) -> dumps.Dump:
    found = dumps.cut(data, whole(data), KIND)
    assert found is not None
    return found


def digests(data: bytes) -> list[int]:
    return [hash(bytes(raw)) for raw in whole(data)]


@pytest.mark.parametrize("indent", [None, 4])
def test_blocks_hold_all_items(indent: int | None) -> None:
    data = text(list(range(COUNT)), indent)
    assert [len(block.items) for block in cut(data).blocks] == [64, 64, 22]
    assert cut(data).digests == digests(data)


@pytest.mark.parametrize("indent", [None, 4])
def test_one_change_parses_one_block(indent: int | None) -> None:
    numbers = list(range(COUNT))
    found = dumps.again(text([*numbers[:70], 999, *numbers[71:]], indent), cut(text(numbers, indent)))
    assert found is not None
    assert (found.first, len(found.parsed)) == (64, 64)
    assert bytes(found.parsed[6]).split() == [b"{", b'"n":', b"999", b"}"] or not indent


@pytest.mark.parametrize(
    "data",
    [
        b'{"items": []}',
        b'{"metadata": {"items": [1, 2]}, "items": [1, 2]}',
        b'{"items": [1, 2], "items": [1, 2]}',
        b'{"a\\"items": [1, 2], "items": [3]}',
        b'{"items": [1, 2], "\\u0069tems": [3]}',
    ],
)
def test_where_the_items_are_is_never_guessed(data: bytes) -> None:
    assert dumps.cut(data, whole(data), KIND) is None


@st.composite
def edits(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A dump, and the same after splices of its text, often where one item ends."""
    indent = draw(st.sampled_from([None, 1]))
    data = text(
        draw(st.lists(st.integers(0, 3), min_size=1, max_size=COUNT)) * draw(st.integers(1, 3)), indent
    )
    versions, now = [], data
    for _ in range(draw(st.integers(1, 4))):
        ends = [at + 1 for at in range(len(now)) if now[at : at + 1] in b"},["]
        start = draw(st.sampled_from(ends) | st.integers(0, len(now))) if ends else 0
        stop = min(len(now), start + draw(st.sampled_from([0, 0, 1, 2, 4, 9, 300, 2000])))
        now = now[:start] + draw(st.sampled_from(TOKENS)) + now[stop:]
        versions.append(now)
    return data, versions


@hypothesis.settings(deadline=None, max_examples=500)
@given(edits())
def test_what_is_read_in_blocks_is_what_is_there(case: tuple[bytes, list[bytes]]) -> None:
    dump = cut(case[0])
    for data in case[1]:
        found = dumps.again(data, dump)
        if found is None:
            continue
        dump = found.dump
        assert dump.digests == digests(data)
        assert sum(block.size for block in dump.blocks) == len(data) - len(dump.head) - len(dump.tail)
        inside = dump.digests[found.first : found.first + len(found.parsed)]
        assert inside == [hash(bytes(raw)) for raw in found.parsed]


def service(number: int, port: int) -> dict[str, object]:
    spec = {"type": "LoadBalancer", "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{number}"}, "spec": spec}


def test_a_file_read_again_is_as_if_read_once() -> None:
    ports = [80] * COUNT
    content = Content()
    for number, port in ((3, 80), (3, 81), (100, 82), (149, 0), (149, 83), (0, 84)):
        ports[number] = port
        data = json.dumps({"items": [service(*each) for each in enumerate(ports)]}, indent=4).encode()
        content = read("a.json", data, objects.KINDS, content)
        fresh = read("a.json", data, objects.KINDS, Content())
        assert content.problems == fresh.problems
        assert list(content.entries) == list(fresh.entries)
        good = [key for key, one in fresh.entries.items() if not one.trouble]
        assert [content.entries[key].value for key in good] == [fresh.entries[key].value for key in good]
    assert content.dump is not None
