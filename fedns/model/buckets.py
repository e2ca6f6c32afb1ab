"""A large map that is never edited: a version of it with some keys changed shares the rest.

Law: as any mapping to those who read, equal to a dict of the same content. A change costs the buckets that
its keys are in, not the map: copying a dict of ten thousand entries touches each of them, and a fleet's are
in no cache.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")

COUNT = 256
_MASK = COUNT - 1
_EMPTY: dict[str, Any] = {}


class Buckets(Mapping[str, Value], Generic[Value]):
    """Values by text. Made by `of`."""

    __slots__ = ("_parts", "_size")

    def __init__(self, parts: tuple[dict[str, Value], ...], size: int) -> None:
        self._parts, self._size = parts, size

    def __getitem__(self, key: str) -> Value:
        return self._parts[hash(key) & _MASK][key]

    def get(self, key: str, default: Any = None) -> Any:
        return self._parts[hash(key) & _MASK].get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._parts[hash(key) & _MASK]

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            yield from part

    def __len__(self) -> int:
        return self._size

    def put(self, changes: Mapping[str, Value | None]) -> "Buckets[Value]":
        """The map with these values in place of its own; None: the key is gone."""
        parts, fresh, size = list(self._parts), set[int](), self._size
        for key, value in changes.items():
            at = hash(key) & _MASK
            if at not in fresh:
                fresh.add(at)
                parts[at] = dict(parts[at])
            part = parts[at]
            size -= len(part)
            if value is None:
                part.pop(key, None)
            else:
                part[key] = value
            size += len(part)
        return Buckets(tuple(parts), size)


NOTHING: Buckets[Any] = Buckets((_EMPTY,) * COUNT, 0)


def of(values: Mapping[str, Value]) -> Buckets[Value]:
    """The same content; the same object where it is one of these already."""
    return values if isinstance(values, Buckets) else NOTHING.put(values)
