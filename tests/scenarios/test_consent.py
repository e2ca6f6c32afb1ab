"""Most of a member's copies go only by a word: from a fleet that is a directory, to two real API servers."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.control import depots
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import copies, fleets, world

HELD = "more than half of the copies here would go: waits for a word"
MAPS = [depots.config_map(f"m{at}", a="1") for at in range(6)]


@pytest.fixture
def fleet(tmp_path: Path, farm: clusters.Farm) -> fleets.Fleet:
    for cluster in (farm.one, farm.two):
        cluster.put(kubecluster.namespace("fedns"), kubecluster.node("n1", "r", "z"))
    made = fleets.Fleet(tmp_path, farm)
    (tmp_path / "fleet").mkdir(exist_ok=True)
    made.fleet = "manifests: fleet, distribute: true"
    made.write_config()
    most(made).write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": MAPS[:5]}))
    depots.put(tmp_path / "fleet", MAPS[5], depots.policy("p", "v1/ConfigMap"))
    return made


def most(fleet: fleets.Fleet) -> Path:
    """Five of the six, which go at once: the first of five files would go before the third is missed."""
    return fleet.root / "fleet" / "most.json"


def standing(served: world.Served, member: str) -> list[str]:
    return sorted(state for state, _ in copies.states(served, member).values())


def planned(fleet: fleets.Fleet, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*world.FEDNS, "plan", "--config", str(fleet.config), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=world.LONG, check=False)


def test_a_fleet_that_is_emptied_waits_for_a_word_and_tells_it(fleet: fleets.Fleet) -> None:
    farm = fleet.farm
    with world.serve(fleet) as served:
        for name in ("one", "two"):
            world.until(
                lambda name=name: served.up() and standing(served, name) == ["applied"] * 6, "brought"
            )
        here = served.fedns("status", "configmap/m0")
        assert here.returncode == 0 and "+ one: applied" in here.stdout
        assert "propagationpolicy-p.json:1)" in here.stdout, "where its policy stands"

        most(fleet).unlink()
        for name in ("one", "two"):
            world.until(
                lambda name=name: standing(served, name) == ["applied", *["held"] * 5], "they wait for a word"
            )
        assert all(copies.there(farm.one, one) for one in MAPS)
        for told in ("10 held", "5 of the 6 copies here are to go, and wait for a word", HELD):
            world.until(lambda told=told: told in served.fedns("status").stdout, "the status tells it")

        refused = planned(fleet)
        assert refused.returncode == 1 and "if that is meant, say --yes-really" in refused.stderr
        assert all(copies.there(farm.one, one) for one in MAPS), "a plan alone changes nothing"
        meant = planned(fleet, "--yes-really")
        assert meant.returncode == 0, meant.stderr
        assert "one: 5 copies may go" in meant.stdout and "two: 5 copies may go" in meant.stdout
        for cluster in (farm.one, farm.two):
            world.until(
                lambda cluster=cluster: not any(copies.there(cluster, one) for one in MAPS[:5]), "gone"
            )
            assert copies.there(cluster, MAPS[5])
        world.until(lambda: "held" not in served.fedns("status").stdout, "nothing waits")
