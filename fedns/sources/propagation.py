"""Propagation and override policies of the fleet, in every dialect -> values of `model/propagation`.

Law: the dialects (Karmada's, and two of ACK One) differ in spellings only. An unknown group is an error that
names the known ones; an unknown field has the nearest known name as its hint; what is understood and has no
effect here is said once, and the policy counts.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar

from msgspec import Struct

from fedns.errors import Problem
from fedns.model import propagation as values
from fedns.sources import admission, objects

GROUPS = values.GROUPS
VERSION = "v1alpha1"
MISSPELT = {"ClutserPropagationPolicy": "ClusterPropagationPolicy"}
"""As an article of ACK One has it, so that it can be applied as it is printed."""
SPELT = {
    kind.lower(): kind
    for scope in ("", "Cluster")
    for kind in (f"{scope}PropagationPolicy", f"{scope}OverridePolicy")
}
NEAR = 0.85
"""So alike are kinds of which one may be the other misspelt: ClusterTaintPolicy is another kind."""

TWICE = f"it is there in several dialects or spellings; the first is used (in the order {', '.join(GROUPS)})"
Pairs = dict[str, str]
PRIORITIES = 1 << 31
WEIGHTS = "placement.replicaScheduling.weightPreference.staticWeightList[...].weight"


class _Requirement(Struct, forbid_unknown_fields=True):
    key: str
    operator: values.Operator
    values: list[str] | None = None


class _Labels(Struct, rename="camel", forbid_unknown_fields=True):
    match_labels: Pairs | None = None
    match_expressions: list[_Requirement] | None = None


class _Fields(Struct, rename="camel", forbid_unknown_fields=True):
    match_expressions: list[_Requirement] | None = None


class Resources(Struct, rename="camel", forbid_unknown_fields=True):
    api_version: str
    kind: str
    namespace: str = ""
    name: str = ""
    label_selector: _Labels | None = None


class Clusters(Struct, rename="camel", forbid_unknown_fields=True):
    label_selector: _Labels | None = None
    field_selector: _Fields | None = None
    cluster_names: list[str] | None = None
    cluster_ids: list[str] | None = None
    exclude: list[str] | None = None


class _Affinity(Clusters, rename="camel", forbid_unknown_fields=True, kw_only=True):
    affinity_name: str
    overflow_affinities: Any = None


class _Spread(Struct, rename="camel", forbid_unknown_fields=True):
    spread_by_field: Literal["", "cluster", "provider", "region", "zone"] = ""
    spread_by_label: str = ""
    min_groups: int = 0
    max_groups: int = 0


class _Toleration(Struct, rename="camel", forbid_unknown_fields=True):
    key: str = ""
    operator: Literal["", "Exists", "Equal"] = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class _Weight(Struct, rename="camel", forbid_unknown_fields=True):
    target_cluster: Clusters
    weight: int


class _Weights(Struct, rename="camel", forbid_unknown_fields=True):
    static_weight_list: list[_Weight] | None = None
    dynamic_weight: Literal["", "AvailableReplicas"] = ""


class _Scheduling(Struct, rename="camel", forbid_unknown_fields=True):
    replica_scheduling_type: Literal["Duplicated", "Divided"] = "Divided"
    replica_division_preference: values.Preference = "Weighted"
    weight_preference: _Weights | None = None


class _Placement(Struct, rename="camel", forbid_unknown_fields=True):
    cluster_affinity: Clusters | None = None
    cluster_affinities: list[_Affinity] | None = None
    cluster_tolerations: list[_Toleration] | None = None
    spread_constraints: list[_Spread] | None = None
    replica_scheduling: _Scheduling | None = None
    workload_affinity: Any = None


class _Named(Struct, rename="camel", forbid_unknown_fields=True):
    cluster_names: list[str] | None = None
    cluster_ids: list[str] | None = None


class _Suspension(Struct, rename="camel", forbid_unknown_fields=True):
    dispatching: bool = False
    dispatching_on_clusters: _Named | None = None
    scheduling: bool = False


class _Propagation(Struct, rename="camel", forbid_unknown_fields=True):
    resource_selectors: list[Resources]
    placement: _Placement | None = None
    priority: int = 0
    propagate_deps: bool = False
    preserve_resources_on_deletion: bool | None = None
    prune: bool | None = None
    conflict_resolution: Literal["", "Abort", "abort", "Overwrite", "overwrite"] = ""
    preemption: Literal["", "Never", "Always"] = ""
    suspension: _Suspension | None = None
    association: Any = None
    dependent_overrides: list[str] | None = None
    scheduler_name: Any = None
    activation_preference: Any = None
    failover: Any = None
    schedule_priority: Any = None


class _Policy(Struct):
    metadata: objects.Meta
    spec: _Propagation


IDLE = {
    "association": "propagateDeps says it",
    "scheduler_name": "there is one scheduler",
    "activation_preference": "a change of a policy takes effect at once",
    "failover": "fedns moves traffic, not workloads",
    "schedule_priority": "there is no queue",
}
"""What Karmada knows and has no effect here, and why."""


class Table(Mapping[tuple[str, str], objects.Kind]):
    """Kinds by (apiVersion, kind), of which `known` are policies; those of an unknown group are refused, not
    passed over."""

    def __init__(
        self,
        known: Mapping[tuple[str, str], objects.Kind],
        others: Mapping[tuple[str, str], objects.Kind] | None = None,
    ) -> None:
        self._known, self._kinds = {**(others or {}), **known}, {kind for _, kind in known}

    def __getitem__(self, version: tuple[str, str]) -> objects.Kind:
        if version in self._known:
            return self._known[version]
        if version[1] in self._kinds:
            return objects.Kind(dict[str, Any], _refusal(version[0]))
        if version[0].rpartition("/")[0] in GROUPS:
            meant = difflib.get_close_matches(version[1].lower(), SPELT, 1, NEAR)
            if meant:
                return objects.Kind(dict[str, Any], _misnamed(version[1], SPELT[meant[0]]))
        raise KeyError(version)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def propagation(found: _Policy, clusterwide: bool, doubts: tuple[str, ...] = ()) -> values.Propagation:
    """The value of one object. WrongShape."""
    meta, spec = found.metadata, found.spec
    own = "" if clusterwide else meta.namespace or "default"
    admission.named(meta)
    objects.require(bool(spec.resource_selectors), "it selects something", "resourceSelectors")
    objects.require(abs(spec.priority) < PRIORITIES, "a priority has 32 bits", "priority")
    selected = tuple(resources(each, own) for each in spec.resource_selectors)
    placement, more = _placement(spec.placement or _Placement())
    ignored = [f"`{_camel(name)}` has no effect: {why}" for name, why in IDLE.items() if getattr(spec, name)]
    made = values.Propagation(
        name=meta.name,
        namespace=own,
        resources=selected,
        placement=placement,
        priority=spec.priority,
        dependencies=spec.propagate_deps,
        overwrite=spec.conflict_resolution.lower() == "overwrite",
        preserve=_preserve(spec),
        prune=spec.prune is True,
        suspended=_suspended(spec.suspension or _Suspension()),
        needs=tuple(dict.fromkeys(spec.dependent_overrides or ())),
        doubts=(*doubts, *more, *ignored, *admission.doubts(selected)),
    )
    admission.propagation(made, spec.preemption == "Always")
    return made


def _placement(told: _Placement) -> tuple[values.Placement, list[str]]:
    both = told.cluster_affinity is not None and told.cluster_affinities is not None
    objects.require(not both, "either one or the other", "placement.clusterAffinity and clusterAffinities")
    groups = tuple(
        values.Affinity(clusters(each), each.affinity_name) for each in told.cluster_affinities or ()
    )
    names = [each.name for each in groups]
    objects.require(
        len(set(names)) == len(names), "each has a name of its own", "placement.clusterAffinities"
    )
    one = values.Affinity(clusters(told.cluster_affinity or Clusters()))
    doubts = ["`workloadAffinity` has no effect: it is not known here"] if told.workload_affinity else []
    if any(each.toleration_seconds is not None for each in told.cluster_tolerations or ()):
        doubts.append("`tolerationSeconds` has no effect: what is tolerated is tolerated for good")
    if any(each.overflow_affinities for each in told.cluster_affinities or ()):
        doubts.append(
            "`overflowAffinities` has no effect: only the members of the group itself are chosen from"
        )
    scheduling = told.replica_scheduling
    found = values.Placement(
        affinities=groups or (one,),
        tolerations=tuple(_toleration(each) for each in told.cluster_tolerations or ()),
        spread=tuple(_spread(each) for each in told.spread_constraints or ()),
        division=_division(scheduling) if scheduling else None,
    )
    return found, doubts


def _division(told: _Scheduling) -> values.Division | None:
    if told.replica_scheduling_type == "Duplicated":
        return None
    weights = told.weight_preference or _Weights()
    static = tuple(
        values.Weight(clusters(each.target_cluster), each.weight) for each in weights.static_weight_list or ()
    )
    hint = "a weight is at least 1; a member that is to get nothing is left out"
    objects.require(all(each.weight >= 1 for each in static), hint, WEIGHTS)
    return values.Division(told.replica_division_preference, static, bool(weights.dynamic_weight))


def _spread(told: _Spread) -> values.Spread:
    one = not (told.spread_by_field and told.spread_by_label)
    objects.require(one, "one of spreadByField and spreadByLabel", "placement.spreadConstraints")
    sound = told.min_groups >= 0 and (not told.max_groups or told.max_groups >= told.min_groups)
    objects.require(sound, "minGroups is at most maxGroups", "placement.spreadConstraints")
    field = told.spread_by_field or ("" if told.spread_by_label else "cluster")
    return values.Spread(field, told.spread_by_label, told.min_groups or 1, told.max_groups)


def _toleration(told: _Toleration) -> values.Toleration:
    objects.require(
        bool(told.key) or told.operator == "Exists", "a key, or Exists", "placement.clusterTolerations"
    )
    return values.Toleration(told.key, told.operator or "Equal", told.value, told.effect)


def _preserve(spec: _Propagation) -> bool:
    kept, prune = spec.preserve_resources_on_deletion, spec.prune
    agree = kept is None or prune is None or kept is not prune
    objects.require(agree, "`prune` and `preserveResourcesOnDeletion` say the opposite", "prune")
    return bool(kept) or prune is False


def _suspended(told: _Suspension) -> tuple[str, ...] | None:
    names = _names(told.dispatching_on_clusters or _Named(), "suspension.dispatchingOnClusters")
    one = not (told.dispatching and names)
    objects.require(one, "`dispatching` for all members, or `dispatchingOnClusters`, not both", "suspension")
    return None if told.dispatching or told.scheduling else names


def resources(told: Resources, own: str) -> values.Resources:
    """One selector of objects, of the namespace `own` alone if it is not empty. WrongShape."""
    inside = not own or told.namespace in ("", own)
    hint = f"a PropagationPolicy selects in its own namespace ({own}); a ClusterPropagationPolicy in any"
    objects.require(inside, hint, "resourceSelectors[...].namespace")
    labels = None if told.label_selector is None else requirements(told.label_selector)
    return values.Resources(told.api_version, told.kind, own or told.namespace, told.name, labels)


def clusters(told: Clusters) -> values.Clusters:
    """One selector of members. WrongShape."""
    fields = told.field_selector.match_expressions if told.field_selector else None
    return values.Clusters(
        labels=requirements(told.label_selector) if told.label_selector else (),
        fields=tuple(_requirement(each) for each in fields or ()),
        names=_names(told, ".clusterNames"),
        exclude=tuple(told.exclude or ()),
    )


def _names(told: Clusters | _Named, where: str) -> tuple[str, ...]:
    names, ids = told.cluster_names, told.cluster_ids
    agree = names is None or ids is None or names == ids
    objects.require(agree, "`clusterNames` and `clusterIds` are one thing, and differ", where)
    return tuple(names or ids or ())


def requirements(told: _Labels) -> tuple[values.Requirement, ...]:
    """The conditions of a label selector."""
    plain = [values.Requirement(key, "In", (value,)) for key, value in (told.match_labels or {}).items()]
    return (*plain, *(_requirement(each) for each in told.match_expressions or ()))


def _requirement(told: _Requirement) -> values.Requirement:
    found = values.Requirement(told.key, told.operator, tuple(told.values or ()))
    valued = found.operator in ("In", "NotIn")
    objects.require(
        valued == bool(found.values), f"{found.operator} goes with its values", ".matchExpressions"
    )
    return found


def _refusal(version: str) -> Callable[[Any], Any]:
    known = ", ".join(f"{group}/{VERSION}" for group in GROUPS)
    what = f"policies of {version} are not known" if version else "a policy has an apiVersion"

    def refuse(_: Any) -> Any:
        raise objects.WrongShape(f"{what} (known: {known}) - at `$.apiVersion`")

    return refuse


def _misnamed(kind: str, meant: str) -> Callable[[Any], Any]:
    def refuse(_: Any) -> Any:
        raise objects.WrongShape(f"there is no kind {kind} (did you mean {meant}?) - at `$.kind`")

    return refuse


def dialect(told: Mapping[str, Any]) -> int:
    """By which objects come in the order of the groups that policies are of."""
    group = str(told.get("apiVersion")).partition("/")[0]
    return GROUPS.index(group) if group in GROUPS else len(GROUPS)


Written = TypeVar("Written", bound=values.Propagation | values.Override)


def firsts(told: Iterable[Written]) -> tuple[list[Written], list[Problem]]:
    """Of policies of one name, as there may be in several dialects, the first, and words about the others."""
    found: dict[str, Written] = {}
    twice = []
    for each in told:
        if found.setdefault(each.title, each) is not each:
            twice.append(Problem(each.title, TWICE, "remove one of them"))
    return list(found.values()), twice


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _propagations() -> dict[str, objects.Kind]:
    """By kind."""
    found = {
        "PropagationPolicy": objects.Kind(
            _Policy, lambda each: propagation(each, False), _doubt, located=True
        ),
        "ClusterPropagationPolicy": objects.Kind(
            _Policy, lambda each: propagation(each, True), _doubt, located=True
        ),
    }
    for wrong, right in MISSPELT.items():
        found[wrong] = objects.Kind(_Policy, _misspelt(right), _doubt, located=True)
    return found


def _misspelt(right: str) -> Callable[[Any], Any]:
    return lambda each: propagation(each, True, (f"the kind is spelt {right}",))


def _doubt(found: Any) -> str:
    return "; ".join(found.doubts)


def table(more: Mapping[str, objects.Kind]) -> Mapping[tuple[str, str], objects.Kind]:
    """The kinds of propagation policies and of `more`, of every group."""
    kinds = {**_propagations(), **more}
    versions = [f"{group}/{VERSION}" for group in GROUPS]
    return Table({(version, kind): row for version in versions for kind, row in kinds.items()})
