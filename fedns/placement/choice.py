"""Which propagation policy an object follows, and which override policies change it, in which order.

Law: pure, and without memory: the same objects and policies give the same choice, whatever was there before.
(Karmada keeps the first policy until a better one preempts it; here every better one does.) A policy of the
object's namespace comes before all of the cluster's; then priority, explicitness, name; what nobody wrote
(`defaults`) comes last.
"""

from collections.abc import Iterable

from msgspec import Struct, structs

from fedns.model.propagation import ROOT, SYSTEM, Override, Propagation
from fedns.placement import defaults, item, matching

SHOWN = 3
"""Policies that are told of an object which none selects."""
OWN = "it is each cluster's own"
SERVER = ("Service", "Endpoints", "EndpointSlice")
"""Of the kinds of `default/kubernetes`: where an API server is."""
RANKS = ("not at all", "by kind", "by labels", "by name")


class Chosen(Struct, frozen=True, gc=False):
    """`why` in words, with the first of the policies that select the object too."""

    policy: Propagation
    why: str


def policy(found: item.Item, policies: Iterable[Propagation]) -> Chosen | None:
    """The policy of an object; None: none selects it."""
    what = item.ref(found)
    if _own(what):
        return None
    ranked = [(each, _rank(found, each, what.namespace)) for each in policies]
    best = sorted(((_order(each, rank), each, rank) for each, rank in ranked if rank), key=lambda row: row[0])
    if not best:
        return None
    (_, winner, rank), *others = best
    if winner.builtin:
        return Chosen(winner, defaults.WHY)
    why = f"{winner.title} selects it {RANKS[rank]}" + (
        f", priority {winner.priority}" if winner.priority else ""
    )
    rivals = [f"{each.title} ({RANKS[rank]})" for _, each, rank in others if not each.builtin]
    if rivals:
        more = f" and {len(rivals) - 1} more" if len(rivals) > 1 else ""
        why += f", which comes before {rivals[0]}{more}"
    return Chosen(winner, why)


def awaited(policies: Iterable[Propagation], overrides: Iterable[Override]) -> list[Propagation]:
    """The same, each told which of the override policies that it needs are not there."""
    there = {(each.namespace, each.name) for each in overrides}
    lacks = ((each, tuple(name for name in each.needs if (each.namespace, name) not in there))
             for each in policies)  # fmt: skip
    return [structs.replace(each, lacks=names) if names else each for each, names in lacks]


def missed(found: item.Item, policies: Iterable[Propagation]) -> str:
    """Why none selects an object: the first condition of those that come nearest."""
    what = item.ref(found)
    own = _own(what)
    if own:
        return own
    near: list[str] = []
    for each in sorted(policies, key=lambda each: each.title):
        kinds = [one for one in each.resources if one.kind.lower() == what.kind.lower()]
        if each.namespace and each.namespace != what.namespace:
            near += [f"{each.title} is for its own namespace" for _ in kinds[:1]]
        else:
            near += [f"{each.title} wants {matching.lacks(found, one)}" for one in kinds[:1]]
    told = "; ".join(near[:SHOWN]) + (f"; and {len(near) - SHOWN} more" if len(near) > SHOWN else "")
    return f"no policy selects it: {told}" if near else f"no policy selects any {what.kind}"


def _own(what: item.Ref) -> str:
    """Why no policy can select an object; empty: one can."""
    if what.namespace in SYSTEM or (what.kind == "Namespace" and what.name in SYSTEM):
        return f"{OWN}: nothing of its namespace is distributed"
    server = what.kind in SERVER and (what.namespace, what.name) == ("default", "kubernetes")
    return OWN if server or (what.kind, what.name) == ("ConfigMap", ROOT) else ""


def _rank(found: item.Item, each: Propagation, namespace: str) -> int:
    if each.builtin and not defaults.takes(each, found):
        return matching.NONE
    if each.namespace and each.namespace != namespace:
        return matching.NONE
    return matching.explicitness(found, each.resources)


def _order(each: Propagation, rank: int) -> tuple[bool, bool, int, int, str]:
    return each.builtin, not each.namespace, -each.priority, -rank, each.name


def overrides(found: item.Item, policies: Iterable[Override]) -> list[Override]:
    """Those that concern an object, the one that is applied last last: it wins."""
    namespace = item.ref(found).namespace
    ranked = []
    for each in policies:
        if each.namespace and each.namespace != namespace:
            continue
        rank = matching.explicitness(found, each.resources) if each.resources else matching.ALL
        if rank:
            ranked.append((bool(each.namespace), rank, each.name, each))
    return [each for *_, each in sorted(ranked, key=lambda row: row[:3])]
