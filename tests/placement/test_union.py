"""Statuses of copies as one: the kinds that no vector shows."""

from typing import Any

from fedns.placement import union


def status(version: str, kind: str, *told: Any, before: Any = None) -> Any:
    template = {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "x", "generation": 2},
        "status": before,
    }
    return union.status(template, [union.Told(f"m{at}", each) for at, each in enumerate(told)])


def test_counts_are_summed() -> None:
    one = {"desiredNumberScheduled": 2, "numberReady": 1, "observedGeneration": 1, "generation": 1}
    current = one | {"resourceTemplateGeneration": 2}
    assert status("apps/v1", "DaemonSet", current, current) == {
        "desiredNumberScheduled": 4,
        "numberReady": 2,
        "observedGeneration": 2,
    }
    assert "observedGeneration" not in status("apps/v1", "DaemonSet", current, one)


def test_ways_into_an_ingress_with_the_ports_of_both() -> None:
    one = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ports": [{"port": 80}]}]}}
    two = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ports": [{"port": 80}, {"port": 443}]}]}}
    assert status("networking.k8s.io/v1", "Ingress", one, two) == {
        "loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ports": [{"port": 80}, {"port": 443}]}]}
    }


def test_the_worst_phase_stands_for_all() -> None:
    running, failed = {"phase": "Running"}, {"phase": "Failed"}
    assert status("v1", "Pod", running, failed) == failed
    assert status("v1", "Pod", running, None) == {"phase": "Pending"}
    assert status("v1", "PersistentVolumeClaim", {"phase": "Bound"}, {"phase": "Lost"}) == {"phase": "Lost"}


def test_a_job_is_complete_when_all_are_and_failed_when_one_is() -> None:
    done = {
        "succeeded": 1,
        "startTime": "2026-01-01T00:00:00Z",
        "completionTime": "2026-01-01T00:01:00Z",
        "conditions": [{"type": "Complete", "status": "True"}],
    }
    active = {"active": 1, "startTime": "2026-01-01T00:00:01Z"}
    half = status("batch/v1", "Job", done, active)
    assert half == {"active": 1, "succeeded": 1, "startTime": "2026-01-01T00:00:00Z"}
    whole = status("batch/v1", "Job", done, done)
    assert whole["conditions"][0]["type"] == "Complete" and whole["completionTime"]
    failed = {"failed": 1, "conditions": [{"type": "Failed", "status": "True"}]}
    assert status("batch/v1", "Job", done, failed)["conditions"][0]["type"] == "Failed"
    assert status("batch/v1", "Job", active, before=done) == done


def test_a_cron_job_ran_when_the_last_did() -> None:
    found = status(
        "batch/v1",
        "CronJob",
        {"lastScheduleTime": "2026-01-01T00:00:00Z", "active": [{"name": "a"}]},
        {"lastScheduleTime": "2026-01-02T00:00:00Z", "active": [{"name": "b"}]},
    )
    assert found == {"lastScheduleTime": "2026-01-02T00:00:00Z", "active": [{"name": "a"}, {"name": "b"}]}


def test_a_kind_that_nobody_knows_keeps_what_it_says() -> None:
    assert status("x.example/v1", "Thing", {"a": 1}, before={"b": 2}) == {"b": 2}
