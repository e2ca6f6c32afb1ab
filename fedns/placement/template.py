"""An object of the fleet as a template: without what one API server put into it for itself.

Law: pure. What is cut is a table by kind. Ports of nodes are cut too, since two clusters give them out
without knowing of each other; `fedns.io/keep-node-port: "true"` keeps them.
"""

from typing import Any

from fedns.placement import item

OURS = (
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
    "ownerReferences",
    "finalizers",
    "generateName",
)
"""Of the metadata: an API server fills them in."""
KEEP_PORTS = "fedns.io/keep-node-port"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
JOB_LABELS = (
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
)
BOUND = "pv.kubernetes.io/bound-by-controller"
"""A cluster has chosen the volume of a claim; without, whoever wrote the claim has."""
ANNOTATIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): (
        "deployment.kubernetes.io/revision",
        "deployment.kubernetes.io/revision-history",
    ),
    ("apps", "DaemonSet"): ("deprecated.daemonset.template.generation",),
    ("", "PersistentVolumeClaim"): (
        "volume.kubernetes.io/selected-node",
        "pv.kubernetes.io/bind-completed",
        BOUND,
    ),
}
TOKEN = "kubernetes.io/service-account-token"


def pruned(found: item.Item) -> dict[str, Any]:
    """A copy that can be sent to another cluster."""
    made = item.own(found)
    for field in OURS:
        item.drop(made, "metadata", field)
    made.pop("status", None)
    what = item.ref(found)
    cut = CUTS.get((what.group, what.kind))
    if cut:
        cut(made)
    for name in (APPLIED, *ANNOTATIONS.get((what.group, what.kind), ())):
        item.drop(made, "metadata", "annotations", name)
    return made


def _service(made: dict[str, Any]) -> None:
    if item.at(made, "spec", "clusterIP") not in (None, "None"):
        item.drop(made, "spec", "clusterIP")
        item.drop(made, "spec", "clusterIPs")
    if item.annotations(made).get(KEEP_PORTS) == "true":
        return
    item.drop(made, "spec", "healthCheckNodePort")
    for port in item.several(made, "spec", "ports"):
        if isinstance(port, dict):
            port.pop("nodePort", None)


def _job(made: dict[str, Any]) -> None:
    item.drop(made, "spec", "ttlSecondsAfterFinished")
    if item.at(made, "spec", "manualSelector"):
        return
    for name in JOB_LABELS:
        item.drop(made, "spec", "template", "metadata", "labels", name)
        if name.endswith("controller-uid"):
            item.drop(made, "spec", "selector", "matchLabels", name)


def _account(made: dict[str, Any]) -> None:
    prefix = f"{item.metadata(made).get('name')}-token-"
    secrets = item.several(made, "secrets")
    if secrets:
        made["secrets"] = [each for each in secrets if not str(item.at(each, "name")).startswith(prefix)]


def _secret(made: dict[str, Any]) -> None:
    if made.get("type") == TOKEN:
        item.drop(made, "metadata", "annotations", "kubernetes.io/service-account.uid")
        made.pop("data", None)


def _role(made: dict[str, Any]) -> None:
    """A controller gathers the rules of one that says from where."""
    if made.get("aggregationRule"):
        made.pop("rules", None)


def _claim(made: dict[str, Any]) -> None:
    if BOUND in item.annotations(made):
        item.drop(made, "spec", "volumeName")


CUTS = {
    ("", "Service"): _service,
    ("batch", "Job"): _job,
    ("", "ServiceAccount"): _account,
    ("", "Secret"): _secret,
    ("", "PersistentVolumeClaim"): _claim,
    ("rbac.authorization.k8s.io", "ClusterRole"): _role,
}
