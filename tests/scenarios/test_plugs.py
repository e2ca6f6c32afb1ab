"""The ways of docs/in-cluster.md to plug fedns into a cluster, as printed there, with the real programs."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench import serving
from tests.scenarios import inside, pods, world
from tests.scenarios.inside import ALL, INNER, OUTER, SHORT

PAGE = (serving.ROOT / "docs" / "in-cluster.md").read_text()
CLUSTER_DNS = "10.64.1.10"
"""A pod of `us` in which the cluster's own DNS runs."""
CACHE = "169.254.20.10"
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


def local_first(fleet: inside.Fleet, pod: pods.Pod, command: Sequence[str]) -> None:
    """By the short name: the pod's own cluster, the nearest other one while that cannot serve, and back."""
    reader = inside.Reader("", tuple(command))
    assert reader.ask(pod, SHORT) == INNER["us"]
    assert reader.ask(pod, "kubernetes.default") == ("10.96.0.1",)
    assert reader.ask(pod, f"{SHORT}.svc.example.com") == OUTER["us"]
    fleet.write("us", ready=False)
    world.until(lambda: reader.ask(pod, SHORT) == OUTER["central"], "it goes to the nearest other one")
    fleet.write("us")
    world.until(lambda: reader.ask(pod, SHORT) == INNER["us"], "it comes back")


def test_a_stub_domain_of_coredns(
    fleet: inside.Fleet, place: pods.Pod, tool: Callable[[str], str], tmp_path: Path
) -> None:
    pod = fleet.pods["us"]
    pod.configure([CLUSTER_DNS])
    with coredns(place, tmp_path, tool("coredns"), COREFILE + example("corefile", "cache 30")):
        local_first(fleet, pod, [tool("getent"), "ahosts"])


def test_a_forwarder_that_serves_several_members(
    fleet: inside.Fleet, place: pods.Pod, tool: Callable[[str], str], tmp_path: Path
) -> None:
    reader = inside.Reader("getent", (tool("getent"), "ahostsv4"))
    with coredns(place, tmp_path, tool("coredns"), COREFILE + example("corefile", "edns0 subnet")):
        for member in ("us", "eu", "us"):
            fleet.pods[member].configure([CLUSTER_DNS])
            assert reader.ask(fleet.pods[member], SHORT) == INNER[member][:1]


def test_stub_domains_of_kube_dns(
    fleet: inside.Fleet, place: pods.Pod, tool: Callable[[str], str], tmp_path: Path
) -> None:
    stubs = json.loads(yaml.safe_load(example("yaml", "stubDomains"))["data"]["stubDomains"])
    options = [f"--server=/{domain}/{server}" for domain, servers in stubs.items() for server in servers]
    assert f"dnsmasq {' '.join(options)}\n" == example("sh", "dnsmasq")
    own = [
        "--no-negcache",
        "--local=/cluster.local/",
        "--address=/kubernetes.default.svc.cluster.local/10.96.0.1",
    ]
    still = [
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
        "--user=root",
        "--pid-file",
        "--conf-file=/dev/null",
    ]
    pod = fleet.pods["us"]
    pod.configure([CLUSTER_DNS])
    with pods.at_work(place, tmp_path / "log", tool("dnsmasq"), *still, *own, *options):
        asked = ("kubernetes.default.svc.cluster.local", "@127.0.0.1")
        world.until(lambda: inside.dig(place, *asked) == ("10.96.0.1",), "dnsmasq answers")
        local_first(fleet, pod, [tool("getent"), "ahosts"])


def test_a_cache_on_the_node(fleet: inside.Fleet, tool: Callable[[str], str], tmp_path: Path) -> None:
    """The pod and the cache share a network here, as the cache and its node do."""
    node = fleet.pod("cached", "10.64.1.20", [CACHE])
    node.run("ip", "address", "add", CACHE, "dev", "lo")
    own = COREFILE.replace("errors", f"errors\n    bind {CACHE} 127.0.0.1")
    with coredns(node, tmp_path, tool("coredns"), own + example("corefile", "force_tcp")):
        local_first(fleet, node, [tool("getent"), "ahosts"])


def test_a_search_domain_of_the_pod(
    fleet: inside.Fleet, place: pods.Pod, tool: Callable[[str], str], tmp_path: Path
) -> None:
    spec: dict[str, Any] = yaml.safe_load(example("yaml", "dnsPolicy: ClusterFirst"))["spec"]
    pod = fleet.pods["us"]
    pod.configure([CLUSTER_DNS], [*pods.SEARCH, *spec["dnsConfig"]["searches"]])
    forward = example("corefile", "cache 30").replace("myfederation.svc.cluster.local:53 ", "")
    with coredns(place, tmp_path, tool("coredns"), COREFILE + forward):
        reader = inside.Reader("getent", (tool("getent"), "ahosts"))
        assert reader.ask(pod, SHORT) == OUTER["us"]
        assert reader.ask(pod, "kubernetes.default") == ("10.96.0.1",)


def test_an_agent_answers_everybody_as_one_inside(
    fleet: inside.Fleet, tool: Callable[[str], str], tmp_path: Path
) -> None:
    """Who asks is in no network of any member; the tables outlive the agent."""
    words = shlex.split(example("sh", "--member us"))[1:]
    pod = fleet.pod("agent", "10.64.8.8", ["10.64.8.8"])
    (tmp_path / "fedns.yaml").write_text(
        (fleet.home / "fedns.yaml")
        .read_text()
        .replace(pods.SERVICE[0], "10.64.8.8")
        .replace(pods.SERVICE[1], "::1")
        .replace(pods.LISTENER, "127.0.0.1")
    )
    for name in ("members", "fleet"):
        (tmp_path / name).symlink_to(fleet.home / name)
    reader = inside.Reader("getent", (tool("getent"), "ahosts"))
    command = ["env", f"PYTHONPATH={serving.ROOT}", "sh", "-c", 'cd "$0" && exec "$@"', str(tmp_path)]
    assert reader.ask(fleet.pods["outside"], SHORT) == ALL, "who asks fedns itself is in no member"
    for options in ([], ["--role", "dns"]):  # the second time all that it has are its tables
        with pods.at_work(pod, tmp_path / "log", *command, *world.FEDNS, *words, *options):
            world.until(lambda: reader.ask(pod, SHORT) == INNER["us"], "the agent answers")
