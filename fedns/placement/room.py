"""How many more pods of one kind a member has room for, by what its nodes have and its pods ask for.

Law: pure, an estimate as Kubernetes' scheduler counts: requests against what is allocatable, node by node.
Where a member tells of no node, or the pods ask for nothing, it is not known.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from fedns.placement import item, pod, quantity

KINDS = (("", "Node"), ("", "Pod"))
PODS = "pods"
DONE = ("Succeeded", "Failed")

Amounts = dict[str, Fraction]
Nodes = tuple[Amounts, ...]
"""What is free on each node that takes pods."""


def free(items: Iterable[item.Item]) -> Nodes | None:
    """What is left on the nodes among these objects; None: there is none that tells."""
    nodes: dict[str, Amounts] = {}
    asked: list[item.Item] = []
    for each in items:
        what = item.ref(each)
        if (what.group, what.kind) == ("", "Node") and item.at(each, "status", "allocatable"):
            if not item.at(each, "spec", "unschedulable") and _ready(each):
                nodes[what.name] = _amounts(item.at(each, "status", "allocatable"))
            else:
                nodes[what.name] = {}
        elif (what.group, what.kind) == ("", "Pod") and item.at(each, "status", "phase") not in DONE:
            asked.append(each)
    for each in asked:
        left = nodes.get(str(item.at(each, "spec", "nodeName")), {})
        for name, amount in _wanted(each).items():
            left[name] = left.get(name, Fraction(0)) - amount
    return tuple(nodes.values()) or None


def pods(template: item.Item, nodes: Nodes) -> int | None:
    """How many pods of a template fit on the nodes; None: they ask for nothing."""
    if pod.spec(template) is None:
        return None
    wanted = _wanted(template)
    if not any(amount for name, amount in wanted.items() if name != PODS):
        return None
    return sum(_fit(wanted, each) for each in nodes)


def _fit(wanted: Amounts, left: Amounts) -> int:
    counts = [
        left.get(name, Fraction(0)) // amount
        for name, amount in wanted.items()
        if amount and (name in left or name != PODS)
    ]
    return max(0, int(min(counts, default=Fraction(0))))


def _wanted(found: item.Item) -> Amounts:
    """What one pod asks for."""
    total: Amounts = {PODS: Fraction(1)}
    for container in item.several(pod.spec(found), "containers"):
        for name, amount in _amounts(item.at(container, "resources", "requests")).items():
            total[name] = total.get(name, Fraction(0)) + amount
    return total


def _amounts(told: Any) -> Amounts:
    found = told.items() if isinstance(told, Mapping) else ()
    return {name: amount for name, text in found if (amount := quantity.read(str(text))) is not None}


def _ready(node: item.Item) -> bool:
    conditions = item.several(node, "status", "conditions")
    return all(item.at(each, "status") == "True" for each in conditions if item.at(each, "type") == "Ready")
