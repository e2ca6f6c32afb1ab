"""Where a cluster is, from the labels of its nodes.

Law: as the server will see it: the region of most nodes, the zones of all.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct

from fedns.kube import client
from fedns.kube.resource import Resource

NODES = Resource("", "v1", "nodes", "Node", False)
PAGE = "500"
REGIONS = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
ZONES = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")


class Topology(NamedTuple):
    """`regions`: all there are, that of most nodes first; `nodes`: how many there are."""

    regions: tuple[str, ...]
    zones: tuple[str, ...]
    nodes: int


NOWHERE = Topology((), (), 0)


class _Meta(Struct, gc=False):
    labels: dict[str, str] | None = None


class _Node(Struct, gc=False):
    metadata: _Meta


class _Page(Struct, rename={"next": "continue"}, gc=False):
    next: str = ""


class _Nodes(Struct, gc=False):
    items: list[_Node] | None = None
    metadata: _Page = msgspec.field(default_factory=_Page)


_nodes = msgspec.json.Decoder(_Nodes)


def of(labels: Iterable[Mapping[str, str]]) -> Topology:
    """Of nodes with these labels."""
    found = tuple(labels)
    regions = Counter(region for each in found if (region := _first(each, REGIONS)))
    zones = {zone for each in found if (zone := _first(each, ZONES))}
    ranked = sorted(regions, key=lambda region: (-regions[region], region))
    return Topology(tuple(ranked), tuple(sorted(zones)), len(found))


async def read(api: client.Client) -> Topology:
    """Of a cluster. Failure."""
    labels: list[Mapping[str, str]] = []
    query = {"limit": PAGE}
    while True:
        page = client.decoded(_nodes, await api.get(NODES.path(), query))
        labels += [one.metadata.labels or {} for one in page.items or ()]
        if not page.metadata.next:
            return of(labels)
        query = {"limit": PAGE, "continue": page.metadata.next}


def _first(labels: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((labels[key] for key in keys if labels.get(key)), "")
