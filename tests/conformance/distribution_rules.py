"""Where fedns says something else than Karmada on purpose: rules, so that unseen cases are judged too.

Law: a rule says of a case and of what fedns makes of it whether it is why they differ, as narrowly as it can.
The reasons stand in `distribution_deviations.json`, by the names of the rules.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fedns.placement import changes, item, pod, retention, template, union
from fedns.sources import objects
from tests.conformance import distribution
from tests.conformance.distribution import Vector

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "distribution_deviations.json").read_text())


def deviation(vector: Vector, found: Any) -> str:
    """The rule by which fedns says something else; empty: there is none."""
    return next((name for name, rule in RULES.items() if rule(vector, found)), "")


def _refused(found: Any, words: str) -> bool:
    return isinstance(found, changes.Impossible) and words in str(found)


def _digest(vector: Vector, found: Any) -> bool:
    """Without the digests that stand beside a tag it is what Karmada says."""
    told, want = distribution.plain(found), distribution.plain(vector["want"])
    return (
        vector["kind"] == "override" and _undigested(told) == _undigested(want) and told != _undigested(told)
    )


def _undigested(text: str) -> str:
    return re.sub(r"(:\w[\w.-]{0,127})@sha256:[0-9a-f]{64}", r"\1", text, flags=re.ASCII)


def _paths(told: Any) -> Iterator[str]:
    """Of all patches of a policy."""
    for key, each in (
        told.items() if isinstance(told, dict) else enumerate(told if isinstance(told, list) else ())
    ):
        if key in ("path", "subPath", "fieldPath"):
            yield str(each)
        yield from _paths(each)


def _pointer(vector: Vector, found: Any) -> bool:
    told = [*vector.get("ops", ()), *vector.get("cops", ())]
    if re.match(r"failed to obtain imageValue with predicate path\(.*~", vector.get("error") or ""):
        return True  # which Karmada does not read as a pointer
    return isinstance(found, distribution.REFUSALS) and any(LOOSE.search(each) for each in _paths(told))


def _document(vector: Vector, found: Any) -> bool:
    """A patch puts something else in the place of a whole text, for a while or for good."""
    whole = "" in _paths([*vector.get("ops", ()), *vector.get("cops", ())])
    odd = re.match(r"json: |replace operation value must be object or array", vector.get("error") or "")
    return whole and (bool(odd) or _refused(found, "is neither a map nor a list"))


def _relabelled(vector: Vector, found: Any) -> bool:
    """A cluster's policy changes what a namespace's policy selects by."""
    rules = [distribution.plain(each["spec"]) for each in vector.get("cops", ())]
    changed = any("labelsOverrider" in each or "/metadata" in each for each in rules)
    selectors = [row for each in vector.get("ops", ()) for row in each["spec"].get("resourceSelectors") or ()]
    return changed and any("labelSelector" in each for each in selectors)


def _shapeless(vector: Vector, found: Any) -> bool:
    """An object that Go's types cannot hold."""
    return bool(re.match("failed to convert|failed to retrieves path", vector.get("error") or ""))


def _unserved(vector: Vector, found: Any) -> bool:
    """An object of a directory: no API server has filled in its replicas."""
    if vector["kind"] not in ("revise", "replicas", "retain"):
        return False
    told = vector.get("observed") or vector["object"]
    field = pod.REPLICAS.get(pod.kind(told))
    return field is not None and item.number(told, "spec", field) is None


def _scaled(vector: Vector, found: Any) -> bool:
    """Replicas are left to the member in every kind that has them, where a label asks for it."""
    kinds = (("apps", "StatefulSet"), ("apps", "ReplicaSet"))
    error = vector.get("error") or ""
    told = item.at(found, "metadata", "labels", retention.RETAIN_REPLICAS)
    return error.startswith("generic-only") and told == "true" and pod.kind(vector["object"]) in kinds


