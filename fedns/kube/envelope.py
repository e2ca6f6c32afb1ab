"""What objects come in: the pages of a list, the events of a watch.

Law: an object itself stays as it came, for whoever knows its kind.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

CHUNK = 200
"""Objects decoded before everything else has its turn: a few milliseconds."""


class ListMeta(Struct, gc=False):
    resourceVersion: str = ""
    after: str = msgspec.field(default="", name="continue")


class Page(Struct, gc=False):
    metadata: ListMeta
    items: list[Raw] | None = None


class Event(Struct, gc=False):
    type: str
    object: Raw


class Meta(Struct, gc=False):
    resourceVersion: str = ""
    annotations: dict[str, str] | None = None


class Versioned(Struct, gc=False):
    metadata: Meta


page = msgspec.json.Decoder(Page)
event = msgspec.json.Decoder(Event)
versioned = msgspec.json.Decoder(Versioned)


def chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[at : at + CHUNK] for at in range(0, len(items), CHUNK))
