"""fedns killed while it brings copies to two members, again and again, and the fleet changed in between.

Law: after every change and its kills, `fedns plan` has nothing left to do; what is not ours is what it was,
to its resourceVersion; a copy that was wanted all the time was never removed. People change things at random,
by a seed that a failure tells.
"""

import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fedns import config
from fedns.cli import consent, prospect
from tests.control import depots
from tests.envtest import clusters
from tests.scenarios import copies, fleets, world

KILLS = int(os.environ.get("FEDNS_KILLS", "3"))
"""`make kills` has a hundred."""
SEED = int(os.environ.get("FEDNS_SEED") or 0) or random.SystemRandom().randrange(1, 10**6)
CONVERGED = 120.0
"""Seconds until all is as planned; on an idle machine it takes some three."""
WITHIN, STARTING = (0.2, 1.4), (0.5, 4.0)
"""Seconds after a change, and after a kill, between which the next kill comes: about when there is work."""
AGAIN = 0.3
"""So often the next process is killed too."""
MAPS, SERVICES, WEBS = 24, 6, 3
SIDES = (("one",), ("two",), ("one", "two"), ("one", "two"))
KINDS = {
    f"/api/v1/namespaces/{depots.SPACE}/configmaps": "ConfigMap",
    f"/api/v1/namespaces/{depots.SPACE}/services": "Service",
    f"/apis/apps/v1/namespaces/{depots.SPACE}/deployments": "Deployment",
}
SYSTEM = "kube-root-ca.crt"


class Seen(NamedTuple):
    """An object in a member: `what` it says, and whether it is marked as ours."""

    uid: str
    version: str
    ours: bool
    what: Any


class People:
    """Who changes the fleet, and sometimes a member."""

    def __init__(self, farm: clusters.Farm, chance: random.Random) -> None:
        self._farm, self._hub, self._chance, self._turn = farm, farm.fleet, chance, 0
        self.gone: set[str] = set()
        """Paths of what was removed, or may have been, in the last turn."""
        names = (("m", MAPS), ("s", SERVICES), ("w", WEBS))
        self._names = [f"{kind}{at}" for kind, count in names for at in range(count)]

    def begin(self) -> None:
        for cluster in (self._farm.one, self._farm.two):
            cluster.put(*(self._foreign(at) for at in range(4)))
        self._hub.put(depots.config_map("always", at="x"), depots.policy("always", "v1/ConfigMap"))
        self._policies(("p", "s", "w"))
        self._objects(self._names)

    def change(self) -> None:
        """Policies, or objects: never what is taken over from nobody and changed in one turn."""
        self._turn, self.gone = self._turn + 1, set()
        if self._chance.random() < 0.4:
            self._policies(self._chance.sample(("p", "s", "w", "o"), self._chance.randint(1, 2)))
        else:
            self._objects(self._chance.sample(self._names, self._chance.randint(6, 24)))
        if self._chance.random() < 0.3:
            self._drift()

    def _objects(self, names: list[str]) -> None:
        for name in names:
            one = self._object(name)
            if self._chance.random() < 0.7 or self._turn == 0:
                self._hub.put(one)
            elif copies.there(self._hub, one):
                self._hub.delete(one)
                self.gone.add(clusters.path(one))

    def _object(self, name: str) -> copies.Object:
        if name.startswith("s"):
            return depots.service(name, 80 + self._turn)
        if name.startswith("w"):
            return depots.deployment(name, 1 + self._turn % 5, f"nginx:{self._turn}")
        return depots.config_map(name, at=str(self._turn), n=name)

    def _foreign(self, at: int) -> copies.Object:
        """One of nobody's; `m3` is a name that the fleet has too."""
        return depots.config_map(f"m{at}" if at == 3 else f"theirs{at}", not_ours="1")

    def _policies(self, names: Any) -> None:
        kinds = {"p": "v1/ConfigMap", "s": "v1/Service", "w": "apps/v1/Deployment"}
        for name in names:
            if name == "o":
                self._overrides()
                continue
            self.gone |= KINDS.keys()
            members, more = self._chance.choice(SIDES), self._manner()
            policy = depots.policy(name, kinds[name], members=members, **more)
            if name == "p":
                policy["spec"]["priority"] = 1
                policy["spec"]["resourceSelectors"] = [
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": f"m{at}"} for at in range(MAPS)
                ]
            if self._turn and self._chance.random() < 0.25 and copies.there(self._hub, policy):
                self._hub.delete(policy)
            else:
                self._hub.put(policy)

    def _manner(self) -> copies.Object:
        ways: tuple[copies.Object, ...] = ({}, {"prune": True}, {"preserveResourcesOnDeletion": True})
        return self._chance.choice(ways)

    def _overrides(self) -> None:
        rule = {
            "targetCluster": {"clusterNames": [self._chance.choice(("one", "two"))]},
            "overriders": {"labelsOverrider": [{"operator": "add", "value": {"turn": str(self._turn)}}]},
        }
        self._hub.put(
            {
                "apiVersion": "policy.karmada.io/v1alpha1",
                "kind": "OverridePolicy",
                "metadata": {"name": "o", "namespace": depots.SPACE},
                "spec": {"overrideRules": [rule]},
            }
        )

    def _drift(self) -> None:
        """Somebody edits a copy, and somebody removes one."""
        cluster = self._chance.choice((self._farm.one, self._farm.two))
        edited, removed = (depots.config_map(f"m{at}") for at in self._chance.sample(range(4, MAPS), 2))
        told = copies.there(cluster, edited)
        if told and depots.LABEL in told["metadata"].get("labels", {}):
            path = f"{clusters.path(edited)}?fieldManager=kubectl-edit"
            cluster.call("PATCH", path, {"data": {"at": "edited"}}, "merge-patch+json")
        if copies.there(cluster, removed):
            cluster.delete(removed)
            self.gone.add(clusters.path(removed))


