"""Dividing by what is available, and packing."""

from fedns.model.propagation import Clusters, Division, Weight
from fedns.placement import division, matching

ABC = [matching.Member(name) for name in "abc"]
BY_ROOM = Division("Weighted", (), True)
PACKED = Division("Aggregated")


def load(total: int, room: dict[str, int] | None = None, **before: int) -> division.Load:
    return division.Load(total, "", before, room or {})


def test_by_room() -> None:
    found = division.divided(BY_ROOM, load(12, {"a": 18, "b": 12, "c": 6}), ABC)
    assert found.replicas == {"a": 6, "b": 4, "c": 2} and not found.doubt
    assert found.why["a"] == "6 of 12 replicas by room for 18"


def test_where_room_is_not_known_it_is_even_and_told() -> None:
    found = division.divided(BY_ROOM, load(6, {"a": 18}), ABC)
    assert found.replicas == {"a": 2, "b": 2, "c": 2}
    assert found.doubt == "what b, c can take is not known: evenly divided"


def test_members_keep_what_they_have_by_room() -> None:
    room = {"a": 10, "b": 10, "c": 10}
    assert division.divided(BY_ROOM, load(6, room, a=5, b=1), ABC).replicas == {"a": 5, "b": 1, "c": 0}
    assert division.divided(BY_ROOM, load(9, room, a=5, b=1), ABC).replicas == {"a": 6, "b": 2, "c": 1}
    assert division.divided(BY_ROOM, load(3, room, a=5, b=1), ABC).replicas == {"a": 2, "b": 1, "c": 0}


def test_more_than_there_is_room_for_is_told() -> None:
    found = division.divided(BY_ROOM, load(9, {"a": 1, "b": 1, "c": 1}), ABC)
    assert sum(found.replicas.values()) == 9 and found.doubt == "a, b, c cannot take that many"


def test_packed_into_as_few_as_can_take_it() -> None:
    room = {"a": 6, "b": 12, "c": 6}
    assert division.divided(PACKED, load(12, room), ABC).replicas == {"a": 0, "b": 12, "c": 0}
    assert division.divided(PACKED, load(15, room), ABC).replicas == {"a": 5, "b": 10, "c": 0}


def test_packing_stays_where_it_is() -> None:
    room = {"a": 6, "b": 12, "c": 6}
    assert division.divided(PACKED, load(4, room, c=4), ABC).replicas == {"a": 0, "b": 0, "c": 4}
    assert division.divided(PACKED, load(9, room, a=2, c=4), ABC).replicas == {"a": 5, "b": 0, "c": 4}
    assert division.divided(PACKED, load(3, room, a=2, c=4), ABC).replicas == {"a": 0, "b": 0, "c": 3}


def test_by_weights_says_of_how_much() -> None:
    told = Division("Weighted", (Weight(Clusters(names=("a",)), 2), Weight(Clusters(), 1)))
    found = division.divided(told, load(8), ABC)
    assert found.replicas == {"a": 4, "b": 2, "c": 2}
    assert found.why["a"] == "4 of 8 replicas by weight 2 of 4"


def test_duplicated() -> None:
    assert division.duplicated(3, ABC).replicas == {"a": 3, "b": 3, "c": 3}
