from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import atlas, places, regions
from fedns.model import selection
from tests.golden import fleet

SETTINGS = {"federation": "fed", "domain": "example.com"}
MEMBERS = {
    "eu": {"region": "europe-west1", "zones": ["b", "c"]},
    "us": {"region": "us-east1", "zones": ["a"]},
    "uw": {"region": "us-west1"},
    "lab": {"region": "lab"},
    "bare": {},
}


def drawn(**settings: object) -> atlas.Map:
    built = fleet.build({"settings": SETTINGS, "members": MEMBERS})
    return atlas.draw(atlas.Settings(**settings), built.snapshot.members.values())  # type: ignore[arg-type]


def test_without_a_word_there_is_one_place() -> None:
    assert drawn() == (places.Atlas(), (selection.Place(),), ())


def test_a_place_is_there_once_and_knows_what_is_near() -> None:
    found = drawn(
        prefixes=(("10.0.0.0/8", "us-east1", "a"), ("11.0.0.0/8", "us-east1", "a")),
        default=("europe-west1", ""),
        areas={"lab": atlas.Area(places.Position(40, -105))},
    )
    assert found.atlas.places == (places.Row("europe-west1"), places.Row("us-east1", "a"))
    assert found.places[0].near == ("us-east1", "lab", "us-west1")
    assert found.places[1].near == ("lab", "us-west1", "europe-west1")
    assert found.problems == ()


def test_the_clients_of_members_are_at_their_place() -> None:
    clients = {
        "eu": ("10.1.0.0/16", "10.9.0.0/16"),
        "us": ("10.2.0.0/16",),
        "bare": ("10.3.0.0/16",),
        "gone": ("10.4.0.0/16",),
    }
    found = drawn(prefixes=(("10.9.0.0/16", "lab", ""),), clients=clients).atlas
    at = {each.network: found.places[each.place] for each in found.prefixes}
    assert at == {
        "10.9.0.0/16": ("lab", "", "eu"),  # what is written says where; inside of whom is the member's word
        "10.1.0.0/16": ("europe-west1", "", "eu"),
        "10.2.0.0/16": ("us-east1", "a", "us"),
        "10.3.0.0/16": ("", "", "bare"),
    }


def around(rows: dict[str, Any], address: IPv4Address) -> Any:
    """What the narrowest of these prefixes says; None: none of them holds the address."""
    holding = [text for text in rows if address in ip_network(text)]
    return rows[max(holding, key=lambda text: ip_network(text).prefixlen)] if holding else None


@given(st.data())
def test_the_narrower_rule_says_where_and_the_narrower_member_inside_of_whom(data: st.DataObject) -> None:
    """Against the rules themselves, one address at a time."""
    octets = st.integers(0, 15)
    networks = st.builds(
        lambda octet, length: str(ip_network((octet << 4 | 10 << 24, length), strict=False)),
        octets,
        st.integers(22, 32),
    )
    some = st.lists(networks, max_size=4, unique=True)
    written = {each: data.draw(st.sampled_from([("lab", ""), ("us-east1", "a")])) for each in data.draw(some)}
    left = data.draw(some)
    clients = {each: data.draw(st.sampled_from(["eu", "us", "bare"])) for each in left}
    of = {name: tuple(each for each in left if clients[each] == name) for name in MEMBERS}
    found = drawn(prefixes=tuple((each, *where) for each, where in written.items()), clients=of)
    known = places.Places(found.atlas)
    homes = {"eu": ("europe-west1", ""), "us": ("us-east1", "a")}
    where = {each: homes[name] for each, name in clients.items() if name in homes} | written
    for number in range(256):
        address = IPv4Address(10 << 24 | number)
        place = found.places[known.find(address.packed, None).place]
        told = (*(around(where, address) or ("", "")), around(clients, address) or "")
        assert (place.region, place.zone, place.member) == told


