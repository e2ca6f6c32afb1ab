"""Copies for a running server: as a plan has them, and only what differs decided again."""

import random

import pytest
from msgspec import structs

from fedns.model.propagation import Affinity, Clusters, Placement, Propagation, Resources
from fedns.placement import assignment, item, matching, schedule
from tests.placement import worlds

MEMBERS = [matching.Member(name) for name in ("a", "b", "c")]
SERVICES = Resources("v1", "Service")


def service(name: str, port: int = 80) -> item.Item:
    spec = {"ports": [{"port": port}]}
    meta = {"name": name, "namespace": "n", "generation": 3}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def policy(*names: str) -> Propagation:
    return Propagation("p", "n", (SERVICES,), Placement((Affinity(Clusters(names=names)),)))


def fleet(*items: item.Item, to: tuple[str, ...] = ("a", "b")) -> assignment.Fleet:
    return assignment.Fleet({item.ref(each): each for each in items}, (policy(*to),))


def told(made: assignment.Assignment) -> dict[str, dict[item.Ref, bytes]]:
    return {
        each.name: {what: copy.digest for what, copy in made.copies(each.name).items()} for each in MEMBERS
    }


def test_members_that_get_the_same_share_one_copy() -> None:
    made = assignment.Assignment(fleet(service("s")), MEMBERS, {})
    (one,), (other,) = made.copies("a").values(), made.copies("b").values()
    assert one is other and one.generation == 3 and made.copies("c") == {}
    assert one.item["metadata"]["labels"] == {"fedns.io/propagated": "true"}


def test_what_keeps_each_member_from_what_goes_nowhere_is_named() -> None:
    """The first condition that stopped it, not only that nobody is left."""
    tainted = matching.Member("a", taints=(matching.Taint("maintenance", "", "NoExecute"),))
    made = assignment.Assignment(fleet(service("s"), to=("a",)), [tainted, MEMBERS[1]], {})
    nobody, what = "it goes to no member: no member is selected", item.ref(service("s"))
    assert made.why(what, "a") == (nobody, "its taint maintenance:NoExecute is not tolerated")
    assert made.why(what, "b") == (nobody, "it is none of a")


def test_only_what_differs_is_decided_again() -> None:
    one, two = service("one"), service("two")
    before = assignment.Assignment(fleet(one, two), MEMBERS, {})
    first = before.copy(item.ref(one), "a")
    after = assignment.Assignment(fleet(one, service("two", 81)), MEMBERS, {}, before)
    assert after.changed == {item.ref(two)}
    assert after.copy(item.ref(one), "a") is first
    assert after.copy(item.ref(two), "a").item["spec"]["ports"] == [{"port": 81}]  # type: ignore[union-attr]
    both = {item.ref(one), item.ref(two)}
    assert assignment.Assignment(fleet(one, two, to=("c",)), MEMBERS, {}, after).changed == both
    load = {item.ref(one): schedule.Load(frozenset({"a"}))}
    assert assignment.Assignment(after.fleet, MEMBERS, load, after).changed == set(), "it is all the same"
    assert assignment.Assignment(after.fleet, MEMBERS[:2], {}, after).changed is None


@pytest.mark.parametrize("seed", range(20))
def test_step_by_step_comes_to_the_same_as_at_once(seed: int) -> None:
    chance = random.Random(seed)
    templates = {name: service(name) for name in "opqrst"}
    made = assignment.Assignment(fleet(*templates.values()), MEMBERS, {})
    for _ in range(8):
        name = chance.choice("opqrst")
        if name in templates and chance.random() < 0.4:
            del templates[name]
        else:
            templates[name] = service(name, chance.randrange(1, 4))
        now = fleet(*templates.values())
        made = assignment.Assignment(now, MEMBERS, {}, made)
        assert told(made) == told(assignment.Assignment(now, MEMBERS, {}))


def test_another_override_is_looked_at_object_by_object() -> None:
    """So that who has thousands of objects can do something else in between."""
    templates = [service(f"s-{number}") for number in range(50)]
    before = assignment.Assignment(fleet(*templates), MEMBERS, {})
    override = worlds.override(
        "overriders: {labelsOverrider: [{operator: add, value: {x: y}}]}", namespace="n"
    )
    now = structs.replace(before.fleet, overrides=(override,))
    after = assignment.Assignment(now, MEMBERS, {}, before, at_once=False)
    assert sum(1 for _ in after.steps()) >= len(templates)
    assert after.changed == before.refs()
