"""Admission webhooks with an endpoint, in a real member: one that says no in its own words, one that makes
something else of what it is given.

Law: tests share their clusters, one `fedns serve` and the webhook; each has objects of its own name.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control import depots
from tests.envtest import clusters
from tests.scenarios import copies, hubs, reviews, world

QUIET = 8.0
"""Seconds without a write: longer than any look of the writer."""
NO = "barred cannot be used here, ask security@example.org"
"""As RBAC speaks, but of this one object."""


@pytest.fixture(scope="module")
def hub(_farm: clusters.Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[hubs.Hub]:
    with hubs.running(_farm, tmp_path_factory.mktemp("fleet")) as made:
        yield made


@pytest.fixture
def judge(hub: hubs.Hub, tmp_path: Path) -> Iterator[reviews.Judge]:
    """Asked by one member from now on; it knows no word about anything yet."""
    with reviews.opened(tmp_path / "judge") as made:
        asks = [made.configuration(kind) for kind in (reviews.VALIDATING, reviews.MUTATING)]
        hub.one.put(*asks)
        probe = depots.config_map("probe", at="1")

        def asked() -> bool:
            hub.one.call(
                "PATCH", f"{clusters.path(probe)}?fieldManager=t&dryRun=All", probe, "apply-patch+yaml"
            )
            return made.asked.count("probe") > 1

        world.until(asked, "both are asked")
        yield made
        hub.one.delete(*asks)


def writes(audit: copies.Audit, one: copies.Object) -> list[copies.Write]:
    return [each for each in audit.writes() if each.name == one["metadata"]["name"]]


def quiet(audit: copies.Audit, *objects: copies.Object) -> None:
    """Fails unless nobody writes these any more."""
    before, begun = [writes(audit, each) for each in objects], time.monotonic()
    world.until(lambda: time.monotonic() - begun > QUIET, "for a while")
    assert [writes(audit, each) for each in objects] == before


def test_what_a_webhook_refuses_is_told_in_its_words_and_comes_when_it_thinks_otherwise(
    hub: hubs.Hub, judge: reviews.Judge
) -> None:
    judge.refused["barred"] = NO
    barred, free = depots.config_map("barred", at="1"), depots.config_map("barred-not", at="1")
    late = depots.config_map("barred-later", at="1")
    audit = copies.Audit(hub.one)
    hub.bring(barred, free, late, members=("one", "two"))
    for each in (free, late):
        hub.until(each, "applied")
    hub.until(barred, "applied", "two")
    hub.until(barred, "failing")
    assert NO in hub.told(barred)[1] and "judge.example.org" in hub.told(barred)[1]
    world.until(lambda: NO in hub.served.fedns("status").stdout, "shown")
    world.until(lambda: NO in hub.served.problems(), "told")
    world.until(lambda: len(writes(audit, barred)) > 2, "it is tried again")
    hub.farm.fleet.put(depots.config_map("barred-later", at="2"))
    world.until(lambda: hub.one.get(late)["data"] == {"at": "2"}, "others go on")
    assert {each.code for each in writes(audit, barred)} == {403}
    assert {each.code for name in (free, late) for each in writes(audit, name)} <= {200, 201}
    del judge.refused["barred"]
    hub.until(barred, "applied")
    world.until(lambda: NO not in hub.served.problems(), "over")
    quiet(audit, barred, free, late)


def test_what_a_webhook_refuses_to_remove_is_removed_when_it_thinks_otherwise(
    hub: hubs.Hub, judge: reviews.Judge
) -> None:
    kept = depots.config_map("kept", at="1")
    hub.bring(kept)
    hub.until(kept, "applied")
    judge.refused["kept"] = NO.replace("barred", "kept")
    hub.farm.fleet.delete(kept)
    world.until(lambda: "kept cannot be used here" in hub.told(kept)[1], "told")
    assert hub.state(kept) == "removing" and copies.there(hub.one, kept)
    del judge.refused["kept"]
    world.until(lambda: copies.there(hub.one, kept) is None, "removed", 60.0)


def test_what_a_webhook_makes_of_a_copy_is_not_fought_over(hub: hubs.Hub, judge: reviews.Judge) -> None:
    """It adds what we do not say, a container say, and writes what we say otherwise."""
    web, told = depots.deployment("webbed", 2), depots.config_map("webbed-map", at="1")
    image = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "mirror/nginx"}
    more = {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "mesh", "image": "m"}}
    labels = {"op": "add", "path": "/metadata/labels/theirs", "value": "x"}
    judge.changed["webbed"] = [image, {"op": "add", "path": "/metadata/annotations/theirs", "value": "x"}]
    judge.changed["webbed-map"] = [labels, {"op": "replace", "path": "/data/at", "value": "theirs"}]
    audit = copies.Audit(hub.one)
    hub.bring(web, told)
    for each in (web, told):
        hub.until(each, "applied")
    judge.changed["webbed"] = [more, *judge.changed["webbed"]]
    before = len(writes(audit, web))
    hubs.edit(hub.one, web, {"metadata": {"annotations": {"theirs": "y"}}})
    world.until(lambda: len(writes(audit, web)) > before, "put right, as far as we are asked")
    hub.until(web, "applied")
    quiet(audit, web, told)
    found = hub.one.get(web)
    containers = {each["name"]: each["image"] for each in found["spec"]["template"]["spec"]["containers"]}
    assert containers == {"c": "mirror/nginx", "mesh": "m"}
    assert (
        hub.one.get(told)["data"] == {"at": "theirs"} and "theirs" in hub.one.get(told)["metadata"]["labels"]
    )
    assert len(writes(audit, told)) == 1 and len(writes(audit, web)) <= 3
    hub.farm.fleet.put(depots.deployment("webbed", 3))
    world.until(lambda: hub.one.get(web)["spec"]["replicas"] == 3, "what changes in the fleet goes on")
    hub.until(web, "applied")
    copies.restarted(hub.served, hub.farm)
    world.until(lambda: hub.served.up() and hub.served.api("/api/v1/status")["writer"]["held"], "it writes")
    for each in (web, told):
        hub.until(each, "applied")
    before = len(writes(audit, told))
    quiet(audit, web, told)
    assert before <= 2, "once anew after a restart"
