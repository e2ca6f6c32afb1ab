"""How copies fare, told to the fleet's objects: the statuses of all members as one.

Law: as the scribe's. A member that gets an object and tells nothing of it counts as such; one that does not
get it counts for nothing. One that has not been heard yet is waited for, and no way into it is taken away
however long that is. Only kinds whose statuses have a sum, and only where the fleet is an API server; an
Ingress that the gateway serves has the gateway's addresses.
"""

import datetime
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from fedns.distribute import docket, shelf, statuses, warrant, writer
from fedns.errors import Problem
from fedns.kube import client, kinds
from fedns.placement import assignment, item, union

PACE = docket.Pace(hold=2.0)
HINT = "`fedns rbac --for-policies fleet` prints the rights it takes"

PATIENCE = 120.0
"""Seconds for which a member that is not heard keeps sums from being written; then it counts as silent."""
INGRESS = ("networking.k8s.io", "Ingress")

Assigned = Callable[[], assignment.Assignment]
Statuses = Callable[[item.Ref], Iterable[union.Told]]


class Reports:
    """`assigned`: what goes where just now; `said`: what the members that get an object say of it."""

    def __init__(self, api: client.Client, held: writer.Held, assigned: Assigned, said: Statuses) -> None:
        self._api, self._held, self._assigned, self._said = api, held, assigned, said
        self.served: Callable[[str], bool] = lambda _: False
        """Whether an Ingress is the gateway's, or may be."""
        self._unheard: dict[str, tuple[float, str]] = {}
        """Members that are not heard: since when, for us and for people."""
        self._lost: frozenset[str] = frozenset()
        self._kinds: dict[assignment.Kind, shelf.Shelf] = {}
        self._shelves: list[writer.Shelf] = []
        self.writer = writer.Writer(api, held, self._shelves)

    async def run(self) -> None:
        try:
            await self.writer.run()
        finally:
            await self._api.close()

    def follow(self) -> None:
        """Takes up which kinds there are by now."""
        told = self._assigned()
        moved = told.refs() if told.changed is None else told.changed
        for what in moved:
            kind = (what.group, what.kind)
            template = told.fleet.templates.get(what)
            if kind in warrant.TOLD and kind not in self._kinds and template is not None:
                self._open(kind, str(template.get("apiVersion")))
        self.touch(moved)

    def look(self, unheard: Collection[str]) -> None:
        """Takes note of which members are not heard."""
        now, wall = time.monotonic(), f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
        before = self._unheard
        names = unheard if self._held.held else ()
        self._unheard = {name: before.get(name, (now, wall)) for name in names}
        lost = frozenset(name for name, (at, _) in self._unheard.items() if now - at >= PATIENCE)
        if (before.keys(), self._lost) != (self._unheard.keys(), lost):
            self._lost = lost
            self.touch(self._assigned().refs())

    def touch(self, objects: Iterable[item.Ref]) -> None:
        """They may fare otherwise."""
        for what in objects:
            one = self._kinds.get((what.group, what.kind))
            if one is not None:
                one.touch((_called(what),))
        self.writer.news.set()

    def problems(self) -> Iterator[Problem]:
        yield from self.writer.problems()
        for name in sorted(self._lost):
            what = f"how its copies fare is not known since {self._unheard[name][1]}"
            yield Problem(f"member {name}", what, "statuses in the fleet keep the ways into it")

    def _open(self, kind: assignment.Kind, version: str) -> None:
        def judge(name: str, live: statuses.Live) -> statuses.Verdict | None:
            space, _, own = name.rpartition("/")
            return self._judged(item.Ref(kind[0], kind[1], space, own), live)

        resource = kinds.named(version, kind[1])
        plural = warrant.plural(kind)
        chapter = shelf.Chapter(resource._replace(plural=plural), lambda _: "", judge, told=True, hint=HINT)
        self._kinds[kind] = made = shelf.Shelf(chapter, PACE)
        self._shelves.append(made)

    def _judged(self, what: item.Ref, live: statuses.Live) -> statuses.Verdict | None:
        told = self._assigned()
        template = told.fleet.templates.get(what)
        if template is None or not told.goes(what):
            return None
        rows = tuple(self._said(what))
        waits = any(not each.heard and each.member not in self._lost for each in rows)
        kind = (what.group, what.kind)
        if (waits and kind not in union.BALANCED) or (kind == INGRESS and self.served(_called(what))):
            return None
        before = {**live.fields, **({"conditions": list(live.conditions)} if live.conditions else {})}
        found = union.status({**template, "status": before}, rows)
        if found == before:
            return None
        conditions, fields = _verdict(kind, found, live.fields)
        return statuses.Verdict(conditions, fields, plain=True)


def _called(what: item.Ref) -> str:
    return f"{what.namespace}/{what.name}" if what.namespace else what.name


def _verdict(
    kind: assignment.Kind, found: Mapping[str, Any], there: Mapping[str, Any]
) -> tuple[tuple[statuses.Condition, ...], dict[str, Any]]:
    """Conditions and fields; a sum that is nothing any more is told as such."""
    rows = (
        statuses.Condition(row["type"], row["status"], row.get("reason", ""), row.get("message", ""))
        for row in found.get("conditions") or ()
    )
    none = {name: value for name, value in union.empty(kind).items() if there.get(name)}
    return tuple(rows), {**none, **{name: value for name, value in found.items() if name != "conditions"}}