def _behind(vector: Vector, found: Any) -> bool:
    """Nothing but the generation that all members have reached."""
    if vector["kind"] != "aggregate" or pod.kind(vector["object"]) not in union.WORKLOADS:
        return False
    told, want = ({**each, union.OBSERVED: 0} for each in (found, vector["want"] or {}))
    return distribution.same("aggregate", want, told)


def _worded(vector: Vector, found: Any) -> bool:
    """Nothing but the words about how a job ended, and what newer servers want to be told beside."""
    if vector["kind"] != "aggregate" or pod.kind(vector["object"]) != union.JOB:
        return False
    earlier = [each[1] for each in union.ENDS]
    ends = (sorted(row["type"] for row in each.get("conditions") or () if row["type"] not in earlier)
            for each in (found, vector["want"]))  # fmt: skip
    told, want = ({**each, "conditions": next(ends)} for each in (found, vector["want"]))
    return distribution.same("aggregate", want, told)


def _unended(vector: Vector, found: Any) -> bool:
    """Nothing but that the end of a job is not told while some of it runs, or has not begun."""
    if vector["kind"] != "aggregate" or pod.kind(vector["object"]) != union.JOB:
        return False
    over = "startTime" in found and not found.get("active")
    want = {name: each for name, each in vector["want"].items() if name != "conditions"}
    return not over and distribution.same("aggregate", want, found)


def _many(vector: Vector, found: Any) -> bool:
    """More regions than the fewest that there may be."""
    told = vector["placement"].get("spreadConstraints") or () if vector["kind"] == "spread" else ()
    wide = any(each.get("spreadByField") == "region" and _most(each) > _least(each) for each in told)
    if not wide or not isinstance(found, list):
        return False
    places = {each["metadata"]["name"]: each["spec"]["region"] for each in vector["clusters"]}
    ours, theirs = ({places[name] for name in names} for names in (found, vector["want"] or ()))
    return len(ours) > len(theirs)


def _least(constraint: Mapping[str, Any]) -> int:
    return constraint.get("minGroups") or 1


def _most(constraint: Mapping[str, Any]) -> int:
    return constraint.get("maxGroups") or 1 << 30


def _beside(vector: Vector, found: Any) -> bool:
    """Fewer members by constraints that stand beside fixed weights."""
    if vector["kind"] != "spread":
        return False
    scheduling = vector["placement"].get("replicaScheduling") or {}
    preference = scheduling.get("weightPreference") or {}
    fixed = scheduling.get("replicaSchedulingType") == "Divided" and not preference.get("dynamicWeight")
    fewer = isinstance(found, list) and set(found) < set(vector["want"] or ())
    return fixed and fewer and scheduling.get("replicaDivisionPreference", "Weighted") == "Weighted"


LOOSE = re.compile(r"^[^/]|~(?![01])|/(/|$)")
"""A pointer that RFC 6901 does not know, or with an empty word in it."""
RULES: Mapping[str, Callable[[Vector, Any], bool]] = {
    "repository": lambda _, found: _refused(found, "without its repository is none"),
    "digest": _digest,
    "behind": _behind,
    "words": _worded,
    "unended": _unended,
    "many": _many,
    "beside": _beside,
    "identity": lambda _, found: _refused(found, "it would change "),
    "pointer": _pointer,
    "relabelled": _relabelled,
    "shape": _shapeless,
    "admission": lambda _, found: (
        isinstance(found, objects.WrongShape)
        and str(found).endswith(("fieldSelector`", "predicate`", "].value`"))
    ),
    "document": _document,
    "cut": lambda vector, found: (
        vector["kind"] == "prune"
        and distribution.bare(template.pruned(vector["want"])) == distribution.bare(found)
    ),
    "unserved": _unserved,
    "short": lambda vector, _: (
        "replicas" in vector
        and bool(re.search("are not enough to schedule|no enough resource when", vector.get("error") or ""))
    ),
    "scaled": _scaled,
    "unnamed": lambda vector, _: "dependency can not leave name" in (vector.get("error") or ""),
    "partition": lambda vector, _: bool(
        vector["kind"] == "health" and item.at(vector["object"], "spec", "updateStrategy")
    ),
}
