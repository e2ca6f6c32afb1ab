"""gdnsd's own questions about client subnets and geography, put to the same fleets written our way.

Law: its maps become regions (the codes of `clients`, the default place), its datacenters members, its names
of one datacenter ours of the region. Left out is what hangs on other plugins (`reflect`, `weighted`,
`skip_first`, CNAMEs of a datacenter) or on a map without any datacenter.
"""

import re
from typing import Any

import pytest

from fedns.dns import atlas, client
from tests.conformance import vectors
from tests.dns import test_places as places
from tests.golden import fleet

DATABASE = places.Chart(
    {
        "0.0.0.0/1": client.Spot(("country:US", "continent:NA"), None, 1),
        "128.0.0.0/1": client.Spot(("country:FR", "continent:EU"), None, 1),
    },
    "/FakeCountry.mmdb",
)
"""As the README of gdnsd's test says that it was made."""
CONTINENTS = {"na": ["NA"], "sa": ["SA"], "eu": ["EU", "AF"], "ap": ["AS", "OC", "AN"]}
MAPS = {
    "map1": {
        region: atlas.Area(None, tuple(f"continent:{each}" for each in codes))
        for region, codes in CONTINENTS.items()
    },
    "map2": {"dc1": atlas.Area(), "dc2": atlas.Area(None, ("country:US",)), "dc3": atlas.Area()},
}
RES1 = {
    "na": ["192.0.2.1"],
    "sa": ["192.0.2.3", "192.0.2.4"],
    "eu": ["192.0.2.6", "192.0.2.5"],
    "ap": ["192.0.2.7", "192.0.2.8", "192.0.2.9"],
}
RES2 = {"dc1": ["192.0.2.10", "2001:db8::10"], "dc2": ["2001:db8::11"], "dc3": ["192.0.2.11"]}
RES4 = {f"dc{dc}": [f"2001:db8::{dc}:{lb}" for lb in (123, 456, 789)] for dc in (1, 2, 3)}
RES44 = {f"dc{dc}": [f"192.0.2.1{dc - 1}{lb}" for lb in (1, 2, 3)] for dc in (1, 2, 3)}
RES9 = {
    "dc1": ["192.0.2.142"],
    "dc2": ["192.0.2.92", "192.0.2.93"],
    "dc3": ["192.0.2.94", "192.0.2.95"],
}
RESA = {**RES9, "dc1": ["192.0.2.90", "192.0.2.91"]}
RESOURCES = {
    "res1": ("map1", RES1),
    "res2": ("map2", RES2),
    "res4-lots": ("map2", RES4),
    "res44-lots": ("map2", RES44),
    "res9": ("map2", RES9),
    "resA": ("map2", RESA),  # all are down
}
NAMED = re.compile(rf"({'|'.join(RESOURCES)})(?:-dync)?({'|'.join((*RES1, *RES2))})?\.example\.com")
FILE = vectors.load("gdnsd_tests")


def _cases() -> list[Any]:
    found = [each for each in FILE["vectors"] if each["group"] in ("013clientsub", "014geoip")]
    return [pytest.param(each, id=each["id"]) for each in found if NAMED.fullmatch(each.get("qname", ""))]


def _table(resource: str) -> dict[bytes, bytes]:
    drawn, datacenters = RESOURCES[resource]
    state = "unhealthy" if resource == "resA" else "healthy"
    shards = {each: {"addresses": held, "state": state} for each, held in datacenters.items()}
    service = {"policy": {"strategy": "Nearest"}, "shards": shards, "last_good": list(datacenters)}
    built = fleet.build(
        {
            "settings": {"federation": "fed", "domain": "example.com"},
            "members": {each: {"region": each} for each in datacenters},
            "services": {f"n/{resource.lower()}": service},
            "where": atlas.Settings(areas=MAPS[drawn], default=(next(iter(datacenters)), ""), database=True),
        }
    )
    return built._replace(atlas=built.atlas._replace(database=DATABASE.path)).table()


@pytest.mark.parametrize("case", _cases())
def test_case(case: dict[str, Any]) -> None:
    named = NAMED.fullmatch(case["qname"])
    assert named is not None
    resource, datacenter = named.groups()
    level = f"{datacenter}." if datacenter else ""
    name = f"{resource}.n.fed.svc.{level}example.com"
    sent = case.get("extra", {}).get("q_optrr", {}).get("_opt")
    subnet = f"{sent['addr_v4']}/{sent['src_mask']}" if sent else ""
    host = client.Host(client.Server())
    host.geo = DATABASE
    found, scope = places.ask(name, case["qtype"], subnet, _table(resource), address="127.0.0.1", host=host)
    assert found == sorted(row.split()[4] for row in case["expect"]["answer"])
    told = re.search(r"scope_mask=(\d+)", " ".join(case["expect"].get("additional", ())))
    assert scope == (f"/{told[1]}" if told else None)


def test_there_are_cases() -> None:
    assert len(_cases()) >= 20
