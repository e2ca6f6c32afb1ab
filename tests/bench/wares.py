"""What a fleet distributes in a bench: applications of several teams, policies and overrides of many sorts.

Law: the same count gives the same objects, and every member gets all of them. An application is a Deployment,
its Service, its settings, and a Secret or an account in turn; each team is a namespace.
"""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

Object = dict[str, Any]
GROUP = "policy.karmada.io/v1alpha1"
TEAMS = 10
REGIONS = 5
MARK = "example.com/mark"
"""The annotation by which a change is known again in members."""
IMAGE = "registry.example.com/{team}/{name}:v1"


def space(team: int) -> str:
    return f"team-{team}"


def objects(count: int) -> list[Object]:
    """So many, namespaces among them."""
    spaces = [namespace(team) for team in range(TEAMS)]
    return [*spaces, *islice(_applications(), count - TEAMS)]


def namespace(team: int) -> Object:
    meta = {"name": space(team), "labels": {"example.com/team": str(team)}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def _applications() -> Iterator[Object]:
    for number, team in enumerate(cycle(range(TEAMS))):
        name = f"app-{number:04d}"
        yield deployment(team, name, number)
        yield service(team, name)
        yield settings(team, f"{name}-settings", number)
        yield account(team, name) if number // TEAMS % 2 else secret(team, f"{name}-key", number)


def about(team: int, name: str) -> Object:
    labels = {"app": name, "app.kubernetes.io/managed-by": "Helm", "example.com/team": str(team)}
    return {"name": name, "namespace": space(team), "labels": labels}


def deployment(team: int, name: str, number: int) -> Object:
    """Of about 1.7 kB. Whose replicas are divided has some for every member of a hundred."""
    image = IMAGE.format(team=space(team), name=name)
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "timeoutSeconds": 2}
    limits = {"cpu": "500m", "memory": "256Mi"}
    main = {
        "name": "main",
        "image": image,
        "args": ["--listen=:8080", "--log-level=info", f"--shard={number}"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "envFrom": [{"configMapRef": {"name": f"{name}-settings"}}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": limits},
        "readinessProbe": probe,
        "livenessProbe": {**probe, "failureThreshold": 6},
    }
    spec: Object = {"containers": [main], "terminationGracePeriodSeconds": 30}
    if number // TEAMS % 2:
        spec["serviceAccountName"] = name
    else:
        main["volumeMounts"] = [{"name": "key", "mountPath": "/var/run/key", "readOnly": True}]
        spec["volumes"] = [{"name": "key", "secret": {"secretName": f"{name}-key"}}]
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": about(team, name),
        "spec": {
            "replicas": 400 if team in DIVIDED else 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def service(team: int, name: str) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    spec = {"type": "LoadBalancer", "selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": about(team, name), "spec": spec}


def settings(team: int, name: str, number: int) -> Object:
    data = {"number": str(number), "settings.yaml": "".join(f"key-{at}: value-{at}\n" for at in range(30))}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about(team, name), "data": data}


def secret(team: int, name: str, number: int) -> Object:
    meta, data = about(team, name), {"key": "c2VjcmV0" * 8}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": data}


def account(team: int, name: str) -> Object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about(team, name)}


NEEDY, DIVIDED = (1, 3, 5, 7, 9), (3, 6)
"""Teams whose objects bring along what they need, and teams whose replicas are divided."""
OWN = ("apps/v1/Deployment", "v1/Service")
ALL = (*OWN, "v1/ConfigMap", "v1/Secret", "v1/ServiceAccount")


def policies() -> Iterator[Object]:
    """All that decide where the objects go, and how they differ there."""
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "labelSelector": _labels("example.com/team")}]
    yield _object("ClusterPropagationPolicy", "", "teams", {"resourceSelectors": spaces, "placement": {}})
    for team in range(TEAMS):
        needy, divided = team in NEEDY, team in DIVIDED
        placement: Object = {"clusterAffinity": {"labelSelector": _labels("tier")}}
        if divided:
            placement["replicaScheduling"] = division()
        spec = {
            "resourceSelectors": [_selector(kind) for kind in (OWN if needy else ALL)],
            "placement": placement,
            "propagateDeps": needy,
        }
        yield _object("PropagationPolicy", space(team), "all", spec)
        yield _object("OverridePolicy", space(team), "labels", labelled(team))
    yield _object("ClusterOverridePolicy", "", "registries", registries())
    yield release("v1")


def release(tag: str) -> Object:
    """The version of all applications, everywhere."""
    change = {"component": "Tag", "operator": "replace", "value": tag}
    rule = {"overriders": {"imageOverrider": [change]}}
    spec = {"resourceSelectors": [_selector("apps/v1/Deployment")], "overrideRules": [rule]}
    return _object("ClusterOverridePolicy", "", "release", spec)


def registries() -> Object:
    """Images come from a registry of the region."""
    rules = [
        {
            "targetCluster": {"labelSelector": {"matchLabels": {"region": f"region-{region}"}}},
            "overriders": {
                "imageOverrider": [
                    {
                        "component": "Registry",
                        "operator": "replace",
                        "value": f"registry-{region}.example.com",
                    }
                ]
            },
        }
        for region in range(1, REGIONS)
    ]
    return {"resourceSelectors": [_selector("apps/v1/Deployment")], "overrideRules": rules}


def labelled(team: int) -> Object:
    """Settings are another thing where something new is tried."""
    patch = [{"path": "/data/canary", "operator": "add", "value": "true"}]
    over = {"labelsOverrider": [{"operator": "add", "value": {"canary": str(team)}}], "plaintext": patch}
    rule = {"targetCluster": {"labelSelector": {"matchLabels": {"tier": "canary"}}}, "overriders": over}
    return {"resourceSelectors": [_selector("v1/ConfigMap")], "overrideRules": [rule]}


def division() -> Object:
    """The first region takes twice as many."""
    rows = [
        {"targetCluster": {"labelSelector": {"matchLabels": {"region": f"region-{each}"}}}, "weight": weight}
        for each, weight in enumerate([2] + [1] * (REGIONS - 1))
    ]
    weights = {"staticWeightList": rows}
    told = {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted"}
    return {**told, "weightPreference": weights}


def marked(found: Object, mark: str) -> Object:
    """The same with something else in it, and the mark of that."""
    meta = {**found["metadata"], "annotations": {MARK: mark}}
    return {**found, "metadata": meta}


def _labels(key: str) -> Object:
    return {"matchExpressions": [{"key": key, "operator": "Exists"}]}


def _selector(kind: str) -> Object:
    return dict(zip(("apiVersion", "kind"), kind.rsplit("/", 1), strict=True))


def _object(kind: str, namespace: str, name: str, spec: Object) -> Object:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": GROUP, "kind": kind, "metadata": meta, "spec": spec}
