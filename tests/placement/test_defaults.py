"""What goes to members though no policy selects it."""

from typing import Any

import pytest

from fedns.placement import defaults, plan
from tests.placement import worlds

SERVICES = defaults.SERVICES


def service(more: str = "", annotations: str = "", space: str = "prod", name: str = "web") -> str:
    return f"""
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {space}, annotations: {{{annotations}}}}}
spec: {{ports: [{{port: 80}}], {more}}}
"""


@pytest.mark.parametrize(
    ("text", "goes"),
    [
        (service("type: LoadBalancer"), True),
        (service("type: ClusterIP"), False),
        (service("externalIPs: [192.0.2.1]"), True),
        (service("type: ClusterIP", "fedns.io/publish: 'true'"), True),
        (service("type: LoadBalancer", "fedns.io/publish: 'false'"), False),
        (service("type: LoadBalancer", "fedns.io/distribute: 'false'"), False),
        (service("type: LoadBalancer", space="default"), True),
        (service("type: LoadBalancer", space="default", name="kubernetes"), False),
        (service("type: LoadBalancer", space="kube-system"), False),
        (service("type: LoadBalancer", space="kube-other"), False),
    ],
)
def test_federated_services_go_everywhere(text: str, goes: bool) -> None:
    made = plan.made(worlds.world(text, SERVICES))
    assert worlds.actions(made) == ([f"{name}: create Service" for name in "abc"] if goes else [])
    assert all(each.policy == "the default policy" and each.why[0] == defaults.WHY for each in made.steps)
    assert not made.warnings and not made.errors


def test_a_policy_that_selects_it_wins_whatever_its_priority() -> None:
    one = worlds.everything("placement: {clusterAffinity: {clusterNames: [a]}}\npriority: -5", namespace="")
    made = plan.made(worlds.world(service("type: LoadBalancer"), SERVICES, one))
    assert worlds.actions(made) == ["a: create Service"]


def has(*policies: Any) -> dict[str, list[Any]]:
    made = plan.made(worlds.world(service("type: LoadBalancer"), *policies))
    return {name: worlds.after(made, name) for name in "abc"}


def test_turned_off_its_copies_are_let_go_and_a_policy_takes_them_over() -> None:
    there = has(SERVICES)
    off = plan.made(worlds.world(service("type: LoadBalancer"), has=there))
    assert worlds.actions(off) == [f"{name}: orphan Service" for name in "abc"]
    one = worlds.everything("placement: {clusterAffinity: {clusterNames: [a]}}")
    less = plan.made(worlds.world(service("type: LoadBalancer"), SERVICES, one, has=there))
    assert worlds.actions(less) == ["a: update Service", "b: delete Service", "c: delete Service"]


def test_while_not_all_policies_are_known_it_takes_nothing_and_loses_nothing() -> None:
    made = plan.made(worlds.world(service("type: LoadBalancer"), SERVICES, whole=False))
    assert not made.steps and "it takes nothing" in worlds.said(made.warnings)
    kept = plan.made(worlds.world(service("type: LoadBalancer"), SERVICES, has=has(SERVICES), whole=False))
    assert not kept.work
