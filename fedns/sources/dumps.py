"""A dump (a JSON `List`) in blocks of items: reading it again costs what differs, not what there is.

Law: pure. Where the text before the items, the text after them and the blocks around a stretch are as they
were (blocks by digest), only that stretch is parsed, and it must be whole items by itself. In any doubt
the answer is None, and the file is to be parsed as a whole.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec
from msgspec import Raw

BLOCK = 64
"""Items; a change costs about one block's parsing, and a file of 10,000 items has 157 digests to compare."""

_HEAD = re.compile(rb'\s*\{[^\[{\\]*?"items"\s*:\s*\[\s*')
_GAP = re.compile(rb"[\s,]*")
_items = msgspec.json.Decoder(list[Raw])


class Block(NamedTuple):
    """Items with what separates them from the next block: octets, digest of these, digests of the items."""

    size: int
    digest: int
    items: tuple[int, ...]


class Dump(NamedTuple):
    """A file as last read. `kind` is what its items are if they do not say."""

    kind: tuple[str, str]
    head: bytes
    tail: bytes
    blocks: tuple[Block, ...]

    @property
    def digests(self) -> list[int]:
        return list(chain.from_iterable(block.items for block in self.blocks))


class Again(NamedTuple):
    """A dump read again: the items that were parsed, the first of them being item number `first`."""

    dump: Dump
    first: int
    parsed: Sequence[Raw]


def cut(data: bytes, items: Sequence[Raw], kind: tuple[str, str]) -> Dump | None:
    """The blocks of a dump that was parsed as a whole; None where it is not plain what text its items are."""
    head = _HEAD.match(data)
    if head is None or not items:
        return None
    blocks = tuple(_blocks(data, head.end(), items, None))
    end = head.end() + sum(block.size for block in blocks)
    tail = data[end:]
    if sum(len(block.items) for block in blocks) < len(items) or b'"items"' in tail or b"\\" in tail:
        return None
    return Dump(kind, data[: head.end()], tail, blocks)


def again(data: bytes, dump: Dump) -> Again | None:
    """The dump as it is now in `data`; None where it must be parsed as a whole."""
    blocks, start, stop = dump.blocks, len(dump.head), len(data) - len(dump.tail)
    if stop < start or not (data.startswith(dump.head) and data.endswith(dump.tail)):
        return None
    front, back = 0, len(blocks)
    while front < back and _stands(blocks[front], data, start, stop):
        start += blocks[front].size
        front += 1
    while front < back and _stands(blocks[back - 1], data, stop - blocks[back - 1].size, stop):
        back -= 1
        stop -= blocks[back].size
    if front == len(blocks):
        return Again(dump, 0, ()) if start == stop else None
    parsed = _parsed(data[start:stop], back < len(blocks))
    if parsed is None:
        return None
    fresh = tuple(_blocks(data, start, parsed, stop))
    if sum(block.size for block in fresh) != stop - start:
        return None
    first = sum(len(block.items) for block in blocks[:front])
    return Again(dump._replace(blocks=blocks[:front] + fresh + blocks[back:]), first, parsed)


def _stands(block: Block, data: bytes, start: int, stop: int) -> bool:
    return 0 <= start <= stop - block.size and hash(data[start : start + block.size]) == block.digest


def _parsed(stretch: bytes, followed: bool) -> Sequence[Raw] | None:
    """The items of a stretch. Where others follow it ends in a comma, or is nothing at all."""
    text = stretch.rstrip(b" \t\n\r")
    if followed and text.endswith(b","):
        text = text[:-1]
    elif followed == bool(stretch):  # a comma is missing, or is too many in what stands before
        return None
    if not text:
        return () if not stretch else None
    try:
        return _items.decode(b"[%b]" % text)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _blocks(data: bytes, at: int, items: Sequence[Raw], stop: int | None) -> Iterator[Block]:
    """Blocks of the items that stand in `data` from `at` to `stop` (None: to the end of the last one). They
    end early where an item is not where it should be."""
    start, digests = at, list[int]()
    for number, raw in enumerate(items, 1):
        text = bytes(raw)
        gap = _GAP.match(data, at + len(text))
        if gap is None or not data.startswith(text, at):
            return
        digests.append(hash(text))
        last, at = number == len(items), gap.end()
        if last or len(digests) == BLOCK:
            end = (gap.start() if stop is None else stop) if last else at
            yield Block(end - start, hash(data[start:end]), tuple(digests))
            start, digests = at, []
