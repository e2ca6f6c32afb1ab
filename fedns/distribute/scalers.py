"""The autoscalers of one member: the objects whose replicas are theirs.

Law: nothing is written here. Where they cannot be read, replicas are the fleet's, and that is told.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from fedns.distribute import lookout, shelf
from fedns.kube import client, informer
from fedns.kube.resource import Resource
from fedns.placement import copies, item

SCALERS = tuple(
    Resource("autoscaling", version, "horizontalpodautoscalers", "HorizontalPodAutoscaler")
    for version in ("v2", "v1")
)


class Scalers(lookout.Lookout):
    """`moved` is told of objects that are scaled now, or no more."""

    def __init__(self, moved: Callable[[item.Ref], None], hint: str) -> None:
        super().__init__(SCALERS[0].plural, hint)
        self._moved = moved
        self._targets: dict[informer.Key, item.Ref] = {}

    @property
    def known(self) -> bool:
        """Whether all there are are known, or nobody can know."""
        return self._feed is not None and self._feed.settled

    def __contains__(self, what: item.Ref) -> bool:
        return what in self._targets.values()

    def open(self, api: client.Client, news: Callable[[], None]) -> informer.Informer:
        self.close()

        def hear(changes: informer.Changes) -> None:
            for key, value in changes:
                before = self._targets.pop(key, None)
                if value is not None:
                    self._targets[key] = value
                for what in {before, value} - {None}:
                    self._moved(what)
            news()

        async def admit() -> None:
            if feed.known:
                return
            found = await shelf.served(api, SCALERS) or SCALERS[-1]
            feed.subject = feed.subject._replace(resource=found)

        subject = informer.Subject(SCALERS[0], _decode, optional=True)
        self._feed = feed = informer.Informer(api, subject, informer.Ears(hear, admit))
        return feed

    def close(self) -> None:
        self._feed = None
        self._targets.clear()


_object = msgspec.json.Decoder(dict[str, Any])


def _decode(data: informer.Data) -> informer.Item:
    found = {"apiVersion": "autoscaling/v2", "kind": SCALERS[0].kind, **client.decoded(_object, data)}
    what, meta = item.ref(found), item.metadata(found)
    target = next(iter(copies.scaled({what: found})), None)
    key = (what.kind, what.namespace, what.name)
    return informer.Item(key, target, "", str(meta.get("resourceVersion", "")))
