"""The rights that policies take: to write what they select in members, to read it in the fleet.

Law: pure. Exactly the kinds that policies name (and those that these need, where they ask for that), in
exactly the members that they may choose; in a role of its own, so that it can be taken back alone. RBAC knows
plurals: those of definitions that are told, else by the rules of English that Kubernetes keeps to.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from fedns.distribute import rights
from fedns.model.propagation import Clusters, Propagation
from fedns.placement import item, matching, pod, union

WRITE = ("get", "list", "watch", "create", "patch", "delete")
POLICIES = (
    "propagationpolicies",
    "clusterpropagationpolicies",
    "overridepolicies",
    "clusteroverridepolicies",
)
NEEDED = (("", "Secret"), ("", "ConfigMap"), ("", "ServiceAccount"), ("", "PersistentVolumeClaim"))
"""Kinds that workloads name (propagateDeps)."""
TOLD = frozenset({*union.SUMMED, *union.WORST, ("", "Service"), ("networking.k8s.io", "Ingress")})
"""Kinds whose statuses in the members are told as one."""
SAME = ("Endpoints",)
AUTOSCALING = "autoscaling"

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
    kinds = _kinds(chosen)
    if not kinds:
        return ()
    rows = [_right(found, kind, WRITE, "copies of what the fleet has") for kind in sorted(kinds)]
    if ("", "Namespace") not in kinds:
        rows.append(rights.Right("", "namespaces", rights.READ, "a copy waits for its namespace"))
    if kinds & pod.REPLICAS.keys() and (AUTOSCALING, "HorizontalPodAutoscaler") not in kinds:
        why = "whose replicas are not ours"
        rows.append(rights.Right(AUTOSCALING, "horizontalpodautoscalers", rights.READ, why))
    return (*rows, *((rights.LEASES, rights.LEASED_COPIES) if elects else ()))


def reader(found: Told, groups: Iterable[str]) -> tuple[rights.Right, ...]:
    """In the fleet: policies of these groups, what they select, and where statuses of copies are told."""
    kinds = sorted(_kinds(found.policies))
    policies = (
        rights.Right(group, plural, rights.READ, "what goes where") for group in groups for plural in POLICIES
    )
    parts = (
        rights.Right(kind[0], f"{_plural(found, kind)}/status", ("patch",), "the statuses of its copies")
        for kind in kinds
        if kind in TOLD
    )
    why = "what is copied to members"
    lease = (rights.LEASES, rights.LEASED)
    return (*policies, *(_right(found, kind, rights.READ, why) for kind in kinds), *parts, *lease)


def account(before: rights.Account) -> rights.Account:
    """The same one, with the role of these rights."""
    return before._replace(role=f"{before.namespace}-writer")


def _kinds(policies: Iterable[Propagation]) -> set[Kind]:
    found = set[Kind]()
    for each in policies:
        found |= {(one.api_version.rpartition("/")[0], one.kind) for one in each.resources}
        found |= set(NEEDED) if each.dependencies else set()
    return found


def _may(policy: Propagation, member: matching.Member) -> bool:
    """Whether a policy can choose a member; what is found out later (its fields) is not asked."""
    return any(
        matching.selects(
            member, Clusters(each.clusters.labels, (), each.clusters.names, each.clusters.exclude)
        )
        for each in policy.placement.affinities
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
