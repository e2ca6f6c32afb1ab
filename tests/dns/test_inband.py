from fedns.dns import inband, outcome
from tests.golden import fleet

SETTINGS = {"federation": "fed", "domain": "example.com"}


def told(members: int, state: str = "healthy") -> list[str]:
    """The lines of the global name of a service in so many members."""
    named = {f"m{number}": {"region": "eu", "zones": ["eu-a"]} for number in range(members)}
    shards = {name: {"addresses": ["192.0.2.1"], "state": state} for name in named}
    of = fleet.build({"settings": SETTINGS, "members": named, "services": {"n/s": {"shards": shards}}})
    service = of.snapshot.services["n/s"]
    here = outcome.outcomes(service, of.layout, fleet.NOW)[0]
    return inband.Tale(service, 30).lines(of.layout.levels[0], here, "")


def test_rule_shards_and_ttl() -> None:
    assert told(1) == [
        "global name: addresses of the shards that can serve",
        "+ m0 healthy since 2027-01-15T07:59:00Z: 3 of 3 endpoints ready",
        "1 of 1 shards serve, ttl 30",
    ]


def test_many_shards_are_counted() -> None:
    lines = told(20)
    assert len(lines) == inband.MAX_SHARDS + 3
    assert lines[-2] == "and 14 more shards"
    assert len(inband.rdata(lines)) < 1000


def test_strings_fit_their_length_octet() -> None:
    assert inband.rdata(["x" * 300, "ü"]) == b"\xff" + b"x" * 255 + b"\x01?"
