"""A fleet of real API servers that is distributed by one `fedns serve`, which the tests of a module share.

Law: each test has objects, and a policy, of its own name.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.control import depots
from tests.envtest import clusters
from tests.scenarios import copies, world

MERGE = "merge-patch+json"
OTHERS = 16
"""Copies that stay, so that what goes is never most of them."""


class Hub(NamedTuple):
    farm: clusters.Farm
    served: world.Served

    def state(self, what: copies.Object, member: str = "one") -> str:
        return self.told(what, member)[0]

    def told(self, what: copies.Object, member: str = "one") -> tuple[str, str]:
        """Of a copy: its state, and words."""
        return copies.states(self.served, member).get(f"{what['kind']} {what['metadata']['name']}", ("", ""))

    def until(self, what: copies.Object, state: str, member: str = "one") -> None:
        try:
            world.until(lambda: self.state(what, member) == state, "", 60.0)
        except AssertionError:
            raise AssertionError(f"{self.told(what, member)} is not {state}") from None

    def bring(self, *objects: copies.Object, members: tuple[str, ...] = ("one",), **more: Any) -> None:
        """With a policy called as the first one."""
        name = f"of-{objects[0]['metadata']['name']}"
        policy = depots.policy(name, members=members, **more)
        policy["metadata"]["namespace"] = objects[0]["metadata"]["namespace"]
        policy["spec"]["resourceSelectors"] = [
            {"apiVersion": one["apiVersion"], "kind": one["kind"], "name": one["metadata"]["name"]}
            for one in objects
        ]
        self.farm.fleet.put(*objects, policy)

    @property
    def one(self) -> clusters.Cluster:
        return self.farm.one


@contextmanager
def running(farm: clusters.Farm, root: Path) -> Iterator[Hub]:
    """Once it has brought the others."""
    for cluster in farm.clusters:
        cluster.again()
        cluster.clear()
    fleet = copies.opened(root, farm)
    with copies.running(fleet) as served:
        made = Hub(farm, served)
        made.bring(*(depots.config_map(f"other{at}", at="x") for at in range(OTHERS)), members=("one", "two"))
        made.until(depots.config_map("other0"), "applied")
        yield made


def edit(
    cluster: clusters.Cluster, one: copies.Object, change: copies.Object, who: str = "kubectl-edit"
) -> None:
    cluster.call("PATCH", f"{clusters.path(one)}?fieldManager={who}", change, MERGE)
