"""Objects of lists of many clusters, taken apart: a part that is there already is not made again.

Law: what comes out is what JSON says, in its order, and shares its parts: nobody changes it in place. So much
of a copy is the same in all members that a fleet takes a fraction of its size, and who compares parts may
go by who they are.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct, field

from fedns.kube import client

SMALL = 24
"""Octets of a text that is not looked for: it is made as fast."""
Parts = dict[str, msgspec.Raw]


class _About(Struct, gc=False):
    more: str | None = field(default=None, name="continue")


class _Page(Struct, gc=False):
    metadata: _About | None = None
    items: list[Parts] | None = None


_page = msgspec.json.Decoder(_Page)
_parts = msgspec.json.Decoder(Parts)
_rows = msgspec.json.Decoder(list[Parts])
_any = msgspec.json.Decoder()


class Pool:
    """The parts that are known."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def page(self, data: bytes) -> tuple[list[dict[str, Any]], str]:
        """The objects of a page of a list, and where the next one begins. Failure."""
        found: _Page = client.decoded(_page, data)
        items = [self._item(each) for each in found.items or ()]
        return items, (found.metadata.more or "") if found.metadata else ""

    def _item(self, parts: Parts) -> dict[str, Any]:
        return {
            name: self._about(each) if name == "metadata" else self._part(each)
            for name, each in parts.items()
        }

    def _about(self, data: msgspec.Raw) -> Any:
        parts = client.decoded(_parts, data)
        return {
            name: self._managed(each) if name == "managedFields" else self._part(each)
            for name, each in parts.items()
        }

    def _managed(self, data: msgspec.Raw) -> Any:
        """Rows differ in their times: by cluster, and by object."""
        rows: Iterable[Parts] = client.decoded(_rows, data)
        return [{name: self._part(each) for name, each in row.items()} for row in rows]

    def _part(self, data: msgspec.Raw) -> Any:
        text = bytes(data)
        if len(text) <= SMALL:
            return client.decoded(_any, text)
        found = self._known.get(text, self)
        if found is self:
            found = self._known[text] = client.decoded(_any, text)
        return found
