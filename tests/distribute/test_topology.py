"""Where a cluster is: the region of most nodes, the zones of all."""

import asyncio
from collections.abc import Sequence

import pytest

from fedns.distribute import joining, topology
from fedns.distribute.topology import Topology
from fedns.kube import access
from tests.fakes import kubecluster

REGION, ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ((), topology.NOWHERE),
        (({},), Topology((), (), 1)),
        (({REGION: "b", ZONE: "b1"}, {REGION: "a"}, {REGION: "b"}), Topology(("b", "a"), ("b1",), 3)),
        (({REGION: "b"}, {REGION: "a"}), Topology(("a", "b"), (), 2)),
        (({"failure-domain.beta.kubernetes.io/zone": "z", "x": "y"},), Topology((), ("z",), 1)),
    ],
)
def test_of_labels(labels: Sequence[dict[str, str]], found: Topology) -> None:
    assert topology.of(labels) == found


def test_of_more_nodes_than_a_page_has() -> None:
    async def main(url: str) -> Topology:
        async with joining.talking(access.Where(server=url)) as api:
            return await topology.read(api)

    with kubecluster.running() as cluster:
        cluster.put(*(kubecluster.node(f"n{index}", "eu", f"eu-{index % 3}") for index in range(600)))
        assert asyncio.run(main(cluster.url)) == Topology(("eu",), ("eu-0", "eu-1", "eu-2"), 600)
