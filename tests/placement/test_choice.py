"""Which policy an object follows, and what is told of the others that select it."""

import pytest

from fedns.placement import choice
from tests.placement import worlds

NAMED = "resourceSelectors: [{apiVersion: v1, kind: Service, name: web}]"


def test_who_wins_is_told_with_who_comes_after() -> None:
    rivals = [worlds.everything(name="all"), worlds.everything(name="cluster", namespace="")]
    told = choice.policy(worlds.one(worlds.SERVICE), [*rivals, worlds.policy(NAMED, "mine")])
    assert told is not None and told.why == (
        "PropagationPolicy prod/mine selects it by name, "
        "which comes before PropagationPolicy prod/all (by kind) and 1 more"
    )
    alone = choice.policy(worlds.one(worlds.SERVICE), rivals[:1])
    assert alone is not None and alone.why == "PropagationPolicy prod/all selects it by kind"


@pytest.mark.parametrize(
    ("version", "kind", "space", "name", "own"),
    [
        ("v1", "ConfigMap", "prod", "kube-root-ca.crt", True),
        ("v1", "ConfigMap", "prod", "settings", False),
        ("v1", "Secret", "prod", "kube-root-ca.crt", False),
        ("v1", "Service", "default", "kubernetes", True),
        ("discovery.k8s.io/v1", "EndpointSlice", "default", "kubernetes", True),
        ("v1", "ConfigMap", "default", "kubernetes", False),
        ("v1", "Service", "prod", "kubernetes", False),
        ("v1", "ConfigMap", "kube-system", "settings", True),
    ],
)
def test_no_policy_takes_what_every_cluster_makes_for_itself(
    version: str, kind: str, space: str, name: str, own: bool
) -> None:
    found = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": space}}
    named = f"resourceSelectors: [{{apiVersion: {version}, kind: {kind}, name: {name}}}]"
    told = [worlds.policy(named, "all", namespace="")]
    assert (choice.policy(found, told) is None) == own
    assert choice.missed(found, told).startswith(choice.OWN) == own
