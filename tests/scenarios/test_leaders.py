"""Two replicas and one Lease: who writes copies is killed, frozen until another writes and then woken, or cut
off from the fleet. The API servers' audit logs tell who wrote when.

Law: each replica is a user of its own, so that nobody has to be believed. No write of one comes after the
first of the next, unless it has the Lease again.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.control import depots
from tests.envtest import clusters
from tests.scenarios import copies, sluice, world

FOLLOWED = 60.0
NAMES = [f"m{at}" for at in range(8)]


class Replica(NamedTuple):
    name: str
    served: world.Served
    hub: sluice.Sluice

    @property
    def writes(self) -> bool:
        try:
            return bool(self.served.api("/api/v1/status")["writer"]["held"])
        except OSError:
            return False

    def signal(self, what: signal.Signals) -> None:
        """To all of it."""
        for pid in (self.served.process.pid, self.served.child("control")):
            os.kill(pid, what)


@contextmanager
def replica(root: Path, farm: clusters.Farm, name: str) -> Iterator[Replica]:
    """One that every cluster knows by its name."""
    made = copies.configured(root / name, farm)
    with sluice.opened(farm.fleet) as hub:
        for cluster in farm.clusters:
            allowed(cluster, name)
            cluster.kubeconfig(made.root / f"{cluster.name}.kubeconfig", cluster.token(name))
        (made.root / "token").write_text(farm.fleet.token(name))
        made.fleet = f"api: {{server: '{hub.url}', token_file: token}}, distribute: true"
        made.write_config()
        with world.serve(made) as served:
            found = Replica(name, served, hub)
            try:
                yield found
            finally:
                if served.process.poll() is None:
                    found.signal(signal.SIGCONT)  # or it could not end


def allowed(cluster: clusters.Cluster, name: str) -> None:
    """A user who may do everything."""
    meta = {"metadata": {"name": name}}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": clusters.NAMESPACE}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    api = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    cluster.put(
        {"apiVersion": "v1", "kind": "ServiceAccount", **meta},
        {**api, "kind": "ClusterRoleBinding", **meta, "roleRef": ref, "subjects": [subject]},
    )


def change(farm: clusters.Farm, turn: str) -> None:
    farm.fleet.put(*(depots.config_map(name, at=turn) for name in NAMES))


def brought(farm: clusters.Farm, turn: str) -> None:
    wanted = dict.fromkeys(NAMES, turn)
    for cluster in (farm.one, farm.two):
        world.until(lambda cluster=cluster: copies.copied(cluster) == wanted, f"{turn}: brought", FOLLOWED)


def terms(audits: list[copies.Audit]) -> list[list[str]]:
    """Of each cluster, who wrote, one after the other; a row of writes of one is told once."""
    found = []
    for audit in audits:
        who = [write.user.rpartition(":")[2] for write in audit.writes()]
        found.append([each for at, each in enumerate(who) if at == 0 or who[at - 1] != each])
    return found


@pytest.fixture
def farms(tmp_path: Path, farm: clusters.Farm) -> clusters.Farm:
    copies.opened(tmp_path, farm)
    return farm


@pytest.mark.skipif(not copies.LONG_FORM, reason="each Lease takes 15 s to run out: make kills has it")
def test_of_a_replica_that_loses_its_lease_no_write_comes_after_the_next_ones(
    farms: clusters.Farm, tmp_path: Path
) -> None:
    farms.fleet.put(depots.policy("p", "v1/ConfigMap"))
    change(farms, "begin")
    audits = [copies.Audit(cluster) for cluster in (farms.one, farms.two)]
    with ExitStack() as stack:
        one = stack.enter_context(replica(tmp_path, farms, "one-writer"))
        world.until(lambda: one.writes, "the first one writes")
        other = stack.enter_context(replica(tmp_path, farms, "other-writer"))
        world.until(other.served.up, "the other one runs")
        brought(farms, "begin")

        frozen(farms, one, other)
        assert terms(audits) == [["one-writer", "other-writer"]] * 2
        cut_off(farms, other, one)
        assert terms(audits) == [["one-writer", "other-writer", "one-writer"]] * 2
        killed(farms, one, other)
        assert terms(audits) == [["one-writer", "other-writer", "one-writer", "other-writer"]] * 2


def frozen(farm: clusters.Farm, writer: Replica, heir: Replica) -> None:
    """In the middle of a sync; it wakes up when another one has written."""
    change(farm, "frozen")
    some = copies.Audit(farm.one)
    world.until(some.writes, "it has begun")
    writer.signal(signal.SIGSTOP)
    change(farm, "meanwhile")
    world.until(lambda: heir.writes, "followed", FOLLOWED)
    brought(farm, "meanwhile")
    writer.signal(signal.SIGCONT)
    change(farm, "woken")
    brought(farm, "woken")
    world.until(lambda: not writer.writes, "it knows")


def cut_off(farm: clusters.Farm, writer: Replica, heir: Replica) -> None:
    """From the fleet's API server; the members it reaches as before."""
    writer.hub.fault = sluice.Fault(reset=True)
    writer.hub.cut()
    edit(farm)
    world.until(lambda: heir.writes, "followed", FOLLOWED)
    change(farm, "cut off")
    brought(farm, "cut off")
    edit(farm)
    brought(farm, "cut off")
    writer.hub.fault = None
    change(farm, "joined")
    brought(farm, "joined")
    assert not writer.writes


def killed(farm: clusters.Farm, writer: Replica, heir: Replica) -> None:
    """With its supervisor: nobody takes its place."""
    change(farm, "killed")
    some = copies.Audit(farm.one)
    world.until(some.writes, "it has begun")
    writer.signal(signal.SIGKILL)
    world.until(lambda: heir.writes, "followed", FOLLOWED)
    brought(farm, "killed")


def edit(farm: clusters.Farm) -> None:
    """Somebody changes a copy, which whoever has the Lease puts right."""
    path = f"{clusters.path(depots.config_map('m0'))}?fieldManager=kubectl-edit"
    farm.one.call("PATCH", path, {"data": {"at": "edited"}}, "merge-patch+json")