def test_the_place_of_who_is_in_no_member_is_shared() -> None:
    """As many places as there are members with clients, however many prefixes those have."""
    clients = {"eu": ("10.1.0.0/16", "10.2.0.0/16", "2001:db8::/32"), "us": ("10.3.0.0/16",)}
    found = drawn(
        prefixes=(("10.9.0.0/16", "us-east1", "a"), ("10.8.0.0/16", "us-east1", "a")), clients=clients
    )
    assert len(found.places) == 4 and found.places[1].member == ""


def test_a_database_needs_codes_and_positions() -> None:
    areas = {"lab": atlas.Area(None, ("country:DE",)), "far": atlas.Area(places.Position(1, 2))}
    assert drawn(areas=areas).atlas == places.Atlas()
    found = drawn(areas=areas, database=True).atlas
    codes = {code: found.places[place][0] for code, place in found.codes.items()}
    assert codes.pop("country:DE") == "lab"
    assert codes == {
        f"region:{name}": name for name in ("europe-west1", "far", "lab", "us-east1", "us-west1")
    }
    at = {found.places[place][0]: position for place, position in found.positions.items()}
    assert at == {
        "far": (1, 2),
        **{name: regions.KNOWN[name] for name in ("europe-west1", "us-east1", "us-west1")},
    }


def test_places_that_lead_nowhere_are_problems() -> None:
    found = drawn(prefixes=(("10.0.0.0/8", "mars", ""), ("11.0.0.0/8", "us-east1", "q")))
    assert [str(each).partition(":")[0] for each in found.problems] == ["place mars", "place us-east1/q"]
    known = {"mars": atlas.Area(places.Position(1, 2))}
    assert drawn(prefixes=(("10.0.0.0/8", "mars", ""),), areas=known).problems == ()
    assert drawn(prefixes=(("10.0.0.0/8", "asia-east1", ""),)).problems == ()


def test_regions_are_on_earth_and_where_they_are_said_to_be() -> None:
    assert len(regions.KNOWN) > 140
    assert all(abs(north) <= 90 and abs(east) <= 180 for north, east in regions.KNOWN.values())
    tokyo, paris = regions.KNOWN["ap-northeast-1"], regions.KNOWN["europe-west9"]
    assert 9_600 < places.distance(tokyo, paris) * 6371 < 9_900  # km
    assert places.distance(places.Position(0, 179), places.Position(0, -179)) < 0.04  # across the date line


def stood(found: atlas.Map, address: str, member: str = "") -> tuple[tuple[str, ...], int]:
    """Region, zone and member of an address, and the scope."""
    at = places.Places(found.atlas).find(ip_address(address).packed, None, member)
    return tuple(found.atlas.places[at.place]), at.scope


def test_the_listener_says_inside_of_whom_and_a_prefix_of_its_region_the_zone() -> None:
    found = drawn(
        prefixes=(
            ("10.1.0.0/16", "europe-west1", "c"),
            ("10.2.0.0/16", "us-east1", "a"),
            ("10.4.0.0/16", "europe-west1", ""),
        ),
        clients={"us": ("10.3.0.0/16",)},
        inside=("eu", "us"),
    )
    assert stood(found, "10.9.0.1", "eu") == (("europe-west1", "", "eu"), 13)
    assert stood(found, "10.1.0.1", "eu") == (("europe-west1", "c", "eu"), 16)
    assert stood(found, "10.2.0.1", "eu")[0] == ("europe-west1", "", "eu")
    assert stood(found, "10.3.0.1", "eu")[0] == ("europe-west1", "", "eu")
    assert stood(found, "10.1.0.1") == (("europe-west1", "c", ""), 16)
    assert stood(found, "10.2.0.1", "us") == (("us-east1", "a", "us"), 0), "none of its zones is elsewhere"
    assert stood(found, "10.1.0.1", "uw") == (("europe-west1", "c", ""), 16), "as if nobody had said so"
    assert found.places == tuple(
        selection.Place(row.region, row.zone, at.near, row.member)
        for row, at in zip(found.atlas.places, found.places, strict=True)
    )


