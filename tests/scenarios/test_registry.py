"""Members that the fleet's API server registers: they come, change, rotate their tokens and go, and nothing
of fedns is started anew for it."""

import json
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fedns.distribute import rights
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import fleets, world
from tests.scenarios import test_kubernetes as watched
from tests.servers import certificates

ZONE, FRESH, TOLD = watched.ZONE, watched.FRESH, watched.TOLD
NAME, PLACE = f"gce-{ZONE}", watched.PLACE
LEFT = sorted(world.SERVING - {world.ADDRESSES[ZONE]})
NEAREST = {
    "apiVersion": "fedns.io/v1alpha1",
    "kind": "TrafficPolicy",
    "metadata": {"name": "nginx", "namespace": "mynamespace"},
    "spec": {"targetRef": {"kind": "Service", "name": "nginx"}, "strategy": "Nearest"},
}


class Estate(NamedTuple):
    """The world on disk without one member; `fleet` is its API server, `member` that of the member."""

    place: world.World
    fleet: kubecluster.Cluster
    member: kubecluster.Cluster
    ca: Path
    options: tuple[str, ...]

    def join(self, token: str = "first", **spec: Any) -> None:
        self.fleet.put(kubecluster.credentials(NAME, token))
        self.fleet.put(kubecluster.registered(NAME, self.member, self.ca, **spec))

    @property
    def kept(self) -> Path:
        return self.place.root / "state" / "members" / NAME


@contextmanager
def estate(root: Path) -> Iterator[Estate]:
    place = world.World(root)
    shutil.rmtree(root / f"members/{NAME}")
    chain, key = certificates.write(root)
    options = ("--certificate", chain, "--key", key)
    with kubecluster.running() as fleet, kubecluster.running(0, options) as member:
        member.put(*watched.objects(ZONE, world.ADDRESSES[ZONE]))
        member.faults(tokens=["first"])
        fleet.put(kubecluster.namespace("fedns"))
        text = place.config.read_text().replace(world.MEMBER.format(ZONE, ZONE[:-2]), "")
        place.put("fedns.yaml", text.replace("{manifests: fleet/}", f"{{api: {{server: '{fleet.url}'}}}}"))
        yield Estate(place, fleet, member, Path(chain), options)


@contextmanager
def served(found: Estate) -> Iterator[world.Served]:
    """`fedns serve`, once it answers without the member."""
    with world.serve(found.place) as running:
        running.shows(world.GLOBAL, world.records(LEFT), "without the member")
        yield running


def joined(running: world.Served, *addresses: str) -> None:
    running.shows(PLACE, world.records(addresses), "the member's own name")


def status(found: Estate, *conditions: str) -> dict[str, Any]:
    """The status of the MemberCluster, once these conditions of it are true."""
    told: dict[str, Any] = {}

    def holds() -> bool:
        path = f"/apis/fedns.io/v1alpha1/memberclusters/{NAME}"
        with urllib.request.urlopen(found.fleet.url + path, timeout=world.LONG) as reply:
            told.update(json.load(reply).get("status") or {})
        true = {row["type"] for row in told.get("conditions", ()) if row["status"] == "True"}
        return true.issuperset(conditions)

    world.until(holds, f"{conditions}: {told}")
    return told


def lists(running: world.Served) -> dict[str, int]:
    return {one["resource"]: one["lists"] for one in watched.member(running)["watches"]}


def test_a_member_comes_changes_and_goes_without_a_restart(tmp_path: Path) -> None:
    with estate(tmp_path) as found, served(found) as running:
        control = running.child("control")
        found.fleet.put(NEAREST)
        found.join(clients=["198.51.100.0/24"])
        joined(running, world.ADDRESSES[ZONE])
        running.shows(world.GLOBAL, world.records(world.SERVING), "all of them")
        assert running.problems() == ""
        assert {path.name for path in found.kept.iterdir()} == {"member.json", "token", "ca.crt"}
        assert all(path.stat().st_mode & 0o077 == 0 for path in (found.kept, *found.kept.iterdir()))
        assert "1 memberclusters" in running.fedns("status").stdout
        assert 'fedns_member_objects{member="@fleet",resource="secrets"} 1.0' in running.api("/metrics")
        shown = running.fedns("explain", world.GLOBAL, "--from", "198.51.100.9").stdout
        assert f"clients of member {NAME}" in shown and "Service mynamespace/nginx" in shown, shown

        told = status(found, "Ready")
        assert (told["version"], told["region"], told["zones"], told["services"]) == (
            "v1.34.1",
            ZONE[:-2],
            [ZONE],
            1,
        )
        assert told["identity"]

        found.member.put(kubecluster.service("nginx", FRESH))
        joined(running, FRESH)
        found.fleet.delete(kubecluster.registered(NAME, found.member))
        running.shows(PLACE, ("NXDOMAIN",), "its names are gone")
        running.shows(world.GLOBAL, world.records(LEFT), "its addresses are gone")
        assert not found.kept.exists() and NAME not in running.api("/metrics")
        assert running.child("control") == control


