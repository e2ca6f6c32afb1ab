"""Which of a member's services are taken up: all, or those of certain namespaces, or those that are exported.

Law: pure. It stands between what is watched and `cluster`. A service that its namespace or the lack of an
export keeps out is withheld, and comes as soon as it may.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from fedns.errors import Problem
from fedns.sources import objects
from fedns.sources.cluster import ObjectKey
from fedns.sources.exports import PROPERTY

Change = tuple[ObjectKey, Any]


class _Any(Struct, gc=False):
    metadata: objects.Meta


def _there(found: _Any) -> bool:
    return True


KINDS: Mapping[tuple[str, str], objects.Kind] = {("v1", "Namespace"): objects.Kind(_Any, _there)}
"""What decides, beside the kinds of `objects` and of `exports`."""


class Scope:
    """That of one member. `namespaces`, `exports`: whether these decide."""

    def __init__(self, namespaces: bool = False, exports: bool = False) -> None:
        self._by_namespace, self._by_export = namespaces, exports
        self._namespaces: set[str] = set()
        self._exports: set[tuple[str, str]] = set()
        self._services: dict[ObjectKey, Any] = {}
        """All that there are, where anything decides."""
        self._called = ""

    def update(self, changes: Iterable[Change]) -> Sequence[Change]:
        """What of these changes, and of those that were withheld, is for the cluster."""
        return [each for key, value in changes for each in self._passed(key, value)]

    def objects(self, namespace: str, name: str) -> tuple[ObjectKey, ...]:
        """What let a service in."""
        export = (("ServiceExport", namespace, name),) if (namespace, name) in self._exports else ()
        return (*export, *((("Namespace", "", namespace),) if namespace in self._namespaces else ()))

    def problems(self, member: str, where: str) -> Iterator[Problem]:
        if self._called and self._called != member:
            what = f"it calls itself {self._called!r} in its cluster set, and is member {member!r} here"
            yield Problem(where, what, f"use one name: that of its ClusterProperty {PROPERTY} cannot change")

    def _passed(self, key: ObjectKey, value: Any) -> Iterator[Change]:
        if key[0] == "Namespace":
            _put(self._namespaces, key[2], value)
            yield from self._again(one for one in self._services if one[1] == key[2])
        elif key[0] == "ServiceExport":
            _put(self._exports, key[1:], value)
            yield key, value
            yield from self._again(one for one in (("Service", *key[1:]),) if one in self._services)
        elif key[0] == "ClusterProperty":
            self._called = value or ""
            yield key, value
        elif key[0] == "Service" and (self._by_namespace or self._by_export):
            if value is None:
                self._services.pop(key, None)
            else:
                self._services[key] = value
            yield key, value if self._takes(key) else None
        else:
            yield key, value

    def _again(self, keys: Iterable[ObjectKey]) -> Iterator[Change]:
        return ((key, self._services[key] if self._takes(key) else None) for key in keys)

    def _takes(self, key: ObjectKey) -> bool:
        inside = not self._by_namespace or key[1] in self._namespaces
        return inside and (not self._by_export or key[1:] in self._exports)


def _put(table: set[Any], key: Any, value: Any) -> None:
    if value is None:
        table.discard(key)
    else:
        table.add(key)
