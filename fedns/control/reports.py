"""How copies fare, told to the fleet's objects: the statuses of all members as one.

Law: as the scribe's. A member that gets an object and tells nothing of it counts as such; one that does not
get it counts for nothing. Only kinds whose statuses have a sum, and only where the fleet is an API server.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fedns.distribute import docket, shelf, statuses, warrant, writer
from fedns.errors import Problem
from fedns.kube import client, kinds
from fedns.placement import assignment, item, union

PACE = docket.Pace(hold=2.0)
HINT = "`fedns rbac --for-policies` prints the rights it takes"

Assigned = Callable[[], assignment.Assignment]
Statuses = Callable[[item.Ref], Iterable[union.Told]]


class Reports:
    """`assigned`: what goes where just now; `said`: what the members that get an object say of it."""

    def __init__(self, api: client.Client, held: writer.Held, assigned: Assigned, said: Statuses) -> None:
        self._api, self._assigned, self._said = api, assigned, said
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
        for what in told.refs():
            kind = (what.group, what.kind)
            template = told.fleet.templates.get(what)
            if kind in warrant.TOLD and kind not in self._kinds and template is not None:
                self._open(kind, str(template.get("apiVersion")))
        self.touch(told.refs())

    def touch(self, objects: Iterable[item.Ref]) -> None:
        """They may fare otherwise."""
        for what in objects:
            one = self._kinds.get((what.group, what.kind))
            if one is not None:
                one.touch((f"{what.namespace}/{what.name}" if what.namespace else what.name,))
        self.writer.news.set()

    def problems(self) -> Iterator[Problem]:
        yield from self.writer.problems()

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
        before = {**live.fields, **({"conditions": list(live.conditions)} if live.conditions else {})}
        found = union.status({**template, "status": before}, self._said(what))
        if found == before:
            return None
        return statuses.Verdict(*_verdict((what.group, what.kind), found, live.fields))


def _verdict(
    kind: assignment.Kind, found: Mapping[str, Any], there: Mapping[str, Any]
) -> tuple[tuple[statuses.Condition, ...], dict[str, Any]]:
    """Conditions and fields; a sum that is nothing any more is told as such."""
    rows = (
        statuses.Condition(row["type"], row["status"], row.get("reason", ""), row.get("message", ""))
        for row in found.get("conditions") or ()
    )
    none = {name: 0 for name in union.SUMMED.get(kind, ()) if name in there}
    return tuple(rows), {**none, **{name: value for name, value in found.items() if name != "conditions"}}
