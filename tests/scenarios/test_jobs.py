"""Jobs of the fleet that run in two members, and what the fleet's object says of them: real API servers, and
the tests write what the members' job controllers would.

Law: an API server refuses a status of a Job that no Job can have, so each one told has to be possible.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.control import depots
from tests.envtest import clusters
from tests.scenarios import copies, hubs, world

BEGUN, ENDED = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
RUNS = {"active": 1, "startTime": BEGUN}
ENDS = {"Failed": ("FailureTarget", "Failed"), "Complete": ("SuccessCriteriaMet", "Complete")}
"""What a job controller says of the end of one, in its order."""
POD = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}}


@pytest.fixture(scope="module")
def hub(_farm: clusters.Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[hubs.Hub]:
    with hubs.running(_farm, tmp_path_factory.mktemp("fleet")) as made:
        yield made


def job(name: str, **spec: Any) -> copies.Object:
    meta = {"name": name, "namespace": depots.SPACE}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": POD, **spec}}


def say(cluster: clusters.Cluster, one: copies.Object, **status: Any) -> None:
    """As a controller of a member does."""
    cluster.call("PATCH", f"{clusters.path(one)}/status?fieldManager=theirs", {"status": status}, hubs.MERGE)


def ended(how: str, **counts: Any) -> dict[str, Any]:
    """A status."""
    at = {"lastProbeTime": ENDED, "lastTransitionTime": ENDED}
    rows = [{"type": kind, "status": "True", **at} for kind in ENDS[how]]
    over = {"uncountedTerminatedPods": {}, "conditions": rows, **counts}
    return {
        "active": 0,
        "startTime": BEGUN,
        **({"completionTime": ENDED} if how == "Complete" else {}),
        **over,
    }


def told(hub: hubs.Hub, one: copies.Object) -> tuple[dict[str, Any], list[str]]:
    """What the fleet's object counts, and how it ended."""
    status = hub.farm.fleet.get(one).get("status", {})
    counts = {name: status[name] for name in ("active", "succeeded", "failed") if name in status}
    return counts, [row["type"] for row in status.get("conditions", ())]


def test_a_job_has_ended_when_it_has_in_all_members(hub: hubs.Hub) -> None:
    done, failed = job("done"), job("failed")
    hub.bring(done, failed, members=("one", "two"))
    for one in (done, failed):
        for name, cluster in (("one", hub.farm.one), ("two", hub.farm.two)):
            hub.until(one, "applied", name)
            say(cluster, one, **RUNS)
        world.until(lambda one=one: told(hub, one) == ({"active": 2}, []), "both run")
    say(hub.farm.one, done, **ended("Complete", succeeded=1))
    say(hub.farm.one, failed, **ended("Failed", failed=1))
    world.until(lambda: told(hub, done) == ({"active": 1, "succeeded": 1}, []), "one runs")
    world.until(lambda: told(hub, failed) == ({"active": 1, "failed": 1}, []), "one runs")
    for one in (done, failed):
        say(hub.farm.two, one, **ended("Complete", succeeded=1))
    world.until(lambda: told(hub, done) == ({"succeeded": 2}, list(ENDS["Complete"])), "complete")
    world.until(lambda: told(hub, failed) == ({"succeeded": 1, "failed": 1}, list(ENDS["Failed"])), "failed")
    assert hub.farm.fleet.get(done)["status"]["completionTime"] == ENDED
    assert "its status is not written" not in hub.served.problems()


def test_what_failed_in_a_member_that_has_it_no_more_stays_counted(hub: hubs.Hub) -> None:
    """Counters of a Job never go back."""
    one = job("counted")
    hub.bring(one, members=("one", "two"))
    for name in ("one", "two"):
        hub.until(one, "applied", name)
    say(hub.farm.one, one, **RUNS, failed=2)
    say(hub.farm.two, one, **RUNS)
    world.until(lambda: told(hub, one) == ({"active": 2, "failed": 2}, []), "both run")
    hub.bring(one, members=("two",))
    world.until(lambda: told(hub, one) == ({"active": 1, "failed": 2}, []), "one runs", 60.0)


def test_a_cron_job_ran_when_it_last_did_anywhere(hub: hubs.Hub) -> None:
    meta = {"name": "nightly", "namespace": depots.SPACE}
    spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": POD}}}
    one = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": spec}
    hub.bring(one, members=("one", "two"))
    for name, cluster, at in (("one", hub.farm.one, ENDED), ("two", hub.farm.two, BEGUN)):
        hub.until(one, "applied", name)
        say(cluster, one, lastScheduleTime=at, lastSuccessfulTime=BEGUN)
    status = {"lastScheduleTime": ENDED, "lastSuccessfulTime": BEGUN}
    world.until(lambda: hub.farm.fleet.get(one).get("status") == status, "told")
