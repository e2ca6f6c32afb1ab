"""What policies take of rights, on real API servers: with what `fedns rbac` prints all works, none of it is
unused, and what is missing is told with the command that prints it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.control import depots
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import copies, fleets, world

Object = dict[str, Any]
Used = set[tuple[str, str, str]]
MERGE = "merge-patch+json"
COPY = ("Deployment", "Service", "Secret", "ConfigMap", "ServiceAccount", "PersistentVolumeClaim")
FRESH, NGINX = "fresh", depots.service("fresh")
"""A namespace that no member has, and what is in it."""
OTHERWISE = {"list", "create"}
"""Verbs that the audit log calls otherwise: lists are streamed, and what an apply makes is a patch."""


def named(kind: str, name: str, **more: Any) -> Object:
    meta = {"name": name, "namespace": clusters.NAMESPACE}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, **more}


def fresh(one: Object) -> Object:
    return {**one, "metadata": {**one["metadata"], "namespace": FRESH}}


def workload(name: str) -> tuple[Object, ...]:
    """A Deployment, all that it needs, and its Service."""
    web = depots.deployment(name, 3)
    web["spec"]["template"]["spec"] |= {
        "serviceAccountName": name,
        "volumes": [
            {"name": "a", "configMap": {"name": name}},
            {"name": "b", "secret": {"secretName": name}},
            {"name": "c", "persistentVolumeClaim": {"claimName": name}},
        ],
    }
    storage = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    needs = [named(kind, name) for kind in ("Secret", "ConfigMap", "ServiceAccount")]
    return (*needs, named("PersistentVolumeClaim", name, spec=storage), web, depots.service(name))


def scaler(name: str) -> Object:
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "maxReplicas": 9}
    found = named("HorizontalPodAutoscaler", name, spec=spec)
    return {**found, "apiVersion": "autoscaling/v2"}


def printed(fleet: fleets.Fleet, *words: str) -> dict[str, list[Object]]:
    """What `fedns rbac` prints, by cluster."""
    command = [*world.FEDNS, "rbac", "--config", str(fleet.config), "-o", "json", *words]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["clusters"]
    return {name: one["objects"] for one in told for name in one["cluster"]}


def given(objects: list[Object], role: str) -> Used:
    """By a ClusterRole, all over the cluster."""
    roles = (one for one in objects if (one["kind"], one["metadata"]["name"]) == ("ClusterRole", role))
    rules = [rule for one in roles for rule in one["rules"] if "resourceNames" not in rule]
    return {(rule["apiGroups"][0], rule["resources"][0], verb) for rule in rules for verb in rule["verbs"]}


class Stage:
    """`one` may get copies, `two` may not; nobody may more than was printed."""

    def __init__(self, root: Path, farm: clusters.Farm) -> None:
        self.farm, self.fleet = farm, fleets.Fleet(root, farm)
        farm.fleet.define(*fleets.DEFINITIONS, *fleets.POLICIES)
        self.fleet.fleet = "kubeconfig: fleet.kubeconfig, distribute: true"
        self.fleet.write_config()
        kinds = ("apps/v1/Deployment", "v1/Service")
        placement = {
            "clusterAffinity": {"clusterNames": ["one"]},
            "replicaScheduling": {"replicaDivisionPreference": "Aggregated"},
        }
        more = {"propagateDeps": True, "placement": placement}
        farm.fleet.put(depots.policy("p", *kinds, **more))
        farm.fleet.put(kubecluster.namespace(FRESH), *map(fresh, (depots.policy("p", *kinds, **more), NGINX)))
        self.base = printed(self.fleet)
        self.more = printed(self.fleet, "--for-policies", "fleet")
        for cluster in farm.clusters:
            cluster.put(kubecluster.node("n1", "r", "z"))
            cluster.put(*self.base[cluster.name], *self.more.get(cluster.name, ()))
            name = "fedns" if cluster.name == "fleet" else "fedns-reader"
            cluster.kubeconfig(root / f"{cluster.name}.kubeconfig", cluster.token(name, "fedns"))

    @contextmanager
    def serving(self) -> Iterator[world.Served]:
        with world.serve(self.fleet) as served:
            world.until(lambda: served.up() and served.api("/api/v1/status")["writer"]["held"], "it writes")
            yield served

    @contextmanager
    def without(self, cluster: clusters.Cluster, verb: str) -> Iterator[list[str]]:
        """As if one verb had not been printed; the resources for which it was."""
        (role,) = (each for each in self.more[cluster.name] if each["kind"] == "ClusterRole")
        left = [{**rule, "verbs": [each for each in rule["verbs"] if each != verb]} for rule in role["rules"]]
        cluster.put({**role, "rules": [rule for rule in left if rule["verbs"]]})
        lost = [rule for rule in role["rules"] if verb in rule["verbs"]]
        user = f"system:serviceaccount:fedns:{'fedns' if cluster.name == 'fleet' else 'fedns-reader'}"
        for rule in lost:
            world.until(lambda rule=rule: not allowed(cluster, user, rule, verb), "it is taken away")
        yield sorted(rule["resources"][0] for rule in lost)
        cluster.put(role)


def allowed(cluster: clusters.Cluster, user: str, rule: Object, verb: str) -> bool:
    """Whether a user may do what one rule says."""
    plural, _, part = rule["resources"][0].partition("/")
    asked = {"group": rule["apiGroups"][0], "resource": plural, "subresource": part, "verb": verb}
    api = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    spec = {"user": user, "resourceAttributes": asked}
    found = cluster.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {**api, "spec": spec})
    return bool(found["status"]["allowed"])


@pytest.fixture
def stage(tmp_path: Path, farm: clusters.Farm) -> Iterator[Stage]:
    yield Stage(tmp_path, farm)
    for cluster in farm.clusters:  # no controller ends claims, and nobody else makes autoscalers
        for one in (scaler("web"), *workload("web"), *workload("late"), *workload("more")):
            cleared(cluster, one)


def cleared(cluster: clusters.Cluster, one: Object) -> None:
    try:
        if one["kind"] == "PersistentVolumeClaim":
            cluster.call("PATCH", clusters.path(one), {"metadata": {"finalizers": None}}, MERGE)
        cluster.delete(one)
    except clusters.Refused as refused:
        if refused.status != 404:
            raise


def states(served: world.Served) -> dict[str, str]:
    rows = served.api("/api/v1/copies?member=one")["items"]
    return {f"{one['kind']} {one['object'].rpartition('/')[2]}": one["state"] for one in rows}


def told(cluster: clusters.Cluster, one: Object, **status: Any) -> None:
    """A controller of the cluster tells how an object fares."""
    cluster.call("PATCH", f"{clusters.path(one)}/status", {"status": status}, MERGE)


def absent(cluster: clusters.Cluster, one: Object) -> bool:
    """Whether it is gone; what finalizers keep is let go, as controllers would."""
    try:
        if "deletionTimestamp" in cluster.get(one)["metadata"]:
            cluster.call("PATCH", clusters.path(one), {"metadata": {"finalizers": None}}, MERGE)
    except clusters.Refused as refused:
        return refused.status == 404
    return False


def test_with_the_printed_rights_all_works_and_none_of_them_is_unused(stage: Stage) -> None:
    hub, one = stage.farm.fleet, stage.farm.one
    assert stage.more.keys() == {"fleet", "one"}, "nobody else need grant anything"
    objects = workload("web")
    *_, claim, web, service = objects
    hub.put(*objects)
    with stage.serving() as served:
        everything = {f"{kind} web": "applied" for kind in COPY}
        everything |= {"Namespace fresh": "applied", "Service fresh": "applied"}
        world.until(lambda: everything.items() <= states(served).items(), "all of it is brought")
        told(one, service, loadBalancer={"ingress": [{"ip": "192.0.2.1"}]})
        told(one, web, replicas=3, readyReplicas=3)
        told(one, claim, phase="Bound")
        world.until(lambda: hub.get(web)["status"].get("readyReplicas") == 3, "statuses come back")
        world.until(lambda: hub.get(claim)["status"].get("phase") == "Bound", "of what goes along, too")
        world.until(lambda: hub.get(service)["status"]["loadBalancer"].get("ingress"), "and addresses")
        one.put(scaler("web"))
        one.call("PATCH", clusters.path(web), {"metadata": {"labels": {"app": "x"}}}, MERGE)
        world.until(lambda: handed(one.get(web)), "replicas are handed over")
        unrefused(stage.farm.two)  # a member that is to have nothing is asked for nothing
        assert "problem" not in planned(stage, "--server")

        hub.delete(*objects)
        world.until(
            lambda: not [each for each in objects if not absent(hub, each)], "nothing is left in the fleet"
        )

        def removed() -> bool:
            if "held" in states(served).values():  # most of all goes only when it is meant
                planned(stage, "--yes-really")
            return not [each for each in objects if not absent(one, each)]

        world.until(removed, "nor in the member", 90.0)
        assert "403" not in served.problems() and "cannot" not in served.problems()
        unrefused(hub, one)
        exact(stage)
        without_create(stage, served)


def planned(stage: Stage, *words: str) -> str:
    command = [*world.FEDNS, "plan", "--config", str(stage.fleet.config), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def handed(found: Object) -> bool:
    """Whether nobody of us says the replicas."""
    rows = [row for row in found["metadata"]["managedFields"] if row["manager"] == "fedns"]
    return bool(rows) and not any("f:replicas" in row["fieldsV1"].get("f:spec", {}) for row in rows)


def unrefused(*members: clusters.Cluster) -> None:
    """Nobody asked for what he may not."""
    for cluster in members:
        lines = [line for line in cluster.requests("system:serviceaccount:fedns:") if line.endswith(" 403")]
        assert not lines, (cluster.name, lines)


def exact(stage: Stage) -> None:
    """No verb of what was printed went unused."""
    for cluster, user in ((stage.farm.one, "fedns-reader"), (stage.farm.fleet, "serviceaccount:fedns:fedns")):
        role = "fedns-writer"
        asked = given(stage.more[cluster.name], role)
        unused = asked - cluster.used(user)
        assert {verb for _, _, verb in unused} <= OTHERWISE, (cluster.name, unused)
        twice = asked & {
            each for name in ("fedns", "fedns-reader") for each in given(stage.base[cluster.name], name)
        }
        assert not twice, twice


def without_create(stage: Stage, served: world.Served) -> None:
    """Without one verb nothing new comes, and it is said whose right is missing and what prints it."""
    one = stage.farm.one
    (role,) = (each for each in stage.more["one"] if each["kind"] == "ClusterRole")
    for rule in role["rules"]:
        rule["verbs"] = [verb for verb in rule["verbs"] if verb != "create"]
    one.put(role)
    stage.farm.fleet.put(*workload("late"))
    for kind in COPY:
        plural = f"{kind.lower()}s"
        world.until(lambda plural=plural: f'cannot create resource "{plural}"' in served.problems(), kind)
    hints = {each["hint"] for each in served.api("/api/v1/problems")["items"]}
    assert "`fedns rbac --for-policies fleet` prints the rights it takes" in hints
    assert 'cannot create resource "services"' in served.fedns("status").stdout.replace("\n", " ")


def later(name: str) -> list[Object]:
    """Something new of every kind that is made; the namespace of some of it is called as it is."""
    kinds = ("apps/v1/Deployment", "v1/Service")
    policy, service = depots.policy("p", *kinds, members=("one",)), depots.service(name)
    inside = ({**each, "metadata": {**each["metadata"], "namespace": name}} for each in (policy, service))
    return [kubecluster.namespace(name), *workload(name), *inside]


def marked(one: Object, text: str) -> Object:
    meta = one["metadata"]
    return {**one, "metadata": {**meta, "annotations": {"example.org/said": text}}}


def words(served: world.Served) -> str:
    return "\n".join(each["what"] for each in served.api("/api/v1/copies?member=one")["items"])


def named_in(text: str, verb: str, plurals: list[str]) -> list[str]:
    """Those of which it is not said that this verb is missing."""
    return [each for each in plurals if f'cannot {verb} resource "{each}"' not in text]


@pytest.mark.timeout(300)
def test_without_any_one_of_them_something_fails_and_is_told(stage: Stage) -> None:
    hub, one = stage.farm.fleet, stage.farm.one
    hub.put(*workload("web"))
    made = [kubecluster.namespace(FRESH), fresh(NGINX), *workload("web")]
    with stage.serving() as served:
        everything = {f"{each['kind']} {each['metadata']['name']}": "applied" for each in made}
        world.until(lambda: everything.items() <= states(served).items(), "all of it is brought")
        for cluster in (one, hub):
            with stage.without(cluster, "list") as plurals:
                command = [*world.FEDNS, "plan", "--config", str(stage.fleet.config)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert not named_in(done.stdout + done.stderr, "list", plurals), done.stdout + done.stderr

        def refused(verb: str, plurals: list[str]) -> None:
            world.until(lambda: not named_in(words(served), verb, plurals), f"{verb}: {plurals}", 40.0)

        with stage.without(one, "patch") as plurals:
            hub.put(*(marked(each, "x") for each in made))
            refused("patch", plurals)
        for verb, name in (("create", "late"), ("get", "more")):
            with stage.without(one, verb) as plurals:
                hub.put(*later(name))
                refused(verb, plurals)
        world.until(lambda: set(states(served).values()) == {"applied"}, "all is brought", 90.0)
        with stage.without(one, "delete") as plurals:
            hub.delete(*workload("more"))
            for each in workload("more"):
                world.until(lambda each=each: absent(hub, each), "gone from the fleet")
            refused("delete", plurals)
        with stage.without(hub, "patch") as parts:
            told(one, workload("web")[-1], loadBalancer={"ingress": [{"ip": "192.0.2.1"}]})
            told(one, workload("web")[-2], replicas=3, readyReplicas=3)
            told(one, workload("web")[-3], phase="Bound")
            world.until(lambda: not named_in(served.problems(), "patch", parts), f"patch: {parts}")
        for cluster in (one, hub):
            with stage.without(cluster, "watch") as plurals:
                copies.restarted(served, stage.farm)
                world.until(
                    lambda plurals=plurals: not named_in(served.problems(), "watch", plurals), "watch", 60.0
                )