def test_a_zone_of_a_region_that_the_member_does_not_tell() -> None:
    found = drawn(prefixes=(("10.1.0.0/16", "us-east1", "a"),), inside=("bare", "gone"))
    assert stood(found, "10.1.0.1", "bare") == (("us-east1", "a", "bare"), 16)
    assert stood(found, "10.9.0.1", "bare") == (("", "", "bare"), 13)
    assert [str(each) for each in found.problems] == [
        "dns.inside: listeners are said to be inside member gone: no member is called so (correct the name)"
    ]


def test_an_agent_knows_the_places_inside_its_member_alone() -> None:
    found = drawn(
        prefixes=(("10.1.0.0/16", "europe-west1", "c"), ("10.2.0.0/16", "us-east1", "a")),
        clients={"us": ("10.3.0.0/16",), "eu": ("10.4.0.0/16", "10.1.2.0/24")},
        default=("us-east1", ""),
        areas={"lab": atlas.Area(None, ("country:DE",))},
        database=True,
        home="eu",
    )
    assert set(found.atlas.places) == {("europe-west1", "", "eu"), ("europe-west1", "c", "eu")}
    assert found.atlas.codes == {} and found.atlas.positions == {}
    assert stood(found, "192.0.2.1")[0] == stood(found, "10.3.0.1")[0] == ("europe-west1", "", "eu")
    assert stood(found, "10.1.0.1")[0] == ("europe-west1", "c", "eu")
    (alone,) = drawn(home="us").places
    assert alone == ("us-east1", "a", ("us-west1", "europe-west1"), "us")
    assert drawn(home="us").atlas.inside == {"us": places.Inside(0)}


def test_whoever_is_inside_a_member_without_a_region_is_there_all_the_same() -> None:
    found = drawn(clients={"bare": ("10.3.0.0/16",)}, default=("us-east1", ""))
    assert stood(found, "10.3.0.1")[0] == stood(found, "192.0.2.1", "bare")[0] == ("us-east1", "", "bare")


@given(st.data())
def test_a_scope_holds_inside_too(data: st.DataObject) -> None:
    """All addresses in a scope that is told are in one place, at a listener inside a member as elsewhere."""
    networks = st.builds(
        lambda octet, length: str(ip_network((octet << 4 | 10 << 24, length), strict=False)),
        st.integers(0, 15),
        st.integers(22, 32),
    )
    some = st.lists(networks, max_size=4, unique=True)
    rules = tuple(
        (each, "europe-west1", data.draw(st.sampled_from(["b", "c", ""]))) for each in data.draw(some)
    )
    found = drawn(prefixes=rules, clients={"us": tuple(data.draw(some))}, inside=("eu", "bare"))
    known, member = places.Places(found.atlas), data.draw(st.sampled_from(["", "eu", "bare", "us"]))
    at = [known.find((10 << 24 | number).to_bytes(4, "big"), None, member) for number in range(256)]
    for number, each in enumerate(at):
        around = max(each.scope - 24, 0)
        alike = [other for other in range(256) if other >> (8 - around) == number >> (8 - around)]
        assert {at[other].place for other in alike} == {each.place}


def test_clients_of_two_members_are_a_problem() -> None:
    found = drawn(clients={"eu": ("10.1.0.0/16",), "us": ("10.1.0.0/16", "10.2.0.0/16")})
    assert stood(found, "10.1.0.1")[0] == ("europe-west1", "", "eu")
    (problem,) = found.problems
    assert (
        problem.where == "clients of member us"
        and "10.1.0.0/16 is said to be clients of member eu" in problem.what
    )


def test_clients_of_a_member_within_those_of_another_are_a_doubt() -> None:
    clients = {"eu": ("10.0.0.0/8", "10.2.0.0/16", "2001:DB8::/32"), "us": ("10.1.0.0/16", "2001:db8:1::/48")}
    told = [str(problem) for problem in drawn(clients=clients).problems if "lies in" in problem.what]
    assert len(told) == 2 and all("clients of member us" in each and "member eu" in each for each in told)
