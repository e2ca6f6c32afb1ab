"""The namespaces of one cluster: objects are made only where theirs is there, and stays.

Law: nothing is written here. Who makes objects is told when a namespace comes or goes.
"""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import Struct

from fedns.distribute import lookout
from fedns.kube import client, informer
from fedns.kube.resource import Resource

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", False)


class _Meta(Struct, gc=False):
    name: str
    resourceVersion: str = ""
    deletionTimestamp: str | None = None


class _Namespace(Struct, gc=False):
    metadata: _Meta


_namespace = msgspec.json.Decoder(_Namespace)


class Spaces(lookout.Lookout):
    """`moved` is told of one that came or went."""

    def __init__(self, moved: Callable[[str], None], hint: str) -> None:
        super().__init__(NAMESPACES.plural, hint)
        self._moved = moved
        self._there: set[str] = set()

    @property
    def known(self) -> bool:
        """Whether all that there are are known."""
        return self._feed is not None and bool(self._feed.synced_at)

    def __contains__(self, name: str) -> bool:
        return name in self._there

    def open(self, api: client.Client, news: Callable[[], None]) -> informer.Informer:
        """Begins to look at what is there, anew."""
        self.close()

        def hear(changes: informer.Changes) -> None:
            for key, value in changes:
                (self._there.add if value else self._there.discard)(key[2])
                self._moved(key[2])
            news()

        async def admit() -> None:
            await asyncio.sleep(0)

        self._feed = informer.Informer(api, informer.Subject(NAMESPACES, _decode), informer.Ears(hear, admit))
        return self._feed

    def close(self) -> None:
        self._feed = None
        self._there.clear()


def _decode(data: informer.Data) -> informer.Item:
    meta = client.decoded(_namespace, data).metadata
    stays = None if meta.deletionTimestamp else True
    return informer.Item((NAMESPACES.kind, "", meta.name), stays, "", meta.resourceVersion)
