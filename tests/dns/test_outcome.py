from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import atlas, names, outcome
from fedns.model import selection
from fedns.model import snapshot as model
from tests.dns import test_places as places
from tests.golden import fleet

MEMBERS = {
    "a": {"region": "eu", "zones": ["eu-a", "eu-b"]},
    "b": {"region": "eu", "zones": ["eu-b"]},
    "c": {"region": "us", "zones": ["us-a"]},
}
INSIDE = places.WORLD | {"where": atlas.Settings(clients={"us": ("10.1.0.0/16",), "eu": ("10.2.0.0/16",)})}
CROWD = {name: MEMBERS[name[0]] for name in ("a", "b", "c", "a2", "b2", "c2")} | {"bare": {}}
EVERYBODY = atlas.Settings(clients={name: (f"10.{at}.0.0/16",) for at, name in enumerate(CROWD)})


def build(shards: dict[str, Any], compat: str = "fedns", **service: Any) -> fleet.Fleet:
    settings = {"federation": "fed", "domain": "example.com", "compat": compat}
    services = {"n/s": {"shards": shards, **service}}
    return fleet.build({"settings": settings, "members": MEMBERS, "services": services})


def outcomes(shards: dict[str, Any], **change: Any) -> dict[str, outcome.Outcome]:
    """By `zone.region`, `region`, `.` for global; short zone names end in a dot."""
    of = build(shards, **change)
    found = outcome.outcomes(of.snapshot.services["n/s"], of.layout, fleet.NOW)
    labels = [
        f"{level.zone}." if level.short else ".".join(filter(None, (level.zone, level.region))) or "."
        for level in of.layout.levels
    ]
    return dict(zip(labels, found, strict=True))


def shard(number: int, state: str = "healthy", **fields: Any) -> dict[str, Any]:
    return {"addresses": [f"192.0.2.{number}"], "state": state, "readiness": None} | fields


def last_octets(found: outcome.Outcome) -> list[int]:
    return [address[-1] for address in found.v4]


def test_each_level_has_the_shards_of_its_place() -> None:
    found = outcomes({"a": shard(1), "b": shard(2), "c": shard(3)})
    assert {place: last_octets(each) for place, each in found.items()} == {
        ".": [1, 2, 3],
        "eu": [1, 2],
        "us": [3],
        "eu-a.eu": [1],
        "eu-b.eu": [1, 2],
        "us-a.us": [3],
        "eu-a.": [1],
        "eu-b.": [1, 2],
        "us-a.": [3],
    }


def test_a_draining_shard_gives_way_everywhere() -> None:
    found = outcomes({"a": shard(1, "draining"), "c": shard(3)})
    assert (last_octets(found["."]), found["eu"].serves) == ([3], False)
    alone = outcomes({"a": shard(1, "draining")})
    assert last_octets(alone["eu"]) == [1]


def test_a_zone_without_ready_endpoints_leads_to_its_region() -> None:
    counts = [["eu-a", 2, 2, 0, 2], ["eu-b", 0, 0, 0, 2]]
    rows = [
        dict(zip(("zone", "ready", "serving", "terminating", "total"), row, strict=True)) for row in counts
    ]
    found = outcomes({"a": shard(1, readiness=rows)})
    assert (found["eu-a.eu"].serves, found["eu-b.eu"].serves) == (True, False)
    v1 = outcomes({"a": shard(1, readiness=rows)}, compat="v1")
    assert set(v1) == {".", "eu", "us", "eu-a.eu", "eu-b.eu", "us-a.us"}
    assert v1["eu-a.eu"].serves


@pytest.mark.parametrize("strategy", ["ActiveActive", "Weighted", "PrimarySecondary", "Nearest"])
def test_levels_agree_with_the_selection_law(strategy: str) -> None:
    policy = {"strategy": strategy, "weights": {"a": 1, "b": 0}, "order": ["b", "a"]}
    of = build({"a": shard(1), "b": shard(2), "c": shard(3, "unhealthy")}, policy=policy)
    service = of.snapshot.services["n/s"]
    found = outcome.outcomes(service, of.layout, fleet.NOW)
    for level, each in zip(of.layout.levels, found, strict=True):
        chosen = selection.select(service, None, fleet.NOW, level.place)
        shares = tuple((one.member, one.share) for one in chosen.tiers[0].shares) if chosen.tiers else ()
        assert each.shares == shares, level


def test_addresses_are_sorted_and_unique() -> None:
    assert outcome.packed(["192.0.2.9", "192.0.2.10", "192.0.2.9", "::2", "::1"]) == (
        (b"\xc0\0\x02\x09", b"\xc0\0\x02\x0a"),
        (b"\0" * 15 + b"\x01", b"\0" * 15 + b"\x02"),
    )


def test_hostnames_not_resolved_yet_still_serve_as_alias() -> None:
    unresolved = {"addresses": [], "hostnames": ["lb.test"], "readiness": None}
    assert outcomes({"a": unresolved})["."].host == b"\x02lb\x04test\0"
    both = outcomes({"a": unresolved, "c": {**unresolved, "hostnames": ["other.test"]}})
    assert both["."].host == b"\x02lb\x04test\0"
    mixed = outcomes({"a": unresolved, "c": shard(3)})
    assert (mixed["."].host, last_octets(mixed["."])) == (b"", [3])


def test_last_resorts() -> None:
    down = {"a": shard(1, "unhealthy"), "c": shard(3, "unhealthy")}
    assert outcomes(down, last_good=["c"])["."].rule == "open"
    assert outcomes(down)["."].rule == "nothing"
    assert outcomes(down, last_good=["c"], policy={"on_all_unhealthy": "closed"})["."].rule == "closed"
    backup = outcomes(down, policy={"on_all_unhealthy": "backup", "backup": ["192.0.2.99"]})["."]
    assert (backup.rule, last_octets(backup)) == ("backup", [99])
    assert outcomes(down, last_good=["c"], compat="v1")["."].rule == "nothing"


def test_places_that_the_law_tells_apart_have_outcomes_of_their_own() -> None:
    """Each is what the selection law says of that place, worked out once for all who are alike."""
    for world, different in ((places.WORLD, 5), (INSIDE, 3)):
        built = fleet.build(world)
        service = built.snapshot.services["n/s"]
        found = agreed(service, built.layout)
        everywhere = found.by_place(0, built.layout.places)
        assert len({id(one) for one in everywhere}) == len(set(everywhere)) == different


def agreed(service: model.Service, layout: names.Layout) -> outcome.Outcomes:
    """The outcomes of a service, each as the selection law has it."""
    found = outcome.Outcomes(service, layout, fleet.NOW)
    for index, level in enumerate(layout.levels):
        each = found.by_place(index, layout.places)
        for place, one in zip(layout.places, each, strict=True):
            chosen = selection.select(service, place, fleet.NOW, level.place)
            assert one.shares == (chosen.tiers[0].shares if chosen.tiers else ())
        assert each[0] == found[index]
    return found


@given(st.data())
def test_members_clients_have_what_the_selection_law_says(data: st.DataObject) -> None:
    """Whoever is ready, wherever they are."""
    states = st.sampled_from(["healthy", "healthy", "draining", "unhealthy"])
    shards = {
        name: shard(at, data.draw(states)) for at, name in enumerate(CROWD, 1) if data.draw(st.booleans())
    }
    services = {"n/s": {"shards": shards, "policy": {"strategy": "Nearest"}}}
    built = fleet.build(INSIDE | {"members": CROWD, "services": services, "where": EVERYBODY})
    agreed(built.snapshot.services["n/s"], built.layout)
