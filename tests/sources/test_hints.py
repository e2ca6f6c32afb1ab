"""Misspelt fields and words are told with what was likely meant."""

from pathlib import Path

import pytest

from fedns.errors import Problem
from fedns.model.policy import ProbeSpec, TrafficPolicy
from fedns.sources import change, policies, watch

POLICY = """\
apiVersion: {version}
kind: TrafficPolicy
metadata: {{name: web}}
spec: {{targetRef: {{name: web}}, {spec}}}
"""


def problems(path: Path, spec: str, version: str = "fedns.io/v1alpha1") -> tuple[Problem, ...]:
    (path / "p.yaml").write_text(POLICY.format(spec=spec, version=version))
    heard: list[change.Change] = []
    policies.Fleet(str(path), watch.Watcher(), TrafficPolicy(), ProbeSpec()).look(None, heard.append)
    return next(each.problems for each in heard if isinstance(each, change.ProblemsChange))


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("strategy: weighted", "(did you mean 'Weighted'?)"),
        ("strategy: best", "(known: ActiveActive, Nearest, PrimarySecondary, Weighted)"),
        ("wieghts: {a: 1}", "(did you mean 'weights'?)"),
        ("probe: {kind: htp}", "(did you mean 'http'?)"),
        ("probe: {inteval: 5s}", "(did you mean 'interval'?)"),
        ("onAllUnhealthy: opne", "(did you mean 'open'?)"),
        ("health: {hold_max: 5s}", "(did you mean 'holdMax'?)"),
        ("minReady: many", "`$.spec.minReady` (a whole number, without quotes)"),
        ("minReady: '3'", "`$.spec.minReady` (a whole number, without quotes)"),
        ("spill: 'yes'", "`$.spec.spill` (true or false, without quotes)"),
        ("weights: [1]", "`$.spec.weights` (one map, no list of them)"),
        ("order: a", "`$.spec.order` (a list, `[...]` or rows that begin with `- `)"),
        ("order: [1]", "`$.spec.order[0]` (in quotes it is text)"),
        ("order: null", "`$.spec.order` (nothing is written there: say what, or take it out)"),
    ],
)
def test_what_may_have_been_meant(tmp_path: Path, spec: str, hint: str) -> None:
    (found,) = problems(tmp_path, spec)
    assert found.what.startswith("TrafficPolicy default/web: ") and found.what.endswith(hint)


def test_another_version_of_a_known_kind(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "strategy: Nearest", "fedns.io/v1")
    assert found.what.endswith("apiVersion 'fedns.io/v1' is not read (known: fedns.io/v1alpha1)")
    assert problems(tmp_path, "strategy: Nearest", "other.io/v1") == ()
