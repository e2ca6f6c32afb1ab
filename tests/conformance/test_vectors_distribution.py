"""Outside vectors of distribution: what Karmada's own code made of policies and objects; KubeFed's selection.

The vectors that differ by design stand in `distribution_deviations.json` with the reason, and must differ.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fedns.model.propagation import Clusters, Override, Propagation
from fedns.placement import (
    changes,
    choice,
    companions,
    division,
    fitness,
    legacy,
    matching,
    pod,
    retention,
    template,
    union,
)
from fedns.sources import overrides, propagation
from tests.conformance import vectors

_DEVIATIONS: dict[str, str] = {
    name: group["reason"]
    for group in json.loads((Path(__file__).parent / "distribution_deviations.json").read_text())
    for name in group["vectors"]
}
_GOLDEN: list[dict[str, Any]] = vectors.load("karmada_golden")  # type: ignore[assignment]
_KUBEFED = vectors.load("kubefed_placement")["vectors"]
_BAD = (changes.Impossible, legacy.Unreadable)


def _policy(told: dict[str, Any]) -> Any:
    row = overrides.KINDS[told["apiVersion"], told["kind"]]
    return row.strip(msgspec.convert(told, row.shape))


def _clusters(told: dict[str, Any]) -> Clusters:
    return propagation.clusters(msgspec.convert(told, propagation.Clusters))


def _member(cluster: dict[str, Any]) -> matching.Member:
    meta, spec = cluster["metadata"], cluster["spec"]
    return matching.Member(
        meta["name"],
        labels=meta["labels"],
        provider=spec["provider"],
        region=spec["region"],
        zones=tuple(spec["zones"]),
    )


def _override(vector: dict[str, Any]) -> Any:
    told: list[Override] = [_policy(each) for each in (*vector.get("cops", ()), *vector.get("ops", ()))]
    chosen = choice.overrides(vector["object"], told)
    made = changes.overridden(vector["object"], chosen, _member(vector["cluster"]))
    return {"applied": list(made.applied) or None, "object": made.item}


def _static(vector: dict[str, Any]) -> Any:
    members = [_member(each) for each in vector["clusters"]]
    rows = vector.get("weights", {}).get("staticWeightList") or ()
    weights = [(_clusters(each["targetCluster"]), each["weight"]) for each in rows]
    return division.static(vector["replicas"], members, weights, vector["uid"])


def _chosen(vector: dict[str, Any]) -> Any:
    found: dict[str, list[Propagation]] = {
        kind: [_policy(each) for each in vector[kind]] for kind in ("pps", "cpps")
    }
    best = {kind[:-1]: choice.policy(vector["object"], told) for kind, told in found.items()}
    return {kind: each and each.policy.name for kind, each in best.items()}


def _rank(vector: dict[str, Any]) -> Any:
    told = msgspec.convert(vector["selector"], propagation.Resources)
    return matching.rank(vector["object"], propagation.resources(told, ""))


def _companions(vector: dict[str, Any]) -> Any:
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
    return sorted(found, key=str) or None


def _union(vector: dict[str, Any]) -> Any:
    told = [union.Told(each["clusterName"], each.get("status")) for each in vector["items"]]
    return union.status(vector["object"], told)


KINDS: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "override": _override,
    "static": _static,
    "clusterMatch": lambda each: matching.selects(_member(each["cluster"]), _clusters(each["affinity"])),
    "selector": _rank,
    "policy": _chosen,
    "prune": lambda each: template.pruned(each["object"]),
    "retain": lambda each: retention.retained(each["object"], each["observed"]),
    "aggregate": _union,
    "deps": _companions,
    "health": lambda each: fitness.fit(each["object"]),
    "revise": lambda each: pod.revised(each["object"], each["replicas"]),
}


def _outcome(vector: dict[str, Any]) -> Any:
    try:
        return KINDS[vector["kind"]](vector)
    except _BAD as error:
        return error


def _agrees(vector: dict[str, Any], found: Any) -> bool:
    if vector.get("error") and not vector["error"].startswith("generic-only"):
        return isinstance(found, _BAD)
    want = sorted(vector["want"] or (), key=str) or None if vector["kind"] == "deps" else vector["want"]
    return bool(found == want)


@pytest.mark.parametrize(
    "vector", [pytest.param(each, id=f"{each['kind']}/{each['name']}") for each in _GOLDEN]
)
def test_karmada(vector: dict[str, Any]) -> None:
    found, reason = _outcome(vector), _DEVIATIONS.get(f"{vector['kind']}/{vector['name']}")
    agrees = _agrees(vector, found)
    assert agrees is (reason is None), (reason, found)


@pytest.mark.parametrize("vector", [pytest.param(each, id=each["id"]) for each in _KUBEFED])
def test_kubefed_and_federation_v1(vector: dict[str, Any]) -> None:
    if "clusters" in vector:
        members = [matching.Member(each["name"], labels=each["labels"]) for each in vector["clusters"]]
        found = legacy.selected(members, vector.get("clusterNames"), vector.get("clusterSelector"))
        assert found == vector["expectedNames"]
        return
    text, expect = vector["selector_annotation"][0], vector["expect"]
    member = matching.Member("m", labels=vector["cluster_labels"])
    if expect["error"]:
        with pytest.raises(legacy.Unreadable):
            legacy.annotated(member, text)
    else:
        assert legacy.annotated(member, text) is expect["match"]


def test_every_deviation_is_of_a_vector_that_is_there() -> None:
    known = {f"{each['kind']}/{each['name']}" for each in _GOLDEN}
    assert set(_DEVIATIONS) <= known
