"""Older ways to choose members: operators of federation v1's annotation."""

import json

import pytest

from fedns.placement import legacy, matching

MEMBER = matching.Member("m", labels={"version": "15", "name": "x"})


@pytest.mark.parametrize(
    ("key", "operator", "values", "meets"),
    [
        ("version", "gt", ["14"], True),
        ("version", "<", ["16"], True),
        ("version", "Lt", ["15"], False),
        ("absent", ">", ["1"], False),
        ("name", "<", ["1"], False),
        ("absent", "notin", ["x"], True),
        ("absent", "!", [], True),
        ("name", "exists", [], True),
        ("name", "in", ["x", "y"], True),
    ],
)
def test_operators(key: str, operator: str, values: list[str], meets: bool) -> None:
    text = json.dumps([{"key": key, "operator": operator, "values": values}])
    assert legacy.annotated(MEMBER, text) is meets


@pytest.mark.parametrize(
    ("operator", "values"),
    [("in", []), ("=", ["a", "b"]), ("exists", ["a"]), (">", []), (">", ["one"]), ("near", ["a"])],
)
def test_what_kubernetes_would_not_take_is_unreadable(operator: str, values: list[str]) -> None:
    with pytest.raises(legacy.Unreadable):
        legacy.annotated(MEMBER, json.dumps([{"key": "name", "operator": operator, "values": values}]))
