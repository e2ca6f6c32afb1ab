import pytest

from fedns import config

HEAD = """federation: f
domain: example.com
members: [{name: m, region: eu, manifests: ., clients: [10.1.0.0/16]}]
"""
GOOD = """places: [{prefix: 198.51.100.0/24, region: europe-west1, zone: b}]
geo:
  default: {region: europe-west1}
  regions: {fra1: {position: [50.1, 8.7], clients: [country:DE, subdivision:US-CA]}, lab: {}}
dns: {ecs: {trust: [192.0.2.0/24]}}
"""


def test_what_is_written_reaches_the_map() -> None:
    loaded = config.parse((HEAD + GOOD).encode()).config
    assert loaded is not None
    told = config.whereabouts(loaded)
    assert told.prefixes == (("198.51.100.0/24", "europe-west1", "b"),)
    assert told.clients == {"m": ("10.1.0.0/16",)}
    assert told.default == ("europe-west1", "")
    assert told.areas["fra1"] == ((50.1, 8.7), ("country:DE", "subdivision:US-CA"))
    assert told.areas["lab"].position is None
    assert (told.ecs, told.trust) == (True, ("192.0.2.0/24",))


def test_v1_knew_no_places() -> None:
    loaded = config.parse((HEAD + GOOD.replace("dns: {", "dns: {compat: v1, ")).encode()).config
    assert loaded is not None
    assert (config.whereabouts(loaded).prefixes, config.whereabouts(loaded).ecs) == ((), False)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("places: [{prefix: 10.0.0.1/8, region: eu}]", "4: places.0.prefix: '10.0.0.1/8' is not a prefix"),
        (
            "places:\n- {prefix: 10.0.0.0/8, region: a}\n- {prefix: 10.0.0.0/8, region: b}",
            "6: prefix 10.0.0.0/8",
        ),
        ("geo: {default: {zone: b}}", "4: geo.default has a zone without its region"),
        ("geo: {regions: {fra1: {position: [95, 8]}}}", "4: region 'fra1': not a position on Earth"),
        ("geo: {regions: {fra1: {position: [8]}}}", "write [LATITUDE, LONGITUDE]"),
        ("geo: {regions: {Fra: {}}}", "'Fra' is not a DNS label"),
        ("geo: {regions: {a: {clients: [Germany]}}}", "'Germany' is no code of a place"),
        (
            "geo: {regions: {a: {clients: [country:DE]}, b: {clients: [country:DE]}}}",
            "clients of country:DE are in region 'a' already",
        ),
        ("dns: {ecs: {trust: [all]}}", "'all' is not a prefix"),
    ],
)
def test_what_cannot_be_meant(text: str, complaint: str) -> None:
    loaded = config.parse((HEAD + text).encode())
    assert loaded.config is None
    assert any(complaint in str(problem) for problem in loaded.problems), loaded.problems
