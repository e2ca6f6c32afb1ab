"""The ways of docs/in-cluster.md to plug fedns into a cluster, as printed there, with the real programs."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench import serving
from tests.scenarios import inside, pods, world
from tests.scenarios.inside import OUTER, SHORT

PAGE = (serving.ROOT / "docs" / "in-cluster.md").read_text()
CLUSTER_DNS = "10.64.1.10"
"""A pod of `us` in which the cluster's own DNS runs."""
COREFILE = """\
.:53 {
    errors
    file cluster.zone cluster.local
}
"""
CLUSTER_ZONE = """\
$ORIGIN cluster.local.
@ 5 SOA ns.dns hostmaster 1 7200 1800 86400 5
@ 5 NS ns.dns
ns.dns 5 A 10.64.1.10
kubernetes.default.svc 5 A 10.96.0.1
"""
FORWARD = """\
example.com:53 {
    errors
    forward . 10.96.0.53
}
"""


def example(language: str, mark: str) -> str:
    """The fenced block of that language which has the mark in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    found = [block for block in blocks if mark in block]
    assert len(found) == 1, (language, mark, found)
    return str(found[0])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]) -> Iterator[inside.Fleet]:
    if reason := pods.obstacle():
        pytest.skip(reason)
    tool("dig")
    with inside.served(tmp_path_factory.mktemp("plugs")) as running:
        yield running


@pytest.fixture(scope="module")
def place(fleet: inside.Fleet) -> pods.Pod:
    """Where the cluster's own DNS runs."""
    return fleet.pod("dns", CLUSTER_DNS)


@contextmanager
def coredns(pod: pods.Pod, home: Path, path: str, corefile: str) -> Iterator[None]:
    """CoreDNS in a pod, answering."""
    home.mkdir(exist_ok=True)
    (home / "cluster.zone").write_text(CLUSTER_ZONE)
    (home / "Corefile").write_text(corefile)
    command = ["sh", "-c", 'cd "$0" && exec "$@"', str(home), path, "-conf", "Corefile"]
    with pods.at_work(pod, home / "log", *command) as process:
        names = ("kubernetes.default.svc.cluster.local", "@127.0.0.1")
        world.until(
            lambda: inside.dig(pod, *names) == ("10.96.0.1",) or process.poll() is not None, "CoreDNS"
        )
        assert process.poll() is None, (home / "log").read_text()
        yield


def test_a_search_domain_of_the_pod(
    fleet: inside.Fleet, place: pods.Pod, tool: Callable[[str], str], tmp_path: Path
) -> None:
    spec: dict[str, Any] = yaml.safe_load(example("yaml", "dnsPolicy: ClusterFirst"))["spec"]
    pod = fleet.pods["us"]
    pod.configure([CLUSTER_DNS], [*pods.SEARCH, *spec["dnsConfig"]["searches"]])
    with coredns(place, tmp_path, tool("coredns"), COREFILE + FORWARD):
        told = pod.run(tool("getent"), "ahosts", SHORT)
        assert {line.split()[0] for line in told.lines} == set(OUTER["us"]), told
        told = pod.run(tool("getent"), "ahosts", "kubernetes.default")
        assert {line.split()[0] for line in told.lines} == {"10.96.0.1"}, told
