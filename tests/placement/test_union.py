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


def test_an_older_generation_stays_and_one_that_is_behind_never_looks_up_to_date() -> None:
    one = {"replicas": 2, "observedGeneration": 1, "generation": 1}
    current = one | {"resourceTemplateGeneration": 2}
    for behind in (one, None):
        old = status("apps/v1", "Deployment", current, behind, before={"observedGeneration": 1})
        assert old["observedGeneration"] == 1
        late = status("apps/v1", "Deployment", current, behind, before={"observedGeneration": 2})
        assert "observedGeneration" not in late and "observedGeneration" in union.empty(
            ("apps", "Deployment")
        )


def test_a_member_that_nobody_has_heard_keeps_the_ways_into_it() -> None:
    def ways(*addresses: str) -> Any:
        return {"loadBalancer": {"ingress": [{"ip": each} for each in addresses]}}

    template = {"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer"}}
    template |= {"status": ways("192.0.2.1", "192.0.2.2")}
    rows = [union.Told("a", ways("192.0.2.3")), union.Told("b", None, heard=False)]
    assert union.status(template, rows) == ways("192.0.2.1", "192.0.2.2", "192.0.2.3")
    assert union.status(template, [rows[0], union.Told("b", None)]) == ways("192.0.2.3")


def test_budgets_and_autoscalers() -> None:
    one = {"currentHealthy": 2, "disruptedPods": {"p": "2026-01-01T00:00:00Z"}, "observedGeneration": 1}
    assert status("policy/v1", "PodDisruptionBudget", one, one) == {
        "currentHealthy": 4,
        "disruptedPods": {"m0/p": "2026-01-01T00:00:00Z", "m1/p": "2026-01-01T00:00:00Z"},
    }
    two = {"currentReplicas": 2, "desiredReplicas": 3, "observedGeneration": 1}
    found = status("autoscaling/v2", "HorizontalPodAutoscaler", two, two, None)
    assert found == {"currentReplicas": 4, "desiredReplicas": 6}


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
    ready = {"name": "c", "ready": True, "state": {"running": {}}, "restartCount": 3}
    told = status("v1", "Pod", running | {"containerStatuses": [ready]}, running)
    assert told == running | {"containerStatuses": [{"ready": True, "state": {"running": {}}}]}
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
    assert [each["type"] for each in whole["conditions"]] == ["SuccessCriteriaMet", "Complete"]
    assert whole["completionTime"]
    failed = active | {"active": 0, "failed": 1, "conditions": [{"type": "Failed", "status": "True"}]}
    rows = status("batch/v1", "Job", done, failed)["conditions"]
    assert [each["type"] for each in rows] == ["FailureTarget", "Failed"]
    assert {each["message"] for each in rows} == {"failed in m1"}
    assert "conditions" not in status("batch/v1", "Job", done, None), "one has not said so"
    assert "startTime" not in status("batch/v1", "Job", done, None)
    met = done | {
        "conditions": [{"type": kind, "status": "True"} for kind in ("SuccessCriteriaMet", "Complete")]
    }
    assert status("batch/v1", "Job", met, met) == whole, "newer members say both"
    assert status("batch/v1", "Job", active, before=done) == done


def test_a_job_says_nothing_that_an_api_server_refuses() -> None:
    """An end while it runs, or of what has not begun; fewer that ended than there were."""
    begun = "2026-01-01T00:00:00Z"
    failed = {"failed": 2, "startTime": begun, "conditions": [{"type": "Failed", "status": "True"}]}
    active = {"active": 1, "startTime": begun}
    told = status("batch/v1", "Job", failed, active)
    assert told == {"active": 1, "failed": 2, "startTime": begun}
    assert "conditions" not in status("batch/v1", "Job", failed, {"active": 0})
    assert "conditions" in status("batch/v1", "Job", failed, active | {"active": 0})
    assert status("batch/v1", "Job", active, before=told) == {"active": 1, "failed": 2, "startTime": begun}


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
