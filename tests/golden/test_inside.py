"""Golden pairs of the cluster domain: a fleet in YAML -> its records as each place sees them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fedns.dns import atlas, dump, inside, node, places, wire, zones
from tests.golden import fleet

CASES = sorted((Path(__file__).parent / "inside").glob("*.in.yaml"))


def seen(value: bytes, place: int) -> node.Node | None:
    """A node as a client at a place has it; None: there is none."""
    view = node.view(value, place) if node.placed(value) else value
    return None if node.absent(view) else node.decode(view)


def records(owner: bytes, found: node.Node) -> Iterator[str]:
    below = [(labels + owner, rrsets) for labels, rrsets in found.children]
    for name, rrsets in [(owner, found.rrsets), *below]:
        for rrset in rrsets:
            for rdata in rrset.rdatas:
                shown = dump.rendered(rrset.type, rdata)
                yield f"{zones.text(name)}\t{rrset.ttl}\tIN\t{dump.mnemonic(rrset.type)}\t{shown}"
        if not rrsets:
            yield f"{zones.text(name)}\t; no data"


def listed(built: fleet.Fleet, table: dict[bytes, bytes], apex: bytes) -> Iterator[str]:
    owners = sorted((key for key in table if key[-1:] == b"\0" and wire.below(key, apex)), key=zones.text)
    for number, place in enumerate(built.layout.places):
        yield f"; for clients {places.text(place)}"
        for owner in owners:
            found = seen(table[owner], number)
            if found is not None:
                yield from records(owner, found)
        yield ""


@pytest.mark.parametrize("source", CASES, ids=lambda path: path.name.removesuffix(".in.yaml"))
def test_the_cluster_domain_of_a_fleet(source: Path) -> None:
    world = yaml.safe_load(source.read_text())
    told = {name: tuple(networks) for name, networks in world.pop("clients").items()}
    kind = inside.Kind(inside.Settings(**world.pop("inside", {})))
    built = fleet.build({**world, "where": atlas.Settings(clients=told)})
    text = "".join(f"{line}\n" for line in listed(built, built.table(kind), kind.apex))
    golden = source.with_name(source.name.replace(".in.yaml", ".out.txt"))
    if os.environ.get("FEDNS_GOLDEN") == "rewrite":
        golden.write_text(text)
    assert text == golden.read_text(), "run `make golden` and review the difference"
