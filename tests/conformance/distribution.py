"""What fedns makes of a case of distribution, and whether that is what Karmada makes of it.

Law: a case is as in `karmada_golden.json`. Only what API servers do not keep apart is the same here.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fedns.model.propagation import Clusters, Override, Propagation
from fedns.placement import (
    changes,
    choice,
    companions,
    division,
    fitness,
    legacy,
    matching,
    merging,
    pod,
    retention,
    schedule,
    template,
    union,
)
from fedns.sources import objects, overrides, propagation

Vector = Mapping[str, Any]
REFUSALS = (changes.Impossible, legacy.Unreadable, objects.WrongShape, msgspec.ValidationError)


def outcome(vector: Vector) -> Any:
    """What fedns says; an error where it refuses."""
    try:
        return KINDS[vector["kind"]](vector)
    except REFUSALS as error:
        return error


def agrees(vector: Vector, found: Any) -> bool:
    """Whether fedns says what Karmada says."""
    error = vector.get("error") or ""
    if re.fullmatch(UNKNOWN, error):
        return bool(found == silence(vector))
    if error and not error.startswith("generic-only"):
        return isinstance(found, REFUSALS)
    return not isinstance(found, REFUSALS) and same(vector["kind"], vector["want"], found)


UNKNOWN = r'default \w+ interpreter for ".*" not found'
"""Karmada knows no rule for a kind."""


def silence(vector: Vector) -> Any:
    """What fedns says where it knows none either."""
    if vector["kind"] == "aggregate":
        return vector["object"].get("status") or {}
    return vector["object"] if vector["kind"] in ("revise", "retain") else None


def same(kind: str, want: Any, found: Any) -> bool:
    """API servers keep no nulls, no empty lists and no empty maps of words: nor does this."""
    if kind == "deps":
        return {plain(each) for each in want or ()} == {plain(each) for each in found or ()}
    if kind in ("retain", "prune"):
        return bool(bare(want) == bare(found))
    if kind == "aggregate":
        return bool(_counted(want or {}) == _counted(found))
    return bool(want == found)


def bare(told: Any) -> Any:
    """Without what stands for nothing: Go's typed objects write `resources: {}` and `status: {}`."""
    made = merging.tidy(told)
    if isinstance(made, dict):
        rows = {key: bare(each) for key, each in made.items()}
        return {key: each for key, each in rows.items() if each != {} or key == "emptyDir"}
    return [bare(each) for each in made] if isinstance(made, list) else made


def _counted(told: Any) -> Any:
    """A count that is not told is none, nor is an empty word: Go's types write them as 0 and as ""."""
    if isinstance(told, list):
        return [_counted(each) for each in told]
    if not isinstance(told, dict):
        return told
    rows = {key: _counted(each) for key, each in bare(told).items()}
    return {key: each for key, each in rows.items() if each not in (0, "") or each is False}


def plain(told: Any) -> str:
    return json.dumps(told, sort_keys=True, default=str)


def _policy(told: Mapping[str, Any]) -> Any:
    row = overrides.KINDS[told["apiVersion"], told["kind"]]
    return row.strip(msgspec.convert(told, row.shape))


def _clusters(told: Mapping[str, Any]) -> Clusters:
    return propagation.clusters(msgspec.convert(told, propagation.Clusters))


def member(cluster: Mapping[str, Any]) -> matching.Member:
    meta, spec = cluster["metadata"], cluster["spec"]
    return matching.Member(
        meta["name"],
        labels=meta["labels"],
        provider=spec["provider"],
        region=spec["region"],
        zones=tuple(spec["zones"]),
    )


def _override(vector: Vector) -> Any:
    told: list[Override] = [_policy(each) for each in (*vector.get("cops", ()), *vector.get("ops", ()))]
    chosen = choice.overrides(vector["object"], told)
    made = changes.overridden(vector["object"], chosen, member(vector["cluster"]))
    return {"applied": list(made.applied) or None, "object": made.item}


def _static(vector: Vector) -> Any:
    members = [member(each) for each in vector["clusters"]]
    rows = (vector.get("weights") or {}).get("staticWeightList") or ()
    weights = [(_clusters(each["targetCluster"]), each["weight"]) for each in rows]
    return division.static(vector["replicas"], members, weights, vector["uid"])


def _assigned(vector: Vector) -> Any:
    """By what there is room for."""
    told = msgspec.convert(vector["placement"]["replicaScheduling"], propagation._Scheduling)
    load = division.Load(vector["replicas"], vector["uid"], vector["before"], vector["room"])
    made = division.divided(propagation._division(told), load, [member(each) for each in vector["clusters"]])
    return {name: count for name, count in made.replicas.items() if count}


def _spread(vector: Vector) -> Any:
    """Who gets an object that has so many replicas."""
    told = msgspec.convert(vector["placement"], propagation._Placement)
    meta = {"name": "x", "namespace": "prod", "uid": vector["uid"]}
    found = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {}}
    found["spec"] = {"replicas": vector["replicas"]}
    load = schedule.Load(frozenset(vector["before"]), vector["before"], vector["room"])
    members = [member(each) for each in vector["clusters"]]
    made = schedule.decided(found, propagation._placement(told)[0], members, load)
    if made.error:
        raise changes.Impossible(made.error)
    few = {name for name, why in made.stopped.items() if "get" in why or "replicas" in why}
    return sorted({*made.replicas, *few})


def _chosen(vector: Vector) -> Any:
    found: dict[str, list[Propagation]] = {
        kind: [_policy(each) for each in vector[kind]] for kind in ("pps", "cpps")
    }
    best = {kind[:-1]: choice.policy(vector["object"], told) for kind, told in found.items()}
    return {kind: each and each.policy.name for kind, each in best.items()}


def _rank(vector: Vector) -> Any:
    told = msgspec.convert(vector["selector"], propagation.Resources)
    return matching.rank(vector["object"], propagation.resources(told, ""))


def _companions(vector: Vector) -> Any:
    found = []
    for each in companions.of(vector["object"]):
        row: dict[str, Any] = {
            "apiVersion": each.api_version,
            "kind": each.kind,
            "namespace": each.namespace,
            "name": each.name,
        }
        labels = {"labelSelector": {"matchLabels": dict(each.labels)}} if each.labels else {}
        found.append({key: value for key, value in (row | labels).items() if value})
    return found or None


def _union(vector: Vector) -> Any:
    """As it stands in the fleet then: what is not applied stays, where Karmada leaves it too."""
    told = [union.Told(each["clusterName"], each.get("status")) for each in vector["items"]]
    kind, before = pod.kind(vector["object"]), vector["object"].get("status") or {}
    others = {name: each for name, each in before.items() if name not in union.empty(kind)}
    return {**(others if kind in union.WORKLOADS else {}), **union.status(vector["object"], told)}


KINDS: Mapping[str, Callable[[Vector], Any]] = {
    "override": _override,
    "static": _static,
    "assign": _assigned,
    "spread": _spread,
    "clusterMatch": lambda each: matching.selects(member(each["cluster"]), _clusters(each["affinity"])),
    "selector": _rank,
    "policy": _chosen,
    "prune": lambda each: template.pruned(each["object"]),
    "retain": lambda each: retention.retained(each["object"], each["observed"]),
    "aggregate": _union,
    "deps": _companions,
    "health": lambda each: fitness.fit(each["object"]),
    "revise": lambda each: pod.revised(each["object"], each["replicas"]),
    "replicas": lambda each: pod.replicas(each["object"]),
}
