"""The rights that policies take: to write what they select in members, to read it in the fleet.

Law: pure. Exactly the kinds that policies name (and those that these need, where they ask for that), in
exactly the members that they may choose; in a role of its own, so that it can be taken back alone. RBAC knows
plurals: those of definitions that are told, else by the rules of English that Kubernetes keeps to. Who copies
roles needs the right to give what he does not have: that is said as what it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import structs

from fedns.distribute import rights
from fedns.model.propagation import Propagation
from fedns.placement import defaults, item, matching, pod, union

MAKE = ("get", "list", "watch", "create", "patch")
WRITE = (*MAKE, "delete")
NEEDED = (("", "Secret"), ("", "ConfigMap"), ("", "ServiceAccount"), ("", "PersistentVolumeClaim"))
"""Kinds that workloads name (propagateDeps)."""
TOLD = frozenset({*union.SUMMED, *union.WORST, *union.BALANCED, union.JOB, union.CRON})
"""Kinds whose statuses in the members are told as one."""
COPIES, ALONG = "copies of what the fleet has", "named by what is copied (propagateDeps), and goes along"
SAME = ("Endpoints",)
AUTOSCALING = "autoscaling"
INGRESS = ("networking.k8s.io", "Ingress")
GIVING = {
    "Role": (("roles", "escalate"),),
    "ClusterRole": (("clusterroles", "escalate"),),
    "RoleBinding": (("roles", "bind"), ("clusterroles", "bind")),
    "ClusterRoleBinding": (("clusterroles", "bind"),),
}
"""Kinds of RBAC, and what it takes to write those that give more than the writer has."""
WARNS = "who writes roles in the fleet may do everything here: RBAC lets nobody give rights that he lacks"

Kind = tuple[str, str]


class Told(NamedTuple):
    """`policies`, and the plurals of kinds that are defined beside them."""

    policies: tuple[Propagation, ...]
    plurals: Mapping[Kind, str]


def told(policies: Iterable[Propagation], items: Iterable[item.Item]) -> Told:
    """With the definitions among some objects."""
    return Told(tuple(policies), dict(_defined(items)))


def _defined(items: Iterable[item.Item]) -> Iterator[tuple[Kind, str]]:
    for each in items:
        if item.ref(each)[:2] == ("apiextensions.k8s.io", "CustomResourceDefinition"):
            names = item.at(each, "spec", "names") or {}
            yield (str(item.at(each, "spec", "group")), str(names.get("kind"))), str(names.get("plural"))


def writer(found: Told, member: matching.Member, elects: bool) -> tuple[rights.Right, ...]:
    """In one member; nothing where no policy can choose it. `elects`: it has the Lease."""
    chosen = [each for each in found.policies if _may(each, member)]
    along = defaults.HOMES in chosen
    kinds = _kinds(each for each in chosen if each != defaults.HOMES)
    if not kinds:
        return ()
    named = {kind for each in chosen for kind in _selected(each)}
    rows = [_right(found, kind, WRITE, COPIES if kind in named else ALONG) for kind in sorted(kinds)]
    if along and ("", "Namespace") not in kinds:
        rows.append(rights.Right("", "namespaces", MAKE, "made where a copy has none; never removed"))
    elif ("", "Namespace") not in kinds:
        rows.append(rights.Right("", "namespaces", rights.READ, "a copy waits for its namespace"))
    if kinds & pod.REPLICAS.keys() and (AUTOSCALING, "HorizontalPodAutoscaler") not in kinds:
        why = "whose replicas are not ours"
        rows.append(rights.Right(AUTOSCALING, "horizontalpodautoscalers", rights.READ, why))
    if any(map(_divides, chosen)):
        rows.append(rights.Right("", "pods", ("list",), "what it has room for, as `fedns plan` counts"))
    giving = dict.fromkeys(row for kind in sorted(kinds) if kind[0] == rights.RBAC for row in GIVING[kind[1]])
    rows += [rights.Right(rights.RBAC, plural, (verb,), WARNS) for plural, verb in giving]
    return (*rows, *((rights.LEASES, rights.LEASED_COPIES) if elects else ()))


def chooses(policies: Iterable[Propagation], member: matching.Member) -> bool:
    """Whether any of them may choose a member."""
    return any(_may(each, member) for each in policies if each != defaults.HOMES)


def reader(found: Told, status: bool) -> tuple[rights.Right, ...]:
    """In the fleet: what policies select and, `status`, where the statuses of copies are told."""
    kinds = sorted(_kinds(found.policies))
    parts = (
        rights.Right(kind[0], f"{_plural(found, kind)}/status", ("patch",), "the statuses of its copies")
        for kind in kinds
        if kind in TOLD and status
    )
    return (*(_right(found, kind, rights.READ, "what is copied to members") for kind in kinds), *parts)


def account(before: rights.Account) -> rights.Account:
    """The same one, with the role of these rights."""
    return before._replace(role=f"{before.namespace}-writer")


def roles(before: rights.Account) -> tuple[dict[str, Any], ...]:
    """The objects of this role, whatever it gives: to be looked for, and removed."""
    some = rights.Right("", "namespaces", rights.READ, "")
    return rights.granted(account(before), (some, some._replace(local=True)))


def _kinds(policies: Iterable[Propagation]) -> set[Kind]:
    found = set[Kind]()
    for each in policies:
        selected = _selected(each)
        found |= selected
        if each.dependencies and not selected.isdisjoint(pod.SPECS):
            found |= set(NEEDED)
        elif each.dependencies and INGRESS in selected:
            found.add(NEEDED[0])
    return found


def _selected(policy: Propagation) -> set[Kind]:
    return {(one.api_version.rpartition("/")[0], one.kind) for one in policy.resources}


def _divides(policy: Propagation) -> bool:
    """Whether the room in members counts."""
    division = policy.placement.division
    return division is not None and (division.available or division.preference == "Aggregated")


def _may(policy: Propagation, member: matching.Member) -> bool:
    """Whether a policy can choose a member; where it is may be found out later, then that is not asked."""
    known = {"provider": True, "region": bool(member.region), "zone": bool(member.zones)}
    return any(
        matching.selects(
            member,
            structs.replace(one, fields=tuple(each for each in one.fields if known.get(each.key, True))),
        )
        for one in (each.clusters for each in policy.placement.affinities)
    )


def _right(found: Told, kind: Kind, verbs: tuple[str, ...], why: str) -> rights.Right:
    return rights.Right(kind[0], _plural(found, kind), verbs, why)


def _plural(found: Told, kind: Kind) -> str:
    return found.plurals.get(kind) or plural(kind)


def plural(kind: Kind) -> str:
    """Of a kind of Kubernetes' own, or one that keeps to its rules."""
    name = kind[1].lower()
    if kind[1] in SAME:
        return name
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"
