"""docs/tutorial-one-to-many.md, as printed, under load: an application goes from one cluster to another."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.bench import callers, crowd, serving
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import copies, shops, test_membership, walking, world

PAGE = serving.ROOT / "docs" / "tutorial-one-to-many.md"
SPACE, HOST, NAME = "shop", "web.example.com", "web.shop.myfederation.svc.example.com"
META = {"name": "web", "namespace": SPACE}
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": META}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": META}
RATE, CLIENTS, LONG = 40.0, 8.0, 600.0
OLD, NEW = "hangzhou", "beijing"
TTL = 2
Object = dict[str, Any]


class Place(world.World):
    """Where the page has its configuration."""

    def __init__(self, config: Path, admin: int) -> None:
        self.root, self.config, self.admin = config.parent, config, admin


class Stage:
    """The clusters, what runs in them, and who asks."""

    def __init__(self, root: Path, farm: clusters.Farm, stack: ExitStack) -> None:
        self.root, self.farm, self.stack = root, farm, stack
        self.port, self.dns, self.gateway = (serving.free_port() for _ in range(3))
        self.admin = serving.free_port(world.ADMIN)
        self.sites = {
            OLD: walking.Site(farm.one, ("10.1.0.1", "10.1.0.2"), "127.41.1.10"),
            NEW: walking.Site(farm.two, ("10.2.0.1", "10.2.0.2"), "127.41.2.10"),
        }
        home = root / ".kube"
        home.mkdir()
        walking.kubeconfig(home / "config", {OLD: farm.one, NEW: farm.two, "fleet": farm.fleet})
        self.clusters = stack.enter_context(walking.controlled(self.sites, SPACE, self.port))
        self.walk = walking.Walk(root, self._moved(), walking.environment(root, farm.kubectl))
        self.walk.serve, self.walk.environment["FEDNS_ADMIN"] = self.serve, f"{world.ADMIN}:{self.admin}"
        self.served: shops.Served | None = None
        self.before: Object = {}
        self.drained = 0.0

    def _moved(self) -> dict[str, str]:
        """What stands in the test for what the page says."""
        return {
            "192.0.2.10": self.sites[OLD].balancer,
            "192.0.2.20": self.sites[NEW].balancer,
            "port: 80}": f"port: {self.port}}}",
            "5300": str(self.dns),
            "8080": str(self.gateway),
            "127.0.0.1:9053": f"{world.ADMIN}:{self.admin}",
            "ttl: {min: 5, max: 30}": f"ttl: {{min: 1, max: {TTL}}}",
        }

    def serve(self, words: Sequence[str]) -> None:
        """`fedns serve --config FILE`."""
        assert list(words[:3]) == ["fedns", "serve", "--config"] and len(words) == 4
        place = Place(self.root / words[3], self.admin)
        plain = self.stack.enter_context(world.serve(place))
        self.served = shops.Served(place, plain.process, plain.begun)
        world.until(self.served.up, "it runs")

    def asking(self) -> list[crowd.Running]:
        """Those who come by the gateway, and those who go where DNS says."""
        told = (RATE, CLIENTS, LONG)
        by_gateway = crowd.asking(self.gateway, HOST, *told)
        by_dns = callers.calling(self.port, HOST, self.dns, NAME, *told)
        return [self.stack.enter_context(by_gateway), self.stack.enter_context(by_dns)]


@pytest.fixture
def stage(
    tmp_path: Path, farm: clusters.Farm, monkeypatch: pytest.MonkeyPatch, tool: Callable[[str], str]
) -> Iterator[Stage]:
    for program in ("dig", "curl"):
        tool(program)
    monkeypatch.setenv("HOME", str(tmp_path))
    with ExitStack() as stack:
        for cluster, name in ((farm.one, OLD), (farm.two, NEW)):
            cluster.put(kubecluster.node("n1", f"cn-{name}", f"cn-{name}-h"))
            stack.enter_context(test_membership.controller(cluster, "fedns"))
        yield Stage(tmp_path, farm, stack)


def alone(stage: Stage) -> None:
    stage.before = stage.farm.one.get(WEB)


def adopted(stage: Stage) -> None:
    """Nothing of it differs but marks of ours. A generation of a Deployment counts its annotations too."""
    before, now = stage.before, stage.farm.one.get(WEB)
    assert now["metadata"]["uid"] == before["metadata"]["uid"] and now["spec"] == before["spec"]
    for field in ("labels", "annotations"):
        fresh = now["metadata"][field].keys() - before["metadata"].get(field, {}).keys()
        assert fresh and all(key.startswith("fedns.io/") for key in fresh)
    assert stage.clusters[OLD].started == 1


def both(stage: Stage) -> None:
    assert stage.served is not None
    assert set(stage.served.members(40, host=HOST)) == {OLD, NEW}
    assert stage.farm.one.get(WEB)["metadata"]["uid"] == stage.before["metadata"]["uid"]
    assert stage.clusters[OLD].started == 1


def drained(stage: Stage) -> None:
    assert stage.served is not None
    assert stage.served.members(40, host=HOST) == {NEW: 40}
    stage.drained = time.monotonic()


def gone(stage: Stage) -> None:
    for one in (WEB, SERVICE):
        assert copies.there(stage.farm.one, one) is None
    roles = f"{test_membership.ROLES}?labelSelector=app.kubernetes.io/managed-by=fedns"
    assert stage.farm.one.call("GET", roles)["items"] == []
    assert stage.served is not None
    world.until(
        lambda: stage.served and stage.served.up() and stage.served.problems() == "", "no problem is left"
    )


CHECKS: dict[str, Callable[[Stage], None]] = {
    "One cluster": alone,
    "The fleet takes it up": adopted,
    "A second cluster": both,
    "The first one is drained": drained,
    "The first one goes": gone,
}


@pytest.mark.timeout(480)
def test_as_printed_and_no_request_fails(stage: Stage) -> None:
    running: list[crowd.Running] = []
    walked = []
    for section in walking.sections(PAGE):
        stage.walk.take(section)
        CHECKS[section.title](stage)
        walked.append(section.title)
        running = running or stage.asking()
    assert walked == list(CHECKS)
    time.sleep(0.5)
    for name, one in zip(("gateway", "DNS"), running, strict=True):
        outcomes = one.stop()
        bad = [each for each in outcomes if not each.good]
        served = {each.member for each in outcomes if each.good}
        span = max(each.ended for each in outcomes) - outcomes[0].begun
        print(f"{name}: {len(bad)} of {len(outcomes)} requests failed in {span:.1f} s")
        assert bad == []
        assert served == {OLD, NEW}
        assert {each.member for each in outcomes if each.begun > stage.drained} == {NEW}
