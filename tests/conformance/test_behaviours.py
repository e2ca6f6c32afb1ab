"""Cases of distribution that no shared vector shows: what Karmada's sources say of each kind, and fedns does.

A case that differs by design does so by the rule of `distribution_rules` that it names, and by no other.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance import distribution, distribution_rules

_CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "behaviours.yaml").read_text())


def _vector(case: dict[str, Any]) -> dict[str, Any]:
    """As the shared ones are: `rule_spec` is the only rule of the only policy, `after` what it changes."""
    if "rule_spec" not in case:
        return case
    meta = case["object"]["metadata"]
    policy = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "OverridePolicy",
        "metadata": {"name": "p", "namespace": meta["namespace"]},
        "spec": {"overrideRules": [{"overriders": case["rule_spec"]}]},
    }
    cluster = {"metadata": {"name": "a", "labels": {}}, "spec": {"provider": "", "region": "", "zones": []}}
    want = {"applied": [f"{meta['namespace']}/p"], "object": {**case["object"], **case.get("after", {})}}
    return {**case, "ops": [policy], "cluster": cluster, "want": want}


@pytest.mark.parametrize("case", [pytest.param(each, id=f"{each['kind']}/{each['name']}") for each in _CASES])
def test_a_case_as_the_sources_have_it(case: dict[str, Any]) -> None:
    vector = _vector(case)
    found = distribution.outcome(vector)
    if "rule" in case:
        assert not distribution.agrees(vector, found)
        assert distribution_rules.deviation(vector, found) == case["rule"]
    else:
        assert distribution.agrees(vector, found), found


def test_every_kind_of_case_is_there() -> None:
    names = [(each["kind"], each["name"]) for each in _CASES]
    assert len(set(names)) == len(names) and {kind for kind, _ in names} <= set(distribution.KINDS)
