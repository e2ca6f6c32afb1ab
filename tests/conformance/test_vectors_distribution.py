"""Outside vectors of distribution: what Karmada's own code made of policies and objects; KubeFed's selection.

A vector that differs by design does so by a rule of `distribution_rules`; those that are known to stand in
`distribution_deviations.json` by their names too, and must differ.
"""

from typing import Any

import pytest

from fedns.placement import legacy, matching
from tests.conformance import distribution, distribution_rules, vectors

_KNOWN = {name: row["rule"] for row in distribution_rules.ROWS for name in row["vectors"]}
_GOLDEN: list[dict[str, Any]] = vectors.load("karmada_golden")  # type: ignore[assignment]
_KUBEFED = vectors.load("kubefed_placement")["vectors"]


@pytest.mark.parametrize(
    "vector", [pytest.param(each, id=f"{each['kind']}/{each['name']}") for each in _GOLDEN]
)
def test_karmada(vector: dict[str, Any]) -> None:
    found = distribution.outcome(vector)
    if distribution.agrees(vector, found):
        assert f"{vector['kind']}/{vector['name']}" not in _KNOWN
        return
    rule = distribution_rules.deviation(vector, found)
    assert rule, found
    assert _KNOWN.get(f"{vector['kind']}/{vector['name']}", rule) == rule


@pytest.mark.parametrize("vector", [pytest.param(each, id=each["id"]) for each in _KUBEFED])
def test_kubefed_and_federation_v1(vector: dict[str, Any]) -> None:
    if "clusters" in vector:
        members = [matching.Member(each["name"], labels=each["labels"]) for each in vector["clusters"]]
        found = legacy.selected(members, vector.get("clusterNames"), vector.get("clusterSelector"))
        assert found == vector["expectedNames"]
        return
    text, expect = vector["selector_annotation"][0], vector["expect"]
    member = matching.Member("m", labels=vector["cluster_labels"])
    if expect["error"]:
        with pytest.raises(legacy.Unreadable):
            legacy.annotated(member, text)
    else:
        assert legacy.annotated(member, text) is expect["match"]


def test_every_deviation_is_a_rule_with_a_reason() -> None:
    assert {row["rule"] for row in distribution_rules.ROWS} == set(distribution_rules.RULES)
    assert all(row["reason"] for row in distribution_rules.ROWS)


def test_ways_and_their_ports_are_in_order_each_once() -> None:
    one = {"ip": "192.0.2.1", "ports": [{"port": 443, "protocol": "TCP"}, {"port": 80, "protocol": "UDP"}]}
    two = {"ip": "192.0.2.1", "ports": [{"port": 80, "protocol": "TCP"}] * 2}
    ways = [one, two, {"ip": "192.0.2.1", "ipMode": "VIP"}]
    service = {"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer"}}
    items = [{"clusterName": "m", "status": {"loadBalancer": {"ingress": ways}}}]
    found = distribution.outcome({"kind": "aggregate", "object": service, "items": items})
    known = [
        {"port": 80, "protocol": "TCP"},
        {"port": 80, "protocol": "UDP"},
        {"port": 443, "protocol": "TCP"},
    ]
    want = [{"ip": "192.0.2.1", "ipMode": "VIP"}, {"ip": "192.0.2.1", "ports": known}]
    assert found == {"loadBalancer": {"ingress": want}}
