"""Which propagation policy an object follows, and which override policies change it, in which order.

Law: pure, and without memory: the same objects and policies give the same choice, whatever was there before.
(Karmada keeps the first policy until a better one preempts it; here every better one does.) A policy of the
object's namespace comes before all of the cluster's; then priority, explicitness, name.
"""

from collections.abc import Iterable

from msgspec import Struct

from fedns.model.propagation import Override, Propagation
from fedns.placement import item, matching

SYSTEM = ("kube-system", "kube-public", "kube-node-lease")
"""Namespaces of which nothing is propagated: they are each cluster's own."""
RANKS = ("not at all", "by kind", "by labels", "by name")


class Chosen(Struct, frozen=True, gc=False):
    """`why` in words; `rivals` are the policies that select the object too."""

    policy: Propagation
    why: str
    rivals: tuple[str, ...] = ()


def policy(found: item.Item, policies: Iterable[Propagation]) -> Chosen | None:
    """The policy of an object; None: none selects it."""
    what = item.ref(found)
    if what.namespace in SYSTEM or (what.kind == "Namespace" and what.name in SYSTEM):
        return None
    ranked = [(each, _rank(found, each, what.namespace)) for each in policies]
    best = sorted(((_order(each, rank), each, rank) for each, rank in ranked if rank), key=lambda row: row[0])
    if not best:
        return None
    (_, winner, rank), *others = best
    why = f"{winner.title} selects it {RANKS[rank]}" + (
        f", priority {winner.priority}" if winner.priority else ""
    )
    return Chosen(winner, why, tuple(each.title for _, each, _ in others))


def _rank(found: item.Item, each: Propagation, namespace: str) -> int:
    if each.namespace and each.namespace != namespace:
        return matching.NONE
    return matching.explicitness(found, each.resources)


def _order(each: Propagation, rank: int) -> tuple[bool, int, int, str]:
    return not each.namespace, -each.priority, -rank, each.name


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
