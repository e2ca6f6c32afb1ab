"""Copies in members that are fake API servers: brought, kept, changed and removed as the fleet says."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from fedns.control import dispatch, outpost
from fedns.placement import template
from fedns.values import Taint
from tests.control import depots
from tests.fakes import kubecluster
from tests.waiting import until

Two = dict[str, kubecluster.Cluster]
MAPS = "v1/ConfigMap"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


@pytest.fixture
def two() -> Iterator[Two]:
    with kubecluster.running() as one, kubecluster.running() as other:
        for each in (one, other):
            each.put(kubecluster.namespace(depots.SPACE))
        yield {"one": one, "two": other}


def test_a_service_with_a_policy_is_brought_kept_and_removed(tmp_path: Path, two: Two) -> None:
    async def run() -> None:
        path = depots.services("nginx")
        async with depots.bringing(tmp_path, two) as depot:
            policy = depots.policy("p", "v1/Service", members=("one", "two"))
            depots.put(depot.folder, depots.service("nginx"), policy)
            for each in two.values():
                await until(lambda each=each: depots.get(each, path), "it is brought")
            there = depots.get(two["one"], path)
            assert there["metadata"]["labels"]["fedns.io/propagated"] == "true"
            await until(lambda: depot.states()["nginx"][0] == "applied")

            before = len(depots.writes(two["one"]))
            depots.put(depot.folder, depots.service("nginx", 81))
            await until(lambda: depots.get(two["two"], path)["spec"]["ports"][0]["port"] == 81)
            await until(lambda: depots.get(two["one"], path)["spec"]["ports"][0]["port"] == 81)
            await until(lambda: depot.states()["nginx"][0] == "applied")
            assert len(depots.writes(two["one"])) == before + 1, depots.writes(two["one"])

            two["one"].delete(there)
            await until(lambda: depots.get(two["one"], path), "it is there again")

            depots.remove(depot.folder, depots.service("nginx"))
            for each in two.values():
                await until(lambda each=each: not depots.get(each, path), "it is removed")
            await until(lambda: "matches nothing" in depot.problems())
            assert "fleet/propagationpolicy-p.json:1: PropagationPolicy" in depot.problems()

    asyncio.run(run())


def test_a_copy_that_is_applied_and_not_ready_there_is_told_as_such(tmp_path: Path, two: Two) -> None:
    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            told = depots.policy("p", "apps/v1/Deployment", MAPS, members=("one",))
            depots.put(depot.folder, depots.deployment("web"), depots.config_map("m"), told)

            def fit(name: str) -> object:
                stands = (one.stand for one in depot.dispatch.reasons(lambda what: what.name == name))
                rows = [one.row for one in stands if one is not None]
                return [(row.state, row.fit) for row in rows]

            await until(lambda: fit("web") == [("applied", False)] and fit("m") == [("applied", None)])
            there = depots.get(two["one"], depots.deployments("web"))
            able = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 2)
            status = {**able, "observedGeneration": there["metadata"]["generation"]}
            two["one"].put(there | {"status": status})
            await until(lambda: fit("web") == [("applied", True)])

    asyncio.run(run())


def test_a_member_that_has_not_said_which_cluster_it_is_is_told_of_with_what_it_waits_for(
    tmp_path: Path, two: Two
) -> None:
    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depot.parts.roster.mute("two")
            depots.put(depot.folder, depots.config_map("m"), depots.policy("p", MAPS))
            await until(lambda: depot.states("one").get("m", ("",))[0] == "applied")
            assert depot.states("two")["m"] == ("waiting", outpost.STRANGER)
            await until(lambda: ("two", "waiting") in depot.dispatch.census.states, "counted")
            reasons = {one.member: one.stand for one in depot.dispatch.reasons(lambda what: what.name == "m")}
            assert reasons["two"] is not None and reasons["two"].row.state == "waiting"
            assert not depots.writes(two["two"])
            depot.parts.roster.heard("two", two["two"])
            await until(lambda: depot.states("two")["m"][0] == "applied")
            await until(lambda: depot.dispatch.census.states.get(("two", "applied")) == 1, "counted")

    asyncio.run(run())


def test_who_does_not_hold_the_lease_says_so_and_what_else_keeps_copies_waiting_is_told_when_it_comes(
    tmp_path: Path, two: Two
) -> None:
    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:

            def told() -> set[str]:
                return {one.row.words.partition(":")[0] for one in depot.dispatch.census.ailing()}

            depot.lease.held = False
            depots.put(depot.folder, depots.config_map("m"), depots.policy("p", MAPS, members=("one",)))
            await until(lambda: told() == {outpost.FOLLOWS})
            two["one"].faults(forbidden=["configmaps"])
            depot.lease.held = True
            await until(lambda: told() == {"403 Forbidden"})
            assert depot.dispatch.census.states == {("one", "failing"): 1}
            two["one"].faults(forbidden=[])
            await until(lambda: depot.states()["m"][0] == "applied" and not told())

    asyncio.run(run())


def test_a_state_directory_that_takes_nothing_is_told_and_tried_again(tmp_path: Path, two: Two) -> None:
    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            kept = tmp_path / "state" / dispatch.FILE
            block = kept.with_suffix(".json.new")
            block.mkdir()
            depots.put(depot.folder, depots.config_map("m"), depots.policy("p", MAPS))
            await until(lambda: "of which kinds members have copies is not kept" in depot.problems())
            await until(lambda: depot.states()["m"][0] == "applied", "it stops nothing")
            block.rmdir()
            await until(lambda: kept.is_file() and "is not kept" not in depot.problems())

    asyncio.run(run())


def test_what_somebody_else_made_is_taken_only_by_leave(tmp_path: Path, two: Two) -> None:
    one = two["one"]
    one.put(depots.config_map("other", a="2"), depots.config_map("equal", a="1"))

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            wanted = [depots.config_map(name, a="1") for name in ("other", "equal", "fresh")]
            depots.put(depot.folder, *wanted, depots.policy("p", MAPS))
            await until(lambda: depot.states().get("fresh", ("",))[0] == "applied")
            await until(lambda: depot.states()["equal"][0] == "applied", "nothing of it changes")
            await until(lambda: depot.states()["other"][0] == "failing")
            assert "not ours" in depot.states()["other"][1]
            await until(lambda: "ConfigMap mynamespace/other: it is there already, other" in depot.problems())
            assert depots.get(one, depots.maps("other"))["data"] == {"a": "2"}
            assert "labels" not in depots.get(one, depots.maps("other"))["metadata"]

            depots.put(depot.folder, depots.policy("p", MAPS, conflictResolution="Overwrite"))
            await until(lambda: depot.states()["other"][0] == "applied")
            assert depots.get(one, depots.maps("other"))["data"] == {"a": "1"}

    asyncio.run(run())


@pytest.mark.parametrize("prune", [False, True])
def test_without_its_policy_a_copy_is_nobodys_unless_it_is_pruned(
    tmp_path: Path, two: Two, prune: bool
) -> None:
    policy = depots.policy("p", MAPS, **({"prune": True} if prune else {}))
    path = depots.maps("m")

    async def bring() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depots.put(depot.folder, depots.config_map("m", a="1"), policy)
            await until(lambda: all(depot.states(name).get("m", "")[:1] == ("applied",) for name in two))

    async def gone() -> None:
        depots.remove(tmp_path / "fleet", policy)
        async with depots.bringing(tmp_path, two):
            for each in two.values():
                await until(lambda each=each: _free(each, path) != prune)

    def _free(cluster: kubecluster.Cluster, path: str) -> bool:
        found = depots.get(cluster, path)
        if found is None:
            return False
        if "fedns.io/propagated" in found["metadata"].get("labels", {}):
            return prune  # not yet
        return found["data"] == {"a": "1"} and "annotations" not in found["metadata"]

    asyncio.run(bring())
    asyncio.run(gone())


def test_what_is_overwritten_is_in_the_log_without_what_is_secret(
    tmp_path: Path, two: Two, caplog: pytest.LogCaptureFixture
) -> None:
    """kubectl keeps a copy of the whole object in an annotation."""
    secret = depots.config_map("s") | {"kind": "Secret", "type": "Opaque", "data": {"password": "b3RoZXI="}}
    theirs = secret | {"data": {"password": "aHVudGVyMg=="}}
    notes = {template.APPLIED: "aHVudGVyMg==", "of": "somebody"}
    two["one"].put(theirs | {"metadata": {**theirs["metadata"], "annotations": notes}})

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            policy = depots.policy("p", "v1/Secret", members=("one",), conflictResolution="Overwrite")
            depots.put(depot.folder, secret, policy)
            await until(lambda: depot.states().get("s", ("",))[0] == "applied")

    asyncio.run(run())
    (told,) = [one for one in caplog.records if "is overwritten" in one.message]
    assert "somebody" in str(vars(told)) and "aHVudGVyMg==" not in str(vars(told))


def test_drift_is_put_right_but_not_taken_from_who_applies_it(tmp_path: Path, two: Two) -> None:
    one, path = two["one"], depots.maps("m")

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depots.put(depot.folder, depots.config_map("m", a="1"), depots.policy("p", MAPS))
            await until(lambda: depot.states().get("m", ("",))[0] == "applied")
            one.request("PATCH", f"{path}?fieldManager=kubectl-edit", {"data": {"a": "2", "b": "x"}}, MERGE)
            await until(lambda: depots.get(one, path)["data"] == {"a": "1", "b": "x"}, "b is theirs")

            told = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "3"}}
            one.request("PATCH", f"{path}?fieldManager=me&force=true", told, APPLY)
            await until(lambda: depot.states()["m"][0] == "failing")
            assert 'conflict with "me"' in depot.states()["m"][1]
            assert depots.get(one, path)["data"] == {"a": "3", "b": "x"}

    asyncio.run(run())


def test_replicas_are_handed_over_to_an_autoscaler(tmp_path: Path, two: Two) -> None:
    one, path = two["one"], depots.deployments("web")
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": depots.SPACE},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    }

    def scale(count: int) -> None:
        status, _ = one.request(
            "PUT",
            f"{path}/scale",
            {
                "apiVersion": "autoscaling/v1",
                "kind": "Scale",
                "metadata": {"name": "web", "namespace": depots.SPACE},
                "spec": {"replicas": count},
            },
        )
        assert status == 200

    def owns() -> bool:
        rows = depots.get(one, path)["metadata"]["managedFields"]
        own = [row["fieldsV1"]["f:spec"] for row in rows if row["manager"] == "fedns"]
        return any("f:replicas" in each for each in own)

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depots.put(depot.folder, depots.deployment("web", 5), depots.policy("p", "apps/v1/Deployment"))
            await until(lambda: depot.states().get("web", ("",))[0] == "applied")
            assert depots.get(one, path)["spec"]["replicas"] == 5 and owns()
            one.put(scaler)
            await until(lambda: not owns(), "handed over")
            assert depots.get(one, path)["spec"]["replicas"] == 5
            scale(11)
            depots.put(depot.folder, depots.deployment("web", 5, "nginx:2"))
            image = "nginx:2"
            await until(
                lambda: depots.get(one, path)["spec"]["template"]["spec"]["containers"][0]["image"] == image
            )
            assert depots.get(one, path)["spec"]["replicas"] == 11
            one.delete(scaler)
            await until(lambda: depots.get(one, path)["spec"]["replicas"] == 5 and owns(), "taken back")

    asyncio.run(run())


def test_one_that_is_refused_stops_no_other_and_is_told_in_the_servers_words(
    tmp_path: Path, two: Two
) -> None:
    two["one"].faults(broken=["m0"])

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            names = [f"m{at}" for at in range(6)]
            objects = [depots.config_map(name, a="1") for name in names]
            depots.put(depot.folder, *objects, depots.policy("p", MAPS))
            await until(
                lambda: (
                    [depot.states().get(name, ("",))[0] for name in names] == ["failing"] + ["applied"] * 5
                )
            )
            assert depot.states()["m0"][1].startswith("422 Invalid"), depot.states()["m0"]
            place = f"member one: ConfigMap {depots.SPACE}/m0: 422 Invalid"
            await until(lambda: place in depot.problems(), "told with the member's name")
            await until(lambda: depot.states("two")["m0"][0] == "applied")
            two["one"].faults(broken=[])
            await until(lambda: depot.states()["m0"][0] == "applied", "tried again")

    asyncio.run(run())


@pytest.mark.parametrize("faults", [{"broken": ["m"]}, {"forbidden": ["patch:configmaps"]}])
def test_what_was_refused_is_told_no_more_once_nothing_of_it_is_wanted(
    tmp_path: Path, two: Two, faults: dict[str, list[str]]
) -> None:
    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depots.put(depot.folder, depots.config_map("m", a="1"), depots.policy("p", MAPS))
            await until(lambda: depot.all("one") == {"applied"})
            two["one"].faults(**faults)
            depots.put(depot.folder, depots.config_map("m", a="2"))
            await until(lambda: depot.all("one") == {"failing"} and "member one" in depot.problems())
            depots.put(depot.folder, depots.config_map("m", a="1"))
            await until(lambda: depot.all("one") == {"applied"} and not depot.problems(), "taken back")

    asyncio.run(run())


def test_most_of_a_members_copies_go_only_when_somebody_means_it(tmp_path: Path, two: Two) -> None:
    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            objects = [depots.config_map(f"m{at}", a="1") for at in range(6)]
            most = depot.folder / "most.json"
            most.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects[:4]}))
            depots.put(depot.folder, *objects[4:], depots.policy("p", MAPS))
            await until(lambda: [row[0] for row in depot.states().values()] == ["applied"] * 6)
            await until(lambda: [row[0] for row in depot.states("two").values()] == ["applied"] * 6)
            most.unlink()  # all at once: the first of four files would go before the second is missed
            await until(lambda: [row[0] for row in depot.states().values()].count("held") == 4)
            await until(lambda: "4 of the 6 copies here are to go" in depot.problems())
            assert depots.get(two["one"], depots.maps("m0"))
            assert depot.dispatch.allow("one") == 4
            await until(lambda: not depots.get(two["one"], depots.maps("m0")))
            await until(lambda: len(depot.states()) == 2)
            assert len(depot.states("two")) == 6

    asyncio.run(run())


def test_no_copy_goes_because_somebody_looked_just_before(tmp_path: Path, two: Two) -> None:
    """Whatever may go is said to be going; what is held back never is."""
    seen: set[str] = set()

    async def look(depot: depots.Depot) -> None:
        while True:
            list(depot.dispatch.posts["one"].problems())
            seen.update(row[0] for row in depot.states().values())
            await asyncio.sleep(0.002)

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            objects = [depots.config_map(f"m{at}", a="1") for at in range(6)]
            most = depot.folder / "most.json"
            most.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects[:4]}))
            depots.put(depot.folder, *objects[4:], depots.policy("p", MAPS))
            await until(lambda: [row[0] for row in depot.states().values()] == ["applied"] * 6)
            looking = asyncio.ensure_future(look(depot))
            most.unlink()
            try:
                await until(lambda: [row[0] for row in depot.states().values()].count("held") == 4, "held")
                assert "removing" not in seen
            finally:
                looking.cancel()

    asyncio.run(run())


def test_namespaces_come_first_and_stay_unless_they_are_pruned(tmp_path: Path, two: Two) -> None:
    one = two["one"]
    policy = depots.policy("p", "v1/Namespace", MAPS)
    policy |= {"kind": "ClusterPropagationPolicy", "metadata": {"name": "p"}}
    space = kubecluster.namespace("fresh")
    inside = depots.config_map("m", a="1")
    inside["metadata"]["namespace"] = "fresh"

    async def run() -> None:
        async with depots.bringing(tmp_path, two, namespaces=False) as depot:
            depots.put(depot.folder, inside, policy)
            await until(lambda: depot.states().get("m", ("", ""))[1] == "there is no namespace fresh here")
            depots.put(depot.folder, space)
            await until(lambda: depot.states()["m"][0] == "applied")
            depots.remove(depot.folder, inside, space)
            await until(lambda: not depots.get(one, "/api/v1/namespaces/fresh/configmaps/m"))
            await until(
                lambda: (
                    "labels" not in depots.get(one, "/api/v1/namespaces/fresh")["metadata"]
                    or "fedns.io/propagated"
                    not in depots.get(one, "/api/v1/namespaces/fresh")["metadata"]["labels"]
                )
            )

    asyncio.run(run())


def test_nothing_is_written_without_the_lease(tmp_path: Path, two: Two) -> None:
    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depot.lease.held = False
            depots.put(depot.folder, depots.config_map("m"), depots.policy("p", MAPS))
            await until(lambda: depot.states().get("m", ("",))[0] == "waiting")
            assert depots.writes(two["one"]) == []
            depot.lease.held = True
            await until(lambda: depot.states()["m"][0] == "applied")

    asyncio.run(run())


def test_a_fleet_that_is_an_api_server(tmp_path: Path, two: Two) -> None:
    path = depots.services("nginx")
    with kubecluster.running() as hub:
        hub.put(kubecluster.namespace(depots.SPACE), depots.service("nginx"))

        async def run() -> None:
            async with depots.served(tmp_path / "s", hub, two) as depot:
                policy = depots.policy("p", "v1/Service")
                hub.put(policy)
                await until(lambda: depots.get(two["two"], path), "brought")
                await until(lambda: depot.states().get("nginx", ("",))[0] == "applied")
                hub.put(depots.service("nginx", 81))
                await until(lambda: depots.get(two["one"], path)["spec"]["ports"][0]["port"] == 81)
                hub.delete(depots.service("nginx"))
                for each in two.values():
                    await until(lambda each=each: not depots.get(each, path), "removed")
                hub.put(depots.service("nginx"))
                await until(lambda: depots.get(two["one"], path), "brought again")
                hub.delete(policy)
                await until(lambda: "labels" not in depots.get(two["one"], path)["metadata"], "let go")

        asyncio.run(run())


def test_the_fleets_objects_tell_how_their_copies_fare(tmp_path: Path, two: Two) -> None:
    path, web = depots.services("nginx"), depots.deployments("web")
    with kubecluster.running() as hub:
        hub.put(kubecluster.namespace(depots.SPACE), depots.service("nginx"), depots.deployment("web", 2))
        hub.put(depots.policy("p", "v1/Service", "apps/v1/Deployment"))

        def ways() -> list[str]:
            found = depots.get(hub, path).get("status", {}).get("loadBalancer", {}).get("ingress", ())
            return [each["ip"] for each in found]

        def ready() -> object:
            return depots.get(hub, web).get("status", {}).get("readyReplicas")

        def tell(name: str, where: str, status: object) -> None:
            assert two[name].request("PATCH", f"{where}/status", {"status": status}, MERGE)[0] == 200

        async def run() -> None:
            async with depots.served(tmp_path / "s", hub, two) as depot:
                for name in two:
                    await until(lambda name=name: len(depot.states(name)) == 2)
                    await until(lambda name=name: depot.all(name) == {"applied"})
                for name, address in (("one", "192.0.2.1"), ("two", "192.0.2.2")):
                    tell(name, path, {"loadBalancer": {"ingress": [{"ip": address}]}})
                    tell(name, web, {"replicas": 2, "readyReplicas": 2, "observedGeneration": 1})
                await until(lambda: ways() == ["192.0.2.1", "192.0.2.2"])
                await until(lambda: ready() == 4)
                hub.put(depots.policy("p", "v1/Service", "apps/v1/Deployment", members=("two",)))
                await until(lambda: ways() == ["192.0.2.2"] and ready() == 2, "absent, not unhealthy")

        asyncio.run(run())


@pytest.mark.parametrize("busy", [[500, "InternalError", 0], [429, "TooManyRequests", 1]])
def test_an_api_server_in_trouble_is_brought_up_to_date_when_it_is_over(
    tmp_path: Path, two: Two, busy: list[object]
) -> None:
    two["one"].faults(busy=busy)

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            objects = [depots.config_map(f"m{at}", a="1") for at in range(8)]
            depots.put(depot.folder, *objects, depots.policy("p", MAPS))
            await until(lambda: depot.all("two") == {"applied"} and len(depot.states("two")) == 8)
            await until(lambda: "failing" in depot.all("one"))
            depots.remove(depot.folder, objects[0])
            two["one"].faults(busy=[])
            await until(lambda: depot.all("one") == {"applied"} and len(depot.states("one")) == 7)

    asyncio.run(run())


def test_a_member_that_comes_back_is_brought_up_to_date_and_keeps_what_is_not_ours(
    tmp_path: Path, two: Two
) -> None:
    one = two["one"]
    one.put(depots.config_map("theirs", b="2"))

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            objects = [depots.config_map(f"m{at}", a="1") for at in range(6)]
            depots.put(depot.folder, *objects, depots.policy("p", MAPS))
            await until(lambda: depot.all("one") == {"applied"} and len(depot.states("one")) == 6)
            one.faults(refuse=[503, "ServiceUnavailable", 0], busy=[503, "ServiceUnavailable", 0])
            one.hangup()
            depots.put(depot.folder, depots.config_map("m1", a="2"), depots.config_map("new", a="1"))
            depots.remove(depot.folder, objects[0])
            await until(lambda: depots.get(two["two"], depots.maps("new")))
            assert depots.get(one, depots.maps("m0"))
            one.faults(refuse=[], busy=[])
            await until(lambda: depots.get(one, depots.maps("new")))
            await until(lambda: not depots.get(one, depots.maps("m0")))
            await until(lambda: depots.get(one, depots.maps("m1"))["data"] == {"a": "2"})
            assert depots.get(one, depots.maps("theirs"))["data"] == {"b": "2"}

    asyncio.run(run())


def test_what_an_object_needs_goes_with_it(tmp_path: Path, two: Two) -> None:
    web = depots.deployment("web")
    source = [{"configMapRef": {"name": "settings"}}]
    web["spec"]["template"]["spec"]["containers"][0]["envFrom"] = source

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            policy = depots.policy("p", "apps/v1/Deployment", propagateDeps=True)
            depots.put(depot.folder, web, depots.config_map("settings"), depots.config_map("other"), policy)
            await until(
                lambda: set(depot.states()) == {"web", "settings"} and depot.all("one") == {"applied"}
            )
            assert not depots.get(two["one"], depots.maps("other"))

    asyncio.run(run())


def test_what_goes_from_the_fleet_takes_its_time_and_its_copy_goes_all_the_same(
    tmp_path: Path, two: Two
) -> None:
    """A claim that finalizers keep outlives for a while who named it, which is all why it was copied."""
    web = depots.deployment("web")
    source = [{"configMapRef": {"name": "settings"}}]
    web["spec"]["template"]["spec"]["containers"][0]["envFrom"] = source
    settings = depots.config_map("settings")
    going = {**settings, "metadata": {**settings["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            policy = depots.policy("p", "apps/v1/Deployment", propagateDeps=True)
            depots.put(depot.folder, web, settings, policy)
            await until(lambda: len(depot.states()) == 2 and depot.all("one") == {"applied"})
            depots.put(depot.folder, going)
            depots.remove(depot.folder, web)
            await until(lambda: not depots.get(two["one"], depots.deployments("web")))
            await until(lambda: "is being removed from the fleet" in depot.states()["settings"][1])
            depots.remove(depot.folder, going)
            await until(lambda: not depots.get(two["one"], depots.maps("settings")), "its copy")

    asyncio.run(run())


def test_a_kind_that_a_member_does_not_know_keeps_nothing_else_waiting(tmp_path: Path, two: Two) -> None:
    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            meta = {"name": "w", "namespace": depots.SPACE}
            widget = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": meta}
            policy = depots.policy("p", MAPS, "example.org/v1/Widget")
            depots.put(depot.folder, depots.config_map("m"), widget, policy)
            await until(lambda: depot.states().get("m", ("",))[0] == "applied")
            await until(lambda: "there is no kind Widget" in depot.states()["w"][1])
            depots.remove(depot.folder, depots.config_map("m"))
            await until(lambda: not depots.get(two["one"], depots.maps("m")), "removed")

    asyncio.run(run())


def test_policies_know_a_member_by_its_other_names_its_provider_and_its_taints(
    tmp_path: Path, two: Two
) -> None:
    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            members = depot.parts.roster.members
            taints = (Taint("maintenance", "", "NoSchedule"),)
            members["one"] = structs.replace(members["one"], aliases=("c1",), provider="p")
            members["two"] = structs.replace(members["two"], provider="p", taints=taints)
            by_id = depots.policy("id", MAPS, members=("c1",))
            row = {"key": "provider", "operator": "In", "values": ["p"]}
            fields = {"clusterAffinity": {"fieldSelector": {"matchExpressions": [row]}}}
            by_field = depots.policy("field", "v1/Service", placement=fields)
            depots.put(depot.folder, by_id, by_field, depots.config_map("m", a="1"), depots.service("s"))
            for name in ("m", "s"):
                await until(lambda name=name: depot.states().get(name, ("",))[0] == "applied")
            assert depot.states("two") == {} and "unknown" not in depot.problems()

    asyncio.run(run())


def test_the_fleets_own_cluster_gets_no_copies_of_what_it_has(tmp_path: Path, two: Two) -> None:
    async def run() -> None:
        with kubecluster.running() as hub:
            hub.put(kubecluster.namespace(depots.SPACE), depots.deployment("web", 4))
            division = {"replicaSchedulingType": "Divided"}
            everywhere = {"placement": {"replicaScheduling": division}}
            hub.put(depots.policy("p", "apps/v1/Deployment", **everywhere))
            async with depots.served(tmp_path, hub, two) as depot:
                roster = depot.parts.roster
                roster.settle("home", hub)
                await until(lambda: depot.states("one").get("web", ("",))[0] == "applied")
                await until(lambda: depot.states("two").get("web", ("",))[0] == "applied")
                replicas = [
                    depots.get(each, depots.deployments("web"))["spec"]["replicas"] for each in two.values()
                ]
                assert replicas == [2, 2] and depot.states("home") == {}
                here = depots.get(hub, depots.deployments("web"))
                assert here["spec"]["replicas"] == 4 and depots.LABEL not in here["metadata"].get(
                    "labels", {}
                )
                assert "home" not in depot.dispatch.posts

    asyncio.run(run())