def test_a_new_token_and_a_new_server_are_taken_up(tmp_path: Path) -> None:
    with estate(tmp_path) as found, served(found) as running:
        control = running.child("control")
        found.join()
        joined(running, world.ADDRESSES[ZONE])
        before = lists(running)
        found.fleet.put(kubecluster.credentials(NAME, "second"))
        world.until(lambda: (found.kept / "token").read_text() == "second", "the token is kept")
        found.member.faults(tokens=["second"])
        found.member.hangup()
        found.member.put(kubecluster.service("nginx", FRESH))
        joined(running, FRESH)
        assert lists(running) == before and running.problems() == ""

        found.member.faults(tokens=["third"])
        found.member.hangup()
        refused = "401 Unauthorized"
        world.until(lambda: refused in str(watched.member(running)["watches"]), "the token was revoked")
        found.fleet.put(kubecluster.credentials(NAME, "third"))
        found.member.put(kubecluster.service("nginx", "198.51.100.9"))
        joined(running, "198.51.100.9")
        assert lists(running) == before

        with kubecluster.running(0, found.options) as other:
            other.put(*watched.objects(ZONE, "198.51.100.8"))
            moved = found._replace(member=other)
            moved.join("fourth")
            joined(running, "198.51.100.8")
            assert running.child("control") == control


def test_what_cannot_be_meant_is_told_and_changes_nothing(tmp_path: Path) -> None:
    with estate(tmp_path) as found, served(found) as running:
        found.join()
        joined(running, world.ADDRESSES[ZONE])
        found.fleet.delete(kubecluster.credentials(NAME, ""))
        lost = f"MemberCluster {NAME}: Secret fedns/{NAME} is not there"
        world.until(lambda: lost in running.problems(), "the Secret is missing")
        twin = "gce-us-central1-b"
        found.fleet.put(kubecluster.credentials(twin, "first"), kubecluster.registered(twin, found.member))
        world.until(lambda: "fedns.yaml has a member of this name" in running.problems(), "two of a name")
        found.fleet.put(kubecluster.registered(NAME, found.member, clients=["10.0.0.1/8"]))
        world.until(lambda: "`10.0.0.1/8` is not a prefix" in running.problems(), "a bad network")
        told = watched.check(found.place)
        assert told.returncode == 1 and "`10.0.0.1/8` is not a prefix" in told.stdout
        assert "fedns.yaml has a member of this name" in told.stdout
        found.member.put(kubecluster.service("nginx", FRESH))
        joined(running, FRESH)

        found.fleet.delete(kubecluster.registered(twin, found.member))
        found.join()
        world.until(lambda: not running.problems(), "no problem is left")
        told = watched.check(found.place)
        assert told.returncode == 0, told.stdout


def test_without_the_fleets_api_server_members_go_on_after_a_restart(tmp_path: Path) -> None:
    with estate(tmp_path) as found, served(found) as running:
        found.join()
        joined(running, world.ADDRESSES[ZONE])
        found.fleet.stop()
        running.replaced("control", running.kill("control"))
        world.until(lambda: "cannot be reached" in running.problems(), "told", TOLD)
        joined(running, world.ADDRESSES[ZONE])
        found.member.put(kubecluster.service("nginx", FRESH))
        joined(running, FRESH)
        assert watched.member(running)["api"] == "reachable"


def test_a_real_cluster_is_registered_with_the_least_rights(tmp_path: Path, farm: clusters.Farm) -> None:
    fleets.fill(farm.one)
    farm.fleet.define(*fleets.DEFINITIONS)
    space = clusters.NAMESPACE
    reader = granted(farm.one, rights.reader(space), rights.Needs(member=True))
    own = granted(farm.fleet, rights.ours(space), rights.Needs(fleet=True))
    place = fleets.Fleet(tmp_path, farm)
    farm.fleet.kubeconfig(tmp_path / "fleet.kubeconfig", own)
    place.fleet, place.members = f"{place.fleet}, namespace: {space}, status: false", {}
    place.write_config()
    place.put("fedns.yaml", place.config.read_text().replace("members:\n", "members: []\n"))
    answer = world.records([fleets.ADDRESSES["one"]])
    with world.serve(place) as running:
        world.until(running.up, "it is up")
        cluster = kubecluster.registered("one", farm.one, Path(farm.one.ca))
        farm.fleet.put(kubecluster.credentials("one", reader, space), cluster)
        running.shows(world.GLOBAL, answer, "the registered one")
        assert running.problems() == ""
        farm.fleet.delete(cluster)
        running.shows(world.place(fleets.ZONES["one"]), ("NXDOMAIN",), "it is gone")


def granted(cluster: clusters.Cluster, account: rights.Account, needs: rights.Needs) -> str:
    """A token of an account that has just the rights it needs."""
    cluster.put(rights.account(account), *rights.granted(account, rights.rights(needs)))
    return cluster.token(account.name, account.namespace)
