"""The fleet's API server as a source of policies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedns.model.policy import ProbeSpec, TrafficPolicy
from fedns.sources import fleet, policies
from fedns.sources.change import PolicyChange
from tests.fakes import kubecluster
from tests.sources import asking
from tests.sources.listening import Listener


@pytest.fixture
def server() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as found:
        yield found


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fedns.io/v1alpha1",
        "kind": "TrafficPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"targetRef": {"kind": "Service", "name": "web"}, **spec},
    }


def watched(server: kubecluster.Cluster, folder: Path, test: asking.Test) -> Listener:
    kinds = policies.kinds(TrafficPolicy(), ProbeSpec())

    def make() -> fleet.Fleet:
        source = asking.source(server, folder)
        return fleet.Fleet(source, fleet.Wanted(kinds), fleet.NOTHING, asking.REACH, asking.PACE)

    return asking.beside(make, PolicyChange, test)


def strategies(listener: Listener) -> dict[str, str]:
    return {key: one.strategy for key, one in listener.last(PolicyChange).policies.items()}


def test_policies_come_and_go(server: kubecluster.Cluster, tmp_path: Path) -> None:
    server.put(policy("a", strategy="Nearest"))

    async def test(listener: Listener) -> None:
        first = listener.all(PolicyChange)[0]
        assert first.whole and first.touched is None and strategies(listener) == {"shop/web": "Nearest"}
        await asking.act(server.put, policy("a", strategy="Weighted"))
        await listener.until(lambda: strategies(listener) == {"shop/web": "Weighted"})
        assert listener.last(PolicyChange).touched == {"shop/web"}
        await asking.act(server.put, policy("b", strategy="Nearest"))
        await listener.until(lambda: any("comes first by name" in one for one in listener.problems()))
        await asking.act(server.delete, policy("a"))
        await listener.until(lambda: strategies(listener) == {"shop/web": "Nearest"})
        await listener.until(lambda: listener.problems() == [])
        await asking.act(server.delete, policy("b"))
        await listener.until(lambda: strategies(listener) == {})

    watched(server, tmp_path, test)


def test_a_policy_that_cannot_be_read_stays_as_it_was(server: kubecluster.Cluster, tmp_path: Path) -> None:
    server.put(policy("a", strategy="Nearest"))

    async def test(listener: Listener) -> None:
        await asking.act(server.put, policy("a", strategy="Farthest"))
        await listener.until(lambda: any("TrafficPolicy shop/a" in one for one in listener.problems()))
        assert strategies(listener) == {"shop/web": "Nearest"}

    watched(server, tmp_path, test)


def test_without_the_kind_or_the_server_what_was_known_stays(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    server.faults(absent=["fedns.io/v1alpha1"])

    async def test(listener: Listener) -> None:
        first = listener.all(PolicyChange)[0]
        assert not first.whole and first.touched == frozenset()
        await listener.until(lambda: any("trafficpolicies: 404" in one for one in listener.problems()))
        await asking.act(server.put, policy("a", strategy="Nearest"))
        await asking.act(server.faults, absent=[])
        await listener.until(lambda: strategies(listener) == {"shop/web": "Nearest"})
        await asking.act(server.stop)
        await listener.until(lambda: any("cannot be reached" in one for one in listener.problems()))
        assert strategies(listener) == {"shop/web": "Nearest"}

    watched(server, tmp_path, test)
