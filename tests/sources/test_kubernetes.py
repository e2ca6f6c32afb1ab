"""A member's API server as a source: a fake one in a process of its own."""

import asyncio
import os
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fedns.model.facts import Endpoint, MemberFacts, ShardFacts
from fedns.sources import cluster, identity, kubernetes, subjects
from fedns.sources.change import MemberChange, ProblemsChange
from tests.fakes import kubecluster
from tests.sources import asking
from tests.sources.listening import Listener

MEMBER = cluster.Member("m")


@pytest.fixture
def server() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as found:
        found.put(
            kubecluster.service("web", "192.0.2.1"),
            kubecluster.endpoints("web", "r1-a"),
            kubecluster.node("n1", "r1", "r1-a"),
        )
        yield found


def watched(
    server: kubecluster.Cluster,
    folder: Path,
    test: asking.Test,
    known: Mapping[str, ShardFacts] | None = None,
    wish: subjects.Wish = asking.ALL,
) -> Listener:
    """Runs `test` beside a running source."""

    return asking.beside(lambda: member(server, folder, known, wish), MemberChange, test)


def member(
    server: kubecluster.Cluster,
    folder: Path,
    known: Mapping[str, ShardFacts] | None = None,
    wish: subjects.Wish = asking.ALL,
) -> kubernetes.Member:
    return kubernetes.Member(MEMBER, asking.source(server, folder, wish), known, asking.REACH, asking.PACE)


def facts(listener: Listener) -> MemberFacts:
    return listener.last(MemberChange).facts


def problems(listener: Listener) -> str:
    found = listener.all(ProblemsChange)
    return "\n".join(map(str, found[-1].problems)) if found else ""


async def nothing(listener: Listener) -> None:
    pass


@pytest.mark.parametrize("absent", [[], ["discovery.k8s.io/v1"]], ids=["v1", "v1beta1"])
def test_the_first_word_is_whole(server: kubecluster.Cluster, tmp_path: Path, absent: list[str]) -> None:
    server.faults(absent=absent)
    listener = watched(server, tmp_path, nothing)
    first = listener.all(MemberChange)[0]
    assert first.touched is None
    assert (first.facts.region, first.facts.zones, first.facts.api) == ("r1", ("r1-a",), "reachable")
    shard = first.facts.shards["mynamespace/web"]
    assert shard.addresses == ("192.0.2.1",)
    assert shard.readiness is not None and shard.readiness[0].ready == 1
    assert problems(listener) == ""


