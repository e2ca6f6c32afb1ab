"""Spread over zones, regions, providers and labels."""

from fedns.model.propagation import Spread
from fedns.placement import matching, spreading

MEMBERS = [
    matching.Member("a", region="eu", zones=("eu-1", "eu-2"), labels={"rack": "x"}),
    matching.Member("b", region="eu", zones=("eu-1",), labels={"rack": "y"}),
    matching.Member("c", region="us", zones=("us-1",), labels={"rack": "x"}),
    matching.Member("d"),
]
NO_ORDER: dict[str, tuple[int, ...]] = {}


def names(*spread: Spread, order: dict[str, tuple[int, ...]] = NO_ORDER) -> str:
    found = spreading.taken(MEMBERS, spread, order)
    return found.error or "".join(each.name for each in found.members)


def test_without_constraints_all_are_taken() -> None:
    assert names() == "abcd"


def test_members_without_the_field_are_left_with_the_reason() -> None:
    found = spreading.taken(MEMBERS, [Spread("region")], NO_ORDER)
    assert [each.name for each in found.members] == ["a", "b", "c"]
    assert found.left == {"d": "it has no region to be spread by"}


def test_too_few_groups_are_no_placement() -> None:
    assert names(Spread("region", least=3)) == "there are 2 regions, and 3 are asked for"
    assert names(Spread("cluster", least=5)) == "there are 4 clusters, and 5 are asked for"


def test_no_more_groups_than_asked_for_the_preferred_first() -> None:
    assert names(Spread("region", most=1)) == "ab"
    assert names(Spread("region", most=1), order={"c": (0,), "a": (1,), "b": (1,)}) == "c"


def test_no_more_members_than_asked_for_one_of_each_group_first() -> None:
    assert names(Spread("region", least=2), Spread("cluster", most=2)) == "ac"
    assert names(Spread("cluster", most=2)) == "ab"


def test_by_label() -> None:
    assert names(Spread(label="rack", least=2), Spread("cluster", most=2)) == "ab"


def test_a_member_in_several_zones_counts_in_each() -> None:
    assert names(Spread("zone", least=3)) == "abc"
    assert names(Spread("zone", least=4)).startswith("there are 3 zones")


def test_members_with_room_take_the_place_of_those_without_where_it_is_not_enough() -> None:
    need = spreading.Need(80, {"a": 40, "b": 30, "c": 60, "d": 0})
    order: dict[str, tuple[int, ...]] = {name: (at,) for at, name in enumerate("abcd")}
    found = spreading.taken(MEMBERS, [Spread("cluster", least=1, most=2)], order, need)
    assert [each.name for each in found.members] == ["a", "c"]
    assert found.left["b"] == "`maxGroups` of cluster is 2, filled by a, c"
    much = need._replace(replicas=200)
    found = spreading.taken(MEMBERS, [Spread("cluster", least=1, most=2)], order, much)
    assert [each.name for each in found.members] == ["a", "b"]
