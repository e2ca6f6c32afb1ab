"""Statuses on a real API server: written by one of two, shown by kubectl, written on by the other."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import fleets, world

SPACE = clusters.NAMESPACE
OVER = 40.0
"""Seconds until a dead writer is followed: its Lease is good for 15; until a lost API server is noticed."""


@pytest.fixture
def farmed(farm: clusters.Farm) -> clusters.Farm:
    for cluster in (farm.one, farm.two):
        fleets.fill(cluster)
    farm.fleet.define(*fleets.DEFINITIONS)
    return farm


def replica(root: Path, farm: clusters.Farm) -> fleets.Fleet:
    root.mkdir()
    found = fleets.Fleet(root, farm)
    found.fleet += f", namespace: {SPACE}"
    del found.members["two"]
    found.write_config()
    return found


@contextmanager
def serving(root: Path, farm: clusters.Farm, *names: str) -> Iterator[world.Served]:
    """`fedns serve`, once these members are on the wire."""
    with world.serve(replica(root, farm)) as served:
        served.shows(world.GLOBAL, world.records(fleets.ADDRESSES[name] for name in names), "at first")
        yield served


def writer(served: world.Served) -> dict[str, Any]:
    found: dict[str, Any] = served.api("/api/v1/status")["writer"]
    return found


def accepted(farm: clusters.Farm) -> str:
    status = farm.fleet.get(fleets.policy()).get("status", {})
    found = {one["type"]: one["status"] for one in status.get("conditions", ())}
    return str(found.get("Accepted", ""))


def whole(member: dict[str, Any]) -> bool:
    """Whether its status is that of one whose objects are all read."""
    status = member["status"]
    return status.get("services") == 1 and {one["status"] for one in status["conditions"]} == {"True"}


def shown(farm: clusters.Farm, root: Path, kind: str) -> list[str]:
    """The first row of `kubectl get`, as words."""
    kubeconfig = farm.fleet.kubeconfig(root / "admin.kubeconfig")
    command = [str(farm.kubectl), "--kubeconfig", str(kubeconfig), "--namespace", SPACE, "get", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()[1].split()


def test_how_members_fare_is_shown_by_kubectl(farmed: clusters.Farm, tmp_path: Path) -> None:
    farm = farmed
    fleets.account(farm.two, "services", "nodes", "discovery.k8s.io/endpointslices", name="reader")
    two = kubecluster.registered("two", farm.two, Path(farm.two.ca))
    farm.fleet.put(kubecluster.credentials("two", farm.two.token("reader"), SPACE), two, fleets.policy())
    with serving(tmp_path / "a", farm, "one", "two"):
        version = farm.two.call("GET", "/version")["gitVersion"]
        row = ["two", "True", version, "asia-east1"]
        world.until(lambda: shown(farm, tmp_path, "mcl")[:4] == row, "ready")
        world.until(lambda: accepted(farm) == "True", "accepted")
        world.until(lambda: whole(farm.fleet.get(two)), "all that there is to tell of it")
        written = farm.fleet.get(two)["metadata"]["resourceVersion"]
        bad = {"min": "9s", "max": "8s"}
        farm.fleet.put(fleets.policy(ttl=bad))
        world.until(lambda: accepted(farm) == "False", "refused")
        assert "False" in shown(farm, tmp_path, "trafficpolicies")
        assert farm.fleet.get(two)["metadata"]["resourceVersion"] == written, (
            "what is the same is not written"
        )
        farm.two.stop()
        world.until(lambda: shown(farm, tmp_path, "mcl")[1] == "False", "it is away", OVER)


def test_one_of_two_writes_and_the_other_follows(farmed: clusters.Farm, tmp_path: Path) -> None:
    farm = farmed
    farm.fleet.put(fleets.policy())
    with serving(tmp_path / "a", farm, "one") as one:
        world.until(lambda: writer(one)["held"], "the first one writes")
        world.until(lambda: accepted(farm) == "True", "written")
        with serving(tmp_path / "b", farm, "one") as other:
            world.until(lambda: writer(other)["holder"] == writer(one)["process"], "the other one knows")
            before = one.answer(world.GLOBAL)
            farm.fleet.stop()
            assert (one.answer(world.GLOBAL), other.answer(world.GLOBAL)) == (before, before)
            farm.fleet.again()  # and refuses everything for a moment
            world.until(lambda: writer(one)["held"] != writer(other)["held"], "one of them writes", OVER)
            holds, waits = (one, other) if writer(one)["held"] else (other, one)
            os.kill(holds.process.pid, signal.SIGSTOP)  # no successor
            holds.kill("control")
            world.until(lambda: writer(waits)["held"], "followed", OVER)
            farm.fleet.put(fleets.policy(ttl={"min": "9s", "max": "8s"}))
            world.until(lambda: accepted(farm) == "False", "written by the other one")
            assert waits.answer(world.GLOBAL) == before
            os.kill(holds.process.pid, signal.SIGCONT)
            world.until(lambda: holds.up() and not writer(holds)["held"], "and stands back")


def ingress(name: str, **spec: Any) -> dict[str, Any]:
    backend = {"service": {"name": "nginx", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"rules": [{"host": f"{name}.example.com", "http": {"paths": [path]}}], **spec},
    }


def published(farm: clusters.Farm, name: str) -> Any:
    return farm.fleet.get(ingress(name))["status"]["loadBalancer"].get("ingress")


def test_ingresses_are_told_where_the_gateway_is_reached(farmed: clusters.Farm, tmp_path: Path) -> None:
    farm = farmed
    farm.fleet.put(ingress("ours", ingressClassName="fedns"), ingress("theirs", ingressClassName="nginx"))
    found = replica(tmp_path / "a", farm)
    found.write_config('gateway: {listen: ["127.0.0.1:0"], workers: 1, publish: [192.0.2.7]}\n')
    with world.serve(found):
        world.until(lambda: published(farm, "ours") == [{"ip": "192.0.2.7"}], "written", OVER)
        assert published(farm, "theirs") is None
        farm.fleet.put(ingress("ours", ingressClassName="nginx"))
        world.until(lambda: published(farm, "ours") is None, "taken back", OVER)
