"""Lists taken apart: what comes out is what stands there, and parts that are alike are one."""

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from fedns.distribute import pool
from fedns.kube.failure import Unreachable

TEXT = strategies.text(max_size=40)
TREE = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers(-9, 2**40) | TEXT,
    lambda below: strategies.lists(below, max_size=3) | strategies.dictionaries(TEXT, below, max_size=3),
    max_leaves=12,
)
ROWS = strategies.lists(strategies.dictionaries(TEXT, TREE, max_size=3), max_size=3)
ABOUT = strategies.builds(
    lambda told, rows: {**told, "managedFields": rows}, strategies.dictionaries(TEXT, TREE), ROWS
)
OBJECT = strategies.builds(
    lambda told, about: {**told, "metadata": about}, strategies.dictionaries(TEXT, TREE), ABOUT
)


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(strategies.lists(OBJECT, max_size=4), strategies.sampled_from(["", "next"]))
def test_what_comes_out_is_what_json_says_in_its_order(items: list[Any], more: str) -> None:
    parts = pool.Pool()
    data = json.dumps({"metadata": {"continue": more, "resourceVersion": "7"}, "items": items}).encode()
    for _ in range(2):  # made, and found again
        found, again = parts.page(data)
        assert json.dumps(found) == json.dumps(items) and again == more


def test_what_clusters_have_alike_is_there_once() -> None:
    parts, fields = pool.Pool(), {"f:spec": {"f:replicas": {}}}
    found = []
    for number in range(2):
        rows = [{"manager": "fedns", "time": f"2026-01-0{number + 1}T00:00:00Z", "fieldsV1": fields}]
        about = {"name": "web", "uid": str(number), "labels": {"app": "web", "team": "shop"}}
        told = {"metadata": {**about, "managedFields": rows}, "spec": {"replicas": 3, "paused": False}}
        ((one,), _) = parts.page(json.dumps({"items": [told]}).encode())
        assert one == told
        found.append(one)
    first, second = found
    assert first["spec"] is second["spec"] and first["metadata"]["labels"] is second["metadata"]["labels"]
    mine, theirs = (each["metadata"]["managedFields"][0] for each in found)
    assert mine["fieldsV1"] is theirs["fieldsV1"] and mine["time"] != theirs["time"]


@pytest.mark.parametrize("data", [b"<html>", b'{"items": [{"spec": {"a": ]}]}', b'{"items": [1]}'])
def test_what_is_no_list_is_a_failure(data: bytes) -> None:
    with pytest.raises(Unreachable):
        pool.Pool().page(data)


def test_a_list_without_items_is_empty() -> None:
    assert pool.Pool().page(b'{"items": null, "metadata": null}') == ([], "")
