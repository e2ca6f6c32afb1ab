"""Operations on an object: indexes as `kubectl patch` has them, all else as the RFC has it."""

from typing import Any

import pytest

from fedns.model.propagation import Patch
from fedns.placement import patches

OBJECT = {"list": [1, 2, 3], "map": {"-1": 5, "deep": [[1], [2]]}, "a/b": 1, "c~d": 2}


def applied(operator: Any, path: str, value: Any = None) -> Any:
    return patches.applied(OBJECT, [Patch(operator, path, value)])


@pytest.mark.parametrize(
    ("operator", "path", "after"),
    [
        ("add", "/list/-1", [1, 2, 3, 9]),
        ("add", "/list/-4", [9, 1, 2, 3]),
        ("add", "/list/-", [1, 2, 3, 9]),
        ("add", "/list/3", [1, 2, 3, 9]),
        ("add", "/list/+0", [9, 1, 2, 3]),
        ("replace", "/list/-1", [1, 2, 9]),
        ("replace", "/list/01", [1, 9, 3]),
        ("remove", "/list/-3", [2, 3]),
    ],
)
def test_places_in_a_list(operator: str, path: str, after: list[int]) -> None:
    assert applied(operator, path, 9)["list"] == after


def test_places_on_the_way() -> None:
    assert applied("replace", "/map/deep/-1/00", 9)["map"]["deep"] == [[1], [9]]
    assert patches.looked(OBJECT, "/map/deep/-1") == [2]


def test_names_are_no_places() -> None:
    assert applied("replace", "/map/-1", 9)["map"]["-1"] == 9
    assert applied("replace", "/a~1b", 9)["a/b"] == applied("replace", "/c~0d", 9)["c~d"] == 9
    assert applied("add", "/map/01", 9)["map"]["01"] == 9


@pytest.mark.parametrize(
    ("operator", "path"),
    [
        ("add", "/list/-5"),
        ("add", "/list/4"),
        ("add", "/list/x"),
        ("add", "/list/99999999999999999999"),
        ("add", "/list/\u0661"),
        ("add", "/list/0/x"),
        ("add", "/none/0"),
        ("replace", "/list/3"),
        ("replace", "/list/-4"),
        ("replace", "/none"),
        ("replace", "list/0"),
        ("replace", "/c~2d"),
        ("remove", "/list/-"),
        ("remove", "/none"),
    ],
)
def test_what_cannot_be_done_is_refused(operator: str, path: str) -> None:
    with pytest.raises(patches.Refused, match=operator):
        applied(operator, path, 9)


def test_all_or_none() -> None:
    with pytest.raises(patches.Refused):
        patches.applied(OBJECT, [Patch("remove", "/list/0"), Patch("remove", "/none")])
    assert OBJECT["list"] == [1, 2, 3]
