"""What objects come in: the pages of a list, the events of a watch.

Law: an object itself stays as it came, for whoever knows its kind.
"""

import msgspec
from msgspec import Raw, Struct


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
