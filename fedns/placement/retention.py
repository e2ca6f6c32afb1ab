"""What stays a member's own in an object that is written there again.

Law: pure. Metadata that came from the member stays, but for keys that were propagated once and no longer are.
A table by kind says which fields the member gives out or its controllers fill in.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fedns.placement import item, pod, template

RETAIN_REPLICAS = "resourcetemplate.karmada.io/retain-replicas"
MANAGED = {
    "labels": "resourcetemplate.karmada.io/managed-labels",
    "annotations": "resourcetemplate.karmada.io/managed-annotations",
}
"""Where Karmada keeps the keys that it propagated."""
KEPT = ("resourceVersion", "finalizers", "ownerReferences")


def kept(wanted: item.Item, there: item.Item) -> item.Item:
    """What is wanted, with the fields that its kind leaves to the member: itself, where it leaves none."""
    rule = RULES.get(pod.kind(wanted))
    if rule is None or (rule is _scaled and item.labels(wanted).get(RETAIN_REPLICAS) != "true"):
        return wanted
    made = dict(wanted)
    if isinstance(made.get("spec"), dict):
        made["spec"] = item.own(made["spec"])  # elsewhere no rule changes anything deeper
    rule(made, there)
    return made


def retained(wanted: item.Item, there: item.Item) -> item.Item:
    """What replaces what is there: what is wanted, with all that the member keeps."""
    made = item.own(wanted)
    for field in KEPT:
        if item.metadata(there).get(field) is not None:
            item.put(made, item.metadata(there)[field], "metadata", field)
    for field in MANAGED:
        _merge(made, there, field)
    return kept(made, there)


def _merge(made: dict[str, Any], there: item.Item, field: str) -> None:
    before: Mapping[str, str] = item.metadata(there).get(field) or {}
    gone = set(item.annotations(there).get(MANAGED[field], "").split(",")) if before else set()
    wanted: Mapping[str, str] = item.metadata(made).get(field) or {}
    merged = {key: value for key, value in before.items() if key not in gone} | dict(wanted)
    if merged:
        item.put(made, merged, "metadata", field)


def _keep(*path: str) -> Callable[[dict[str, Any], item.Item], None]:
    def rule(made: dict[str, Any], there: item.Item) -> None:
        value = item.at(there, *path)
        if value:
            item.put(made, value, *path)

    return rule


def _service(made: dict[str, Any], there: item.Item) -> None:
    for field in ("clusterIP", "healthCheckNodePort"):
        _keep("spec", field)(made, there)


def _account(made: dict[str, Any], there: item.Item) -> None:
    for field in ("secrets", "imagePullSecrets"):
        rows = item.several(made, field)
        own = {str(item.at(each, "name")) for each in rows}
        more: dict[str, dict[str, Any]] = {}
        for each in item.several(there, field):
            more.setdefault(str(item.at(each, "name")), each)
        added = [each for name, each in more.items() if name not in own]
        if added:
            made[field] = [*rows, *added]


def _secret(made: dict[str, Any], there: item.Item) -> None:
    """A token is given out in the member."""
    if made.get("type") == template.TOKEN and isinstance(there.get("data"), dict):
        made["data"] = there["data"]


def _job(made: dict[str, Any], there: item.Item) -> None:
    for path in (("spec", "selector", "matchLabels"), ("spec", "template", "metadata", "labels")):
        if item.at(there, *path) is not None:
            item.put(made, item.at(there, *path), *path)


def _pod(made: dict[str, Any], there: item.Item) -> None:
    """A pod's admission and its scheduler fill these in, or leave them empty; they cannot be changed."""
    spec = made.setdefault("spec", {})
    if not isinstance(spec, dict):
        return  # the API server has words for that
    for field in ("nodeName", "serviceAccountName", "volumes"):
        _take(spec, item.at(there, "spec"), field)
    for field in ("containers", "initContainers"):
        others = {each.get("name"): each for each in item.several(there, "spec", field)}
        for each in item.several(made, "spec", field):
            if each.get("name") in others:
                _take(each, others[each.get("name")], "volumeMounts")


def _take(made: dict[str, Any], there: Any, field: str) -> None:
    made.pop(field, None)
    if item.at(there, field):
        made[field] = there[field]


def _scaled(made: dict[str, Any], there: item.Item) -> None:
    """Of what is labelled so."""
    field = pod.REPLICAS[pod.kind(made)]
    if item.at(there, "spec", field) is not None:
        item.put(made, item.at(there, "spec", field), "spec", field)


RULES: dict[tuple[str, str], Callable[[dict[str, Any], item.Item], None]] = {
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "ServiceAccount"): _account,
    ("", "Secret"): _secret,
    ("", "PersistentVolumeClaim"): _keep("spec", "volumeName"),
    ("", "PersistentVolume"): _keep("spec", "claimRef"),
    ("batch", "Job"): _job,
    ("apps", "Deployment"): _scaled,
    ("apps", "ReplicaSet"): _scaled,
    ("apps", "StatefulSet"): _scaled,
    (pod.KRUISE, "CloneSet"): _scaled,
    (pod.KRUISE, "StatefulSet"): _scaled,
}
