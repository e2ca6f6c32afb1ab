"""TrafficPolicy objects by the service they aim at."""

from pathlib import Path

import pytest

from fedns.model.policy import HealthSettings, ProbeSpec, TrafficPolicy, Ttl
from fedns.sources import policies, watch
from fedns.sources.change import PolicyChange
from tests.sources.listening import Listener

HEAD = (
    "---\napiVersion: fedns.io/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: %s, namespace: shop}\nspec:\n"
)
DEFAULTS = TrafficPolicy(ttl=Ttl(10, 20))
PROBE = ProbeSpec(interval=7.0, fall=2)


def policy(name: str, *lines: str) -> str:
    return HEAD % name + "".join(f"  {line}\n" for line in lines)


def fleet(root: Path) -> policies.Fleet:
    return policies.Fleet(str(root), watch.Watcher(), DEFAULTS, PROBE)


def test_a_whole_policy_and_what_it_leaves_out(tmp_path: Path) -> None:
    text = policy(
        "full",
        "targetRef: {kind: Service, name: web}",
        "strategy: PrimarySecondary",
        "order: [a, b]",
        "weights: {a: 3}",
        "minReady: 2",
        "onAllUnhealthy: backup",
        "backup: [192.0.2.9]",
        "ttl: {max: 1m}",
        "health: {hold: 5s}",
        "probe: {kind: https, path: /ok, expectStatus: [200, 300-399], verifyTls: false, timeout: 500ms}",
    )
    (tmp_path / "a.yaml").write_text(text + policy("all", "targetRef: {name: '*', namespace: x}"))
    listener = Listener()
    fleet(tmp_path).look(None, listener)
    change = listener.last(PolicyChange)
    assert change.touched is None and listener.problems() == []
    assert change.policies["*"] == DEFAULTS
    found = change.policies["shop/web"]
    assert (found.strategy, found.order, found.weights, found.min_ready) == (
        "PrimarySecondary",
        ("a", "b"),
        {"a": 3},
        2,
    )
    assert (found.ttl, found.health) == (Ttl(10, 60), HealthSettings(hold=5.0))
    assert found.probe == ProbeSpec(
        kind="https",
        path="/ok",
        expect_status=((200, 200), (300, 399)),
        verify_tls=False,
        timeout=0.5,
        interval=7.0,
        fall=2,
    )


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("strategy: Best", "$.spec.strategy"),
        ("stratgy: Nearest", "$.spec"),
        ("ttl: {min: 100s}", "$.spec.ttl"),
        ("ttl: {min: 500ms}", "$.spec.ttl"),
        ("ttl: {min: soon}", "$.spec.ttl.min"),
        ("weights: {a: -1}", "$.spec.weights"),
        ("onAllUnhealthy: backup", "$.spec.backup"),
        ("probe: {fall: 0}", "$.spec.probe.fall"),
        ("probe: {expectStatus: [2xx]}", "$.spec.probe.expectStatus"),
        ("probe: {path: 'a b'}", "$.spec.probe.path"),
        ("probe: {interval: 1ms}", "$.spec.probe.interval"),
        ("backup: ['?']", "$.spec.backup"),
    ],
)
def test_a_bad_value_is_a_problem_and_the_last_good_policy_stays(
    tmp_path: Path, line: str, path: str
) -> None:
    file, listener, source = tmp_path / "a.yaml", Listener(), fleet(tmp_path)
    file.write_text(policy("one", "targetRef: {name: web}", "spill: true"))
    source.look(None, listener)
    file.write_text(policy("one", "targetRef: {name: web}", line))
    source.look(frozenset({str(file)}), listener)
    assert listener.problems()[0].startswith(f"{file}:2: TrafficPolicy shop/one: ")
    assert f"`{path}`" in listener.problems()[0]
    assert listener.last(PolicyChange).policies["shop/web"].spill


def test_only_services_whose_policy_differs_are_touched(tmp_path: Path) -> None:
    listener, source = Listener(), fleet(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(policy(name, f"targetRef: {{name: {name}}}"))
    source.look(None, listener)
    (tmp_path / "b.yaml").write_text(policy("b", "targetRef: {name: b}", "spill: true"))
    source.look(None, listener)
    assert listener.last(PolicyChange).touched == {"shop/b"}
    source.look(None, listener)
    assert len(listener.all(PolicyChange)) == 2


def test_of_two_policies_for_one_service_the_first_by_name_counts(tmp_path: Path) -> None:
    listener = Listener()
    (tmp_path / "a.yaml").write_text(
        policy("z", "targetRef: {name: web}") + policy("b", "targetRef: {name: web}", "spill: true")
    )
    fleet(tmp_path).look(None, listener)
    assert listener.last(PolicyChange).policies["shop/web"].spill
    assert listener.problems()[0].startswith("TrafficPolicy shop/z: ")


def test_no_fleet_directory_is_a_problem_and_no_policies(tmp_path: Path) -> None:
    listener = Listener()
    fleet(tmp_path / "none").look(None, listener)
    told = listener.last(PolicyChange)
    assert told.policies == {} and not told.whole, "what was known before is not taken back"
    assert listener.problems()[0].startswith(f"{tmp_path}/none: ")


def test_what_a_file_broken_at_a_restart_said_stays_until_it_can_be_read(tmp_path: Path) -> None:
    known = {"shop/web": TrafficPolicy(spill=True), "shop/api": TrafficPolicy(spill=True)}
    source = policies.Fleet(str(tmp_path), watch.Watcher(), DEFAULTS, PROBE, known)
    (tmp_path / "a.yaml").write_text(policy("api", "targetRef: {name: api}"))
    (tmp_path / "b.yaml").write_text("{")
    listener = Listener()
    source.look(None, listener)
    found = listener.last(PolicyChange).policies
    assert (found["shop/web"].spill, found["shop/api"].spill) == (True, False)
    (tmp_path / "b.yaml").write_text("")
    source.look(None, listener)
    assert listener.last(PolicyChange).policies.keys() == {"shop/api"}
