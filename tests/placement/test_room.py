"""Room for pods: allocatable less what is asked for, node by node."""

from fractions import Fraction

import pytest

from fedns.placement import quantity, room
from tests.placement import worlds

NODE = """
{apiVersion: v1, kind: Node, metadata: {name: NAME}, spec: {},
 status: {allocatable: {cpu: "4", memory: 8Gi, pods: "110"}, conditions: [{type: Ready, status: "True"}]}}
"""
POD = """
{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: x}, spec: {nodeName: n1,
 containers: [{name: c, resources: {requests: {cpu: 1500m, memory: 1Gi}}}]}}
"""
ASKS = worlds.DEPLOYMENT.replace("image:", "resources: {requests: {cpu: 500m, memory: 1Gi}}, image:")
N1, N2 = (worlds.one(NODE.replace("NAME", name)) for name in ("n1", "n2"))


def pods(*items: object, template: str = ASKS) -> int | None:
    nodes = room.free(items)  # type: ignore[arg-type]
    return None if nodes is None else room.pods(worlds.one(template), nodes)


def test_the_scarcest_resource_counts() -> None:
    assert pods(N1, N2) == 16
    assert pods(N1, N2, worlds.one(POD)) == 13


def test_nodes_that_take_no_pods_have_no_room() -> None:
    cordoned = worlds.one(NODE.replace("NAME", "n3").replace("spec: {}", "spec: {unschedulable: true}"))
    sick = worlds.one(NODE.replace("NAME", "n4").replace('status: "True"', 'status: "False"'))
    assert pods(N1, cordoned, sick) == 8


def test_pods_that_are_done_ask_for_nothing() -> None:
    done = worlds.one(POD) | {"status": {"phase": "Succeeded"}}
    assert pods(N1, done) == 8


def test_not_known() -> None:
    assert pods() is None
    assert pods(N1, template=worlds.DEPLOYMENT) is None
    assert pods(N1, template=worlds.SERVICE) is None


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("500m", Fraction(1, 2)),
        ("1Gi", 1 << 30),
        ("1k", 1000),
        ("1e3", 1000),
        ("1Ei", 1 << 60),
        ("1E", 10**18),
        (".5", Fraction(1, 2)),
        ("0.1", Fraction(1, 10)),
        ("x", None),
        ("1Zi", None),
        ("", None),
    ],
)
def test_quantities(text: str, amount: object) -> None:
    assert quantity.read(text) == amount