def test_the_first_word_is_whole_where_the_machine_is_slow(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    """Much comes at once then: one list is told while another is taken in."""
    for each in map(str, range(200)):
        server.put(kubecluster.service(each, "192.0.2.1"), kubecluster.endpoints(each, "r1-a"))
    pace = random.Random(0)

    def slow() -> kubernetes.Member:
        loop = asyncio.get_running_loop()

        def busy() -> None:
            time.sleep(pace.uniform(0.0, 0.01))
            loop.call_soon(busy)

        loop.call_soon(busy)
        return member(server, tmp_path)

    for _ in range(10):
        found = asking.beside(slow, MemberChange, nothing)
        shards = found.all(MemberChange)[0].facts.shards
        assert len(shards) == 201 and all(each.readiness for each in shards.values())


def test_changes_touch_what_they_are_about(server: kubecluster.Cluster, tmp_path: Path) -> None:
    async def test(listener: Listener) -> None:
        await asking.act(server.put, kubecluster.service("shop", "192.0.2.2"))
        await listener.until(lambda: "mynamespace/shop" in facts(listener).shards)
        assert listener.last(MemberChange).touched == {"mynamespace/shop"}
        await asking.act(server.delete, kubecluster.service("web"))
        await listener.until(lambda: "mynamespace/web" not in facts(listener).shards)

    watched(server, tmp_path, test)


def test_facts_know_their_objects_and_versions(server: kubecluster.Cluster, tmp_path: Path) -> None:
    async def main() -> None:
        listener, found = Listener(), member(server, tmp_path)
        task = asyncio.ensure_future(found.run(listener))
        await listener.until(lambda: listener.all(MemberChange))
        service, endpoints = found.origins("mynamespace/web")
        assert service.startswith("Service mynamespace/web (resourceVersion ")
        assert endpoints.startswith("EndpointSlice mynamespace/web-1 (resourceVersion ")
        await asking.act(server.put, kubecluster.service("web", "192.0.2.7"))
        await listener.until(lambda: facts(listener).shards["mynamespace/web"].addresses == ("192.0.2.7",))
        assert found.origins("mynamespace/web")[0] > service
        assert found.origins("mynamespace/none") == ()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_a_lost_server_freezes_its_facts_and_is_told(server: kubecluster.Cluster, tmp_path: Path) -> None:
    async def test(listener: Listener) -> None:
        await asking.act(server.faults, unready=True)
        await listener.until(lambda: facts(listener).api == "unreachable")
        assert "mynamespace/web" in facts(listener).shards
        await listener.until(lambda: "cannot be reached" in problems(listener))
        await asking.act(server.faults, unready=False)
        await listener.until(lambda: facts(listener).api == "reachable" and not problems(listener))

    watched(server, tmp_path, test)


def test_a_member_never_reached_is_what_it_was_before_the_restart(tmp_path: Path) -> None:
    with kubecluster.running() as server:
        server.stop()
        known = {"mynamespace/old": ShardFacts(("192.0.2.9",))}
        listener = watched(server, tmp_path, nothing, known)
    assert facts(listener).api == "unreachable" and set(facts(listener).shards) == {"mynamespace/old"}


def test_a_member_whose_lists_say_nothing_holds_up_nobody_for_long(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    server.faults(mute=True)
    begun = time.monotonic()
    listener = watched(server, tmp_path, nothing)
    assert time.monotonic() - begun < kubernetes.START / 4
    assert (facts(listener).api, facts(listener).shards) == ("reachable", {})


def test_what_was_known_before_a_restart_goes_when_the_server_no_longer_has_it(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    listener = watched(server, tmp_path, nothing, {"mynamespace/old": ShardFacts(("192.0.2.9",))})
    assert set(facts(listener).shards) == {"mynamespace/web"}


@pytest.mark.parametrize(
    ("plural", "told"), [("nodes", "region and zones"), ("endpointslices", "readiness of its services")]
)
def test_a_refusal_switches_off_one_feature_until_it_passes(
    server: kubecluster.Cluster, tmp_path: Path, plural: str, told: str
) -> None:
    server.faults(forbidden=[plural])

    async def test(listener: Listener) -> None:
        assert facts(listener).shards["mynamespace/web"].addresses == ("192.0.2.1",)
        assert (facts(listener).shards["mynamespace/web"].readiness is None) == (plural == "endpointslices")
        await listener.until(lambda: f"{plural}: 403 Forbidden" in problems(listener))
        assert told in problems(listener)
        await asking.act(server.faults, forbidden=[])
        await listener.until(lambda: not problems(listener))
        assert facts(listener).shards["mynamespace/web"].readiness is not None
        assert facts(listener).region == "r1"

    watched(server, tmp_path, test)


def test_nothing_is_taken_from_another_cluster(server: kubecluster.Cluster, tmp_path: Path) -> None:
    register = identity.Register(str(tmp_path / "identities"))
    register.learn("m", "another-uid")

    async def test(listener: Listener) -> None:
        await listener.until(lambda: "this is another cluster" in problems(listener))
        assert register.path("m") in problems(listener)
        assert set(facts(listener).shards) == {"mynamespace/old"}
        await asking.act(os.remove, register.path("m"))
        await listener.until(lambda: set(facts(listener).shards) == {"mynamespace/web"})
        await listener.until(lambda: not problems(listener))
        assert register.known("m")

    listener = watched(server, tmp_path, test, {"mynamespace/old": ShardFacts(("192.0.2.9",))})
    assert listener.heard


def test_a_mass_removal_waits_until_another_list_agrees(server: kubecluster.Cluster, tmp_path: Path) -> None:
    many = [kubecluster.service(f"s{number}", "192.0.2.3") for number in range(20)]
    server.put(*many)

    async def test(listener: Listener) -> None:
        assert len(facts(listener).shards) == 21
        lists = len([line for line in server.log() if "/services?" in line and "sendInitial" in line])
        await asking.act(server.delete, *many)
        await listener.until(lambda: "held back" in problems(listener))
        assert len(facts(listener).shards) == 21
        await listener.until(lambda: len(facts(listener).shards) == 1)
        again = len([line for line in server.log() if "/services?" in line and "sendInitial" in line])
        assert again == lists + 1
        await listener.until(lambda: not problems(listener))

    watched(server, tmp_path, test)


def slices(name: str, ready: bool, **labels: str) -> dict[str, Any]:
    """An EndpointSlice with labels."""
    made = kubecluster.endpoints(name, "r1-a", ready)
    made["metadata"]["labels"] |= labels
    return made


MANAGED = {subjects.MANAGER: "endpointslice-controller.k8s.io"}


@pytest.mark.parametrize("absent", [[], ["discovery.k8s.io/v1"]], ids=["v1", "v1beta1"])
def test_only_selected_services_and_their_slices_are_asked_for(
    server: kubecluster.Cluster, tmp_path: Path, absent: list[str]
) -> None:
    server.faults(absent=absent)
    for name in ("public", "handmade"):
        server.put(kubecluster.service(name, "192.0.2.4", exported="yes"))
    server.put(slices("web", True, **MANAGED), slices("public", True, exported="yes", **MANAGED))
    server.put(slices("handmade", False))

    async def main() -> None:
        listener, found = Listener(), member(server, tmp_path, wish=subjects.Wish("exported=yes"))
        task = asyncio.ensure_future(found.run(listener))
        await listener.until(lambda: listener.all(MemberChange))
        shards = facts(listener).shards
        ready = {key: sum(zone.ready for zone in one.readiness or ()) for key, one in shards.items()}
        assert ready == {"mynamespace/public": 1, "mynamespace/handmade": 0}
        assert not problems(listener)
        counts = {feed.name: len(feed) for feed in found.feeds}
        mirrored = {"endpointslices": 1, "endpointslices of others": 1}
        whole = {"endpointslices": 3, "endpointslices of others": 0}
        assert counts == {"services": 2, "nodes": 1, **(whole if absent else mirrored)}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_an_object_that_cannot_be_read_is_told_and_stays(server: kubecluster.Cluster, tmp_path: Path) -> None:
    async def test(listener: Listener) -> None:
        await asking.act(server.put, kubecluster.service("web", "no-address"))
        await listener.until(lambda: "Service mynamespace/web" in problems(listener))
        assert "`no-address` is no IP address" in problems(listener)
        assert facts(listener).shards["mynamespace/web"].addresses == ("192.0.2.1",)

    watched(server, tmp_path, test)


def test_only_services_of_selected_namespaces_are_taken_up(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    async def test(listener: Listener) -> None:
        assert facts(listener).shards == {} and not problems(listener)
        await asking.act(server.put, kubecluster.namespace("mynamespace", federated="yes"))
        await listener.until(lambda: set(facts(listener).shards) == {"mynamespace/web"})
        assert facts(listener).shards["mynamespace/web"].readiness is not None
        await asking.act(server.put, kubecluster.namespace("mynamespace", federated="no"))
        await listener.until(lambda: facts(listener).shards == {})

    watched(server, tmp_path, test, wish=subjects.Wish(namespaces="federated=yes"))


def exported(name: str, version: str = "v1alpha1") -> dict[str, object]:
    meta = {"name": name, "namespace": "mynamespace"}
    return {"apiVersion": f"multicluster.x-k8s.io/{version}", "kind": "ServiceExport", "metadata": meta}


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_only_exported_services_are_taken_up(
    server: kubecluster.Cluster, tmp_path: Path, version: str
) -> None:
    others = {"v1alpha1", "v1beta1"} - {version}
    server.faults(absent=[f"multicluster.x-k8s.io/{one}" for one in others])

    async def main() -> None:
        listener, found = Listener(), member(server, tmp_path, wish=subjects.Wish(exports=True))
        task = asyncio.ensure_future(found.run(listener))
        await listener.until(lambda: listener.all(MemberChange))
        assert facts(listener).shards == {}
        await asking.act(server.put, exported("web", version), kubecluster.service("shop", "192.0.2.9"))
        await listener.until(lambda: set(facts(listener).shards) == {"mynamespace/web"})
        origins = found.origins("mynamespace/web")
        assert origins[-1].startswith("ServiceExport mynamespace/web (resourceVersion ")
        await asking.act(server.delete, exported("web", version))
        await listener.until(lambda: facts(listener).shards == {})
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_without_the_kind_of_exports_nothing_is_taken_up_and_what_was_known_stays(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    server.faults(absent=["multicluster.x-k8s.io/v1alpha1", "multicluster.x-k8s.io/v1beta1"])
    wish = subjects.Wish(exports=True)

    async def test(listener: Listener) -> None:
        await listener.until(lambda: "serviceexports: 404" in problems(listener))
        assert "none of its services is taken up, because `exports` is to decide" in problems(listener)
        assert facts(listener).shards == {}

    watched(server, tmp_path, test, wish=wish)

    async def before(listener: Listener) -> None:
        await listener.until(lambda: "serviceexports: 404" in problems(listener))
        assert kubernetes.LOST in problems(listener)
        assert set(facts(listener).shards) == {"mynamespace/old"}

    watched(server, tmp_path, before, {"mynamespace/old": ShardFacts(("192.0.2.9",))}, wish)


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_another_name_in_the_cluster_set_is_told(
    server: kubecluster.Cluster, tmp_path: Path, version: str
) -> None:
    others = {"v1", "v1beta1", "v1alpha1"} - {version}
    server.faults(absent=[f"about.k8s.io/{one}" for one in others])
    meta = {"name": "cluster.clusterset.k8s.io"}
    about = {"apiVersion": f"about.k8s.io/{version}", "kind": "ClusterProperty", "metadata": meta}
    other = {**about, "metadata": {"name": "x.example.com"}, "spec": {"value": "of no concern"}}
    server.put({**about, "spec": {"value": "another"}}, other)

    async def test(listener: Listener) -> None:
        await listener.until(lambda: "it calls itself 'another' in its cluster set" in problems(listener))
        await asking.act(server.put, {**about, "spec": {"value": "m"}})
        await listener.until(lambda: not problems(listener))

    watched(server, tmp_path, test, wish=subjects.Wish(exports=True))
    assert not [line for line in server.log() if "clusterproperties" in line and "fieldSelector" not in line]


def test_what_is_not_needed_is_not_asked_for(server: kubecluster.Cluster, tmp_path: Path) -> None:
    server.faults(forbidden=["list:namespaces", "serviceexports", "clusterproperties"])
    assert not problems(watched(server, tmp_path, nothing))
    asked = "".join(server.log())
    assert "serviceexports" not in asked and "clusterproperties" not in asked and "namespaces?" not in asked


def test_endpoints_are_told_of_named_services(server: kubecluster.Cluster, tmp_path: Path) -> None:
    wish, about = subjects.Wish(endpoints=True), cluster.Member("m", endpoints=True)
    made: list[kubernetes.Member] = []

    def make() -> kubernetes.Member:
        source = asking.source(server, tmp_path, wish)
        made.append(kubernetes.Member(about, source, None, asking.REACH, asking.PACE))
        return made[0]

    async def test(listener: Listener) -> None:
        assert facts(listener).shards["mynamespace/web"].endpoints is None
        made[0].detail(frozenset({"mynamespace/web"}), listener)
        assert listener.last(MemberChange).touched == {"mynamespace/web"}
        assert facts(listener).shards["mynamespace/web"].endpoints == (Endpoint("10.0.0.1", (), "r1-a"),)
        await asking.act(server.put, kubecluster.endpoints("web", "r1-a", ready=False))
        gone = (Endpoint("10.0.0.1", (), "r1-a", False, False),)
        await listener.until(lambda: facts(listener).shards["mynamespace/web"].endpoints == gone)
        made[0].detail(frozenset(), listener)
        assert facts(listener).shards["mynamespace/web"].endpoints is None

    asking.beside(make, MemberChange, test)
