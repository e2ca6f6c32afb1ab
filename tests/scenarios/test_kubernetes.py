"""Members whose objects come from API servers, end to end: a change in a cluster is an answer on the wire."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.fakes import kubecluster
from tests.scenarios import world

ZONE = "us-central1-a"
PLACE = world.place(ZONE)
FRESH = "198.51.100.7"
TOLD = 40.0
"""Seconds until a lost API server is noticed by three questions five seconds apart, and some."""


def objects(zone: str, *addresses: str, ready: bool = True) -> list[dict[str, Any]]:
    return [
        kubecluster.service("nginx", *addresses),
        kubecluster.endpoints("nginx", zone, ready),
        kubecluster.node("n1", zone[:-2], zone),
    ]


@contextmanager
def fleet(root: Path, more: str = "") -> Iterator[tuple[world.World, kubecluster.Cluster]]:
    """The world, with one of its members on an API server (`more`: other keys of that member)."""
    place = world.World(root)
    shutil.rmtree(root / f"members/gce-{ZONE}")
    with kubecluster.running() as cluster:
        cluster.put(*objects(ZONE, world.ADDRESSES[ZONE]))
        cluster.kubeconfig(root / "kubeconfig")
        row = world.MEMBER.format(ZONE, ZONE[:-2])
        api = f"  - {{name: gce-{ZONE}, kubeconfig: kubeconfig, context: main{more}}}\n"
        place.put("fedns.yaml", place.config.read_text().replace(row, api))
        yield place, cluster


def member(served: world.Served) -> dict[str, Any]:
    rows = served.api("/api/v1/members")["items"]
    found: dict[str, Any] = next(one for one in rows if one["name"] == f"gce-{ZONE}")
    return found


def check(place: world.World) -> "subprocess.CompletedProcess[str]":
    command = [*world.FEDNS, "check", "--config", str(place.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=TOLD, check=False)


def test_a_change_in_a_cluster_is_an_answer_on_the_wire(tmp_path: Path) -> None:
    with fleet(tmp_path) as (place, cluster), world.settled(place) as served:
        served.shows(PLACE, world.records([world.ADDRESSES[ZONE]]), "places from node labels")
        cluster.put(kubecluster.service("nginx", FRESH))
        served.shows(PLACE, world.records([FRESH]), "another address")
        cluster.put(kubecluster.endpoints("nginx", ZONE, ready=False))
        world.until(lambda: served.answer(PLACE)[0].startswith("CNAME"), "nothing is ready there")
        assert served.problems() == ""
        told = member(served)
        assert (told["api"], told["region"], told["zones"]) == ("reachable", "us-central1", [ZONE])
        counts = {one["resource"]: (one["objects"], one["lists"]) for one in told["watches"]}
        assert counts == {"services": (1, 1), "endpointslices": (1, 1), "nodes": (1, 1)}
        assert f'fedns_member_objects{{member="gce-{ZONE}",resource="services"}} 1.0' in served.api(
            "/metrics"
        )
        told = served.fedns("explain", PLACE).stdout
        assert "told by Service mynamespace/nginx (resourceVersion" in told
        shown = served.fedns("status").stdout
        rows = [line.split()[:3] for line in shown.splitlines() if line.endswith("watched")]
        assert rows == [[f"gce-{ZONE}", what, "1"] for what in ("services", "endpointslices", "nodes")]


def test_a_lost_api_server_changes_no_answer_and_shows(tmp_path: Path) -> None:
    with fleet(tmp_path) as (place, cluster), world.settled(place) as served:
        before = served.answer(world.GLOBAL)
        cluster.stop()
        world.until(lambda: member(served)["api"] == "unreachable", "noticed", TOLD)
        world.until(lambda: "the API server cannot be reached" in served.problems(), "told")
        assert served.answer(world.GLOBAL) == before
        served.replaced("control", served.kill("control"))
        world.until(lambda: served.up() and "cannot be reached" in served.problems(), "after a restart", TOLD)
        served.shows(world.GLOBAL, before, "what was known before the restart")
        with kubecluster.running(cluster.port, ["--version", "1000"]) as other:
            other.put(*objects(ZONE, FRESH))
            served.shows(PLACE, world.records([FRESH]), "what happened meanwhile")
            world.until(lambda: not served.problems(), "no problem is left", TOLD)


def test_another_cluster_under_a_known_name_is_a_problem(tmp_path: Path) -> None:
    with fleet(tmp_path) as (place, cluster), kubecluster.running() as stranger:
        stranger.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-public"}})
        stranger.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}})
        stranger.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}})
        stranger.put(*objects(ZONE, FRESH))
        with world.settled(place) as served:
            stranger.kubeconfig(tmp_path / "kubeconfig")
            served.replaced("control", served.kill("control"))
            world.until(lambda: "this is another cluster" in served.problems(), "told")
            assert served.answer(PLACE) == world.records([world.ADDRESSES[ZONE]])
            cluster.kubeconfig(tmp_path / "kubeconfig")
            cluster.put(kubecluster.service("nginx", "198.51.100.8"))
            served.replaced("control", served.kill("control"))
            served.shows(PLACE, world.records(["198.51.100.8"]), "the right one again")


def test_a_policy_on_the_fleets_api_server_is_followed(tmp_path: Path) -> None:
    with fleet(tmp_path) as (place, cluster):
        text = place.config.read_text()
        place.put("fedns.yaml", text.replace("{manifests: fleet/}", f"{{api: {{server: '{cluster.url}'}}}}"))
        policy = yaml.safe_load(world.POLICY)
        cluster.put(kubecluster.namespace("fedns"), policy)
        with world.settled(place) as served:
            ttl = served.ask(world.GLOBAL).answer[0].ttl
            assert 5 < ttl <= 180
            policy["spec"]["ttl"] = {"min": "7s", "max": "7s"}
            cluster.put(policy)
            world.until(lambda: served.ask(world.GLOBAL).answer[0].ttl == 7, "the new policy's TTL")
            assert served.problems() == ""
            policy["spec"]["ttl"] = {"min": "9s", "max": "8s"}
            cluster.put(policy)
            world.until(lambda: "TrafficPolicy mynamespace/nginx" in served.problems(), "told")
            assert served.ask(world.GLOBAL).answer[0].ttl == 7
            assert "TrafficPolicy mynamespace/nginx" in check(place).stdout
            cluster.put(yaml.safe_load(world.POLICY))
            world.until(lambda: not served.problems(), "no problem is left")
            assert check(place).returncode == 0


def test_check_asks_the_api_servers_once(tmp_path: Path) -> None:
    with fleet(tmp_path) as (place, cluster):
        cluster.faults(forbidden=["nodes"])
        cluster.put(kubecluster.service("odd", "no-address"))
        done = check(place)
        assert done.returncode == 1
        assert "nodes: 403 Forbidden" in done.stdout and "Service mynamespace/odd" in done.stdout
        cluster.faults(forbidden=[])
        cluster.delete(kubecluster.service("odd"))
        done = check(place)
        assert (done.returncode, "no problems" in done.stdout) == (0, True), done.stdout
        assert not (tmp_path / "state" / "identities").exists()
