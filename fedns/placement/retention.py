"""What stays a member's own in an object that is written there again.

Law: pure. Metadata that came from the member stays, but for keys that were propagated once and no longer are.
A table by kind says which fields the member gives out or its controllers fill in.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fedns.placement import item, pod

RETAIN_REPLICAS = "resourcetemplate.karmada.io/retain-replicas"
MANAGED = {
    "labels": "resourcetemplate.karmada.io/managed-labels",
    "annotations": "resourcetemplate.karmada.io/managed-annotations",
}
"""Where Karmada keeps the keys that it propagated."""
KEPT = ("resourceVersion", "finalizers", "ownerReferences")


def kept(wanted: item.Item, there: item.Item) -> dict[str, Any]:
    """What is wanted, with the fields that its kind leaves to the member."""
    made = item.own(wanted)
    rule = RULES.get(pod.kind(wanted))
    if rule:
        rule(made, there)
    return made


def retained(wanted: item.Item, there: item.Item) -> dict[str, Any]:
    """What replaces what is there: what is wanted, with all that the member keeps."""
    made = kept(wanted, there)
    for field in KEPT:
        if item.metadata(there).get(field) is not None:
            item.put(made, item.metadata(there)[field], "metadata", field)
    for field in MANAGED:
        _merge(made, there, field)
    return made


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
    own = {item.at(each, "name") for each in item.several(made, "secrets")}
    more = [each for each in item.several(there, "secrets") if item.at(each, "name") not in own]
    if more:
        made["secrets"] = [*item.several(made, "secrets"), *more]


def _job(made: dict[str, Any], there: item.Item) -> None:
    _keep("spec", "selector", "matchLabels")(made, there)
    _keep("spec", "template", "metadata", "labels")(made, there)


def _pod(made: dict[str, Any], there: item.Item) -> None:
    for field in ("nodeName", "serviceAccountName", "volumes"):
        _keep("spec", field)(made, there)
    for field in ("containers", "initContainers"):
        mounts = {each.get("name"): each.get("volumeMounts") for each in item.several(there, "spec", field)}
        for each in item.several(made, "spec", field):
            if mounts.get(each.get("name")):
                each["volumeMounts"] = mounts[each.get("name")]


def _scaled(made: dict[str, Any], there: item.Item) -> None:
    told, field = item.labels(made).get(RETAIN_REPLICAS), pod.REPLICAS[pod.kind(made)]
    if told == "true" and item.at(there, "spec", field) is not None:
        item.put(made, item.at(there, "spec", field), "spec", field)


RULES: dict[tuple[str, str], Callable[[dict[str, Any], item.Item], None]] = {
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "ServiceAccount"): _account,
    ("", "PersistentVolumeClaim"): _keep("spec", "volumeName"),
    ("", "PersistentVolume"): _keep("spec", "claimRef"),
    ("batch", "Job"): _job,
    ("apps", "Deployment"): _scaled,
    ("apps", "ReplicaSet"): _scaled,
    ("apps", "StatefulSet"): _scaled,
}
