"""`fedns join`, `unjoin` and `rbac` with real API servers: what they print is enough, and no more."""

import base64
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedns.distribute import rights
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import fleets, world

SPACE = "joined"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
MEMBERS = "/apis/fedns.io/v1alpha1/memberclusters"
WHO = {"one": "fedns-reader", "two": "fedns-reader", "fleet": "fedns"}
OWNER = "kubernetes.io/service-account.name"
TWO = world.records([fleets.ADDRESSES["two"]])


@pytest.fixture
def fleet(tmp_path: Path, farm: clusters.Farm) -> fleets.Fleet:
    for cluster in (farm.one, farm.two):
        fleets.fill(cluster)
    farm.fleet.define(*fleets.DEFINITIONS)
    found = fleets.Fleet(tmp_path, farm)
    found.fleet += f", namespace: {SPACE}"
    found.write_config()
    return found


def run(fleet: fleets.Fleet, *words: str, code: int = 0) -> str:
    """A command of fedns that asks no running server."""
    command = [*world.FEDNS, *words, "--config", str(fleet.config)]
    wide = {**os.environ, "COLUMNS": "400"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=wide, cwd=fleet.root
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def apply(farm: clusters.Farm, cluster: clusters.Cluster, root: Path, text: str) -> None:
    kubeconfig = cluster.kubeconfig(root / "admin.kubeconfig")
    command = [str(farm.kubectl), "--kubeconfig", str(kubeconfig), "apply", "-f", "-"]
    subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=True)


@contextmanager
def controller(cluster: clusters.Cluster, space: str = SPACE) -> Iterator[None]:
    """Fills the Secrets that are for tokens, as the token controller of a cluster does."""
    ended = threading.Event()
    secrets = f"/api/v1/namespaces/{space}/secrets"

    def work() -> None:
        while not ended.wait(0.1):
            for one in cluster.call("GET", secrets)["items"]:
                name, data = one["metadata"]["name"], one.get("data")
                if one["type"] == "kubernetes.io/service-account-token" and not data:
                    token = cluster.token(one["metadata"]["annotations"][OWNER], space)
                    filled = {"token": _coded(token), "ca.crt": _coded(Path(cluster.ca).read_text())}
                    cluster.call("PATCH", f"{secrets}/{name}", {"data": filled}, "merge-patch+json")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_what_rbac_prints_is_enough_and_all_of_it_is_used(fleet: fleets.Fleet, tmp_path: Path) -> None:
    """The fleet's own cluster has a policy and a member, so that there is something to write to."""
    farm, tokens = fleet.farm, {}
    for cluster in farm.clusters:
        apply(farm, cluster, tmp_path, run(fleet, "rbac", "--member", cluster.name))
        tokens[cluster.name] = cluster.token(WHO[cluster.name], SPACE)
        cluster.kubeconfig(tmp_path / f"{cluster.name}.kubeconfig", tokens[cluster.name])
    del fleet.members["two"]
    fleet.write_config()
    two = kubecluster.registered("two", farm.two, Path(farm.two.ca))
    farm.fleet.put(kubecluster.credentials("two", tokens["two"], SPACE), two, fleets.policy())
    with fleets.settled(fleet) as served:
        assert served.problems() == ""
        world.until(lambda: farm.fleet.get(two).get("status", {}).get("services"), "its status is written")
        world.until(lambda: "status" in farm.fleet.get(fleets.policy()), "the policy's status is written")
    needs = {"fleet": rights.Needs(fleet=True, status=True)}
    for cluster in farm.clusters:
        wanted = rights.rights(needs.get(cluster.name, rights.Needs(member=True)))
        given = {(one.group, one.resource, one.verb) for one in rights.grants(wanted)}
        used = cluster.used(f":{SPACE}:{WHO[cluster.name]}")
        assert used <= given
        assert {verb for _, _, verb in given - used} <= {"list"}, "lists are streamed here"


def test_a_cluster_joins_renews_its_token_and_leaves(fleet: fleets.Fleet, tmp_path: Path) -> None:
    farm = fleet.farm
    fleet.members = {"two": fleet.members["two"]}
    fleet.write_config()
    admin = farm.one.kubeconfig(tmp_path / "one-admin.kubeconfig")
    mine = ("--kubeconfig", str(admin), "--namespace", SPACE)
    with world.serve(fleet) as served, controller(farm.one):
        served.shows(world.GLOBAL, TWO, "without it")
        assert "kind: ClusterRole" in run(fleet, "join", "one", *mine, "--dry-run")
        assert farm.fleet.call("GET", MEMBERS)["items"] == []
        told = json.loads(run(fleet, "join", "one", *mine, "-o", "json"))
        assert told["region"] == fleets.ZONES["one"][:-2], told
        served.shows(world.GLOBAL, world.records(fleets.BOTH), "it has joined")
        first = tokens(farm.one)
        run(fleet, "join", "one", *mine, "--rotate")
        assert tokens(farm.one) and not tokens(farm.one) & first
        run(fleet, "join", "two-again", "--kubeconfig", str(admin), "--namespace", SPACE, code=1)
        run(fleet, "unjoin", "one", *mine, "--yes")
        served.shows(world.GLOBAL, TWO, "it has left")
        assert tokens(farm.one) == set()
        assert served.problems() == ""


def tokens(cluster: clusters.Cluster) -> set[str]:
    """Of Secrets in our namespace."""
    found = cluster.call("GET", f"/api/v1/namespaces/{SPACE}/secrets")["items"]
    return {one.get("data", {}).get("token", "") for one in found}


def test_a_member_whose_token_nobody_makes_is_not_registered(fleet: fleets.Fleet, tmp_path: Path) -> None:
    admin = fleet.farm.one.kubeconfig(tmp_path / "one-admin.kubeconfig")
    fleet.members = {"two": fleet.members["two"]}
    fleet.write_config()
    words = ("join", "one", "--kubeconfig", str(admin), "--namespace", SPACE)
    run(fleet, *words, "--wait", "1s", code=3)
    assert fleet.farm.fleet.call("GET", MEMBERS)["items"] == []
    told = json.loads(run(fleet, *words, "--duration", "1h", "-o", "json"))
    assert 0 < told["token_ends"] - time.time() <= 3600
