"""What a plan costs clients: the members that still serve what is taken away from them, and who is left.

Law: pure. A Service loses a member with its copy there, or with the last of the workloads that it selects
there. Endpoints decide who serves; of whom nothing is known, nobody can say
that he is left.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from fedns.errors import Problem
from fedns.placement import item, plan, pod

OWNER = "kubernetes.io/service-name"
"""The label of a slice of endpoints that names its Service."""
SERVICE, NAMESPACE = ("", "Service"), ("", "Namespace")


class Key(NamedTuple):
    """Which Service."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


Items = Mapping[item.Ref, item.Item]
Ready = Mapping[str, Mapping[Key, int]]
"""Member -> Service -> its ready endpoints there."""
Taken = Callable[[str, Key], bool]
"""Whether an operator took a member out already."""
Waits = Callable[[Key], str]
"""Why clients leave first anyhow; empty: they do not."""
NOBODY = "NOBODY IS LEFT who would: its clients will fail"
FIRST = "put it into another member first, and wait until it is ready there"


def ready(slices: Iterable[item.Item]) -> dict[Key, int]:
    """How many are ready behind each Service; of one pod both address families are one."""
    found: dict[Key, set[str]] = {}
    for each in slices:
        name = item.labels(each).get(OWNER)
        if not name:
            continue
        ours = found.setdefault(Key(str(item.metadata(each).get("namespace") or ""), name), set())
        for one in item.several(each, "endpoints"):
            if item.at(one, "conditions", "ready") is not False:
                whose = item.at(one, "targetRef", "name") or (one.get("addresses") or [""])[0]
                ours.add(str(whose))
    return {key: len(names) for key, names in found.items()}


def lost(made: plan.Plan, there: Mapping[str, Items]) -> dict[str, frozenset[Key]]:
    """The Services that lose a member, by what members have."""
    gone: dict[str, set[item.Ref]] = {}
    for each in made.steps:
        if each.action == "delete":
            gone.setdefault(each.member, set()).add(each.ref)
    rows = ((name, frozenset(_lost(refs, there.get(name, {})))) for name, refs in gone.items())
    return {name: keys for name, keys in rows if keys}


def _lost(gone: set[item.Ref], there: Items) -> Iterator[Key]:
    spaces = {what.name for what in gone if what[:2] == NAMESPACE}
    for what, found in there.items():
        if what[:2] == SERVICE and (
            what in gone or what.namespace in spaces or _emptied(what, found, gone, there)
        ):
            yield Key(what.namespace, what.name)


def _emptied(what: item.Ref, service: item.Item, gone: set[item.Ref], there: Items) -> bool:
    """Whether all workloads that a Service selects go; what they made themselves goes with them."""
    selector = item.at(service, "spec", "selector")
    if not isinstance(selector, dict) or not selector:
        return False
    mine = [
        other
        for other, found in there.items()
        if other.namespace == what.namespace
        and selector.items() <= pod.labels(found).items()
        and not item.several(found, "metadata", "ownerReferences")
    ]
    return bool(mine) and gone.issuperset(mine)


def warnings(
    taken_away: Mapping[str, frozenset[Key]], found: Ready, taken: Taken, waits: Waits
) -> Iterator[Problem]:
    """What is to be said of it, before it is done."""
    for key in sorted({key for keys in taken_away.values() for key in keys}):
        counts = {name: rows[key] for name, rows in found.items() if rows.get(key)}
        losing = [name for name in sorted(counts) if key in taken_away.get(name, ())]
        left, later = sorted(counts.keys() - losing), waits(key)
        for name in losing:
            where = f"Service {key} in {name}"
            some = f"it still serves ({counts[name]} of {sum(counts.values())} ready endpoints)"
            if not left and later:
                yield Problem.warning(where, f"{some}, and nobody else does yet", later)
            elif not left:
                yield Problem.warning(where, f"{some}, and {NOBODY}", FIRST)
            elif not taken(name, key):
                more = f"{some}, and is not drained; {', '.join(left)} would be left"
                yield Problem.warning(where, more, later or f"`fedns drain {name}/{key} --wait` first")