def look(farm: clusters.Farm) -> dict[tuple[str, str], Seen]:
    """All there is in the members of the kinds that are copied."""
    found = {}
    for cluster in (farm.one, farm.two):
        for path in KINDS:
            for one in cluster.call("GET", path)["items"]:
                meta = one["metadata"]
                ours = depots.LABEL in meta.get("labels", {})
                seen = Seen(meta["uid"], meta["resourceVersion"], ours, one.get("data") or one.get("spec"))
                if meta["name"] != SYSTEM:
                    found[cluster.name, f"{path}/{meta['name']}"] = seen
    return found


def left(farm: clusters.Farm, settings: config.Config) -> list[str]:
    """What `fedns plan` would do; and copies of kinds that no policy names any more: it asks for none."""
    made, problems, *_ = prospect.planned(settings)
    assert not problems, problems
    kept = {(each.member, *each.ref[1:]) for each in made.steps if each.action == "keep"}
    work = [f"{each.member}: {each.action} {each.ref}" for each in made.work]
    ours = {
        (name, KINDS[kind], depots.SPACE, each)
        for (name, path), one in look(farm).items()
        for kind, _, each in [path.rpartition("/")]
        if one.ours
    }
    return work or [f"{each} is there" for each in ours - kept] + [f"{each} is not" for each in kept - ours]


def agreed(served: world.Served, farm: clusters.Farm, settings: config.Config) -> bool:
    """Whether all is as planned; gives the word that a large removal waits for."""
    try:
        rows = served.api("/api/v1/copies")["items"]
        if any(one["state"] == "held" for one in rows):
            consent.given(settings, loud=False)
    except OSError:
        return False  # it has just been killed
    settled = {one["state"] for one in rows} <= {"applied", "failing", "stopped"}
    return settled and not left(farm, settings)


def compare(before: dict[tuple[str, str], Seen], after: dict[tuple[str, str], Seen], gone: set[str]) -> None:
    """Fails where somebody else's object was touched, or a copy was made anew that could have stayed."""
    for key, was in before.items():
        now, where = after.get(key), key[1]
        may = where in gone or where.rpartition("/")[0] in gone
        if was.ours and now is not None and not may:
            assert now.uid == was.uid, f"{key} was made anew"
        if not was.ours and where not in gone:
            assert now is not None and now.uid == was.uid, f"{key} is not ours, and is gone"
            assert now.ours or now.version == was.version, f"{key} is not ours, and was touched"
            assert now.what == was.what, f"{key} was taken over, and changed"


@pytest.fixture
def fleet(tmp_path: Path, farm: clusters.Farm) -> fleets.Fleet:
    return copies.opened(tmp_path, farm)


@pytest.mark.timeout(0 if KILLS > 10 else 300)
def test_killed_at_any_point_it_ends_as_planned(fleet: fleets.Fleet) -> None:
    farm, chance, points = fleet.farm, random.Random(SEED), Counter[str]()
    print(f"FEDNS_SEED={SEED}")
    people, begun = People(farm, chance), time.monotonic()
    people.begin()
    settings = config.load(str(fleet.config)).config
    assert settings is not None
    with copies.running(fleet) as served:
        world.until(lambda: agreed(served, farm, settings), "brought at first", CONVERGED)
        before, kills = look(farm), 0
        while kills < KILLS:
            audits = [copies.Audit(cluster) for cluster in (farm.one, farm.two)]
            people.change()
            again, span = True, WITHIN
            while again and kills < KILLS:
                time.sleep(chance.uniform(*span))
                wrote = any(audit.writes() for audit in audits)
                copies.restarted(served, farm)
                rest = bool(left(farm, settings))
                points["midway" if wrote and rest else "before" if rest else "after"] += 1
                kills, again, span = kills + 1, chance.random() < AGAIN, STARTING
            try:
                world.until(lambda: agreed(served, farm, settings), "as planned", CONVERGED)
            except AssertionError:
                raise AssertionError(f"FEDNS_SEED={SEED}, {kills} kills: {left(farm, settings)}") from None
            after = look(farm)
            compare(before, after, people.gone)
            before = after
        assert before["one", clusters.path(depots.config_map("m3"))].what == {"not_ours": "1"}
    print(f"{kills} kills: {dict(points)}; {time.monotonic() - begun:.0f} s")
