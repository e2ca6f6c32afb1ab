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
    strings = inband.Tale(service, 30).strings(of.layout.levels[0], here, "")
    assert all(len(each) == each[0] + 1 for each in strings)
    return [each[1:].decode() for each in strings]


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
    assert sum(map(len, lines)) < 1000


def test_two_zones_of_the_same_members_are_told_apart() -> None:
    zones = ["eu-a", "eu-b"]
    named = {name: {"region": "eu", "zones": zones} for name in ("m0", "m1")}
    ready = [
        [{"zone": zone, "ready": n, "serving": n, "terminating": 0, "total": 2} for zone, n in each]
        for each in ([("eu-a", 2), ("eu-b", 0)], [("eu-a", 0), ("eu-b", 2)])
    ]
    shards = {
        name: {"addresses": ["192.0.2.1"], "readiness": counts}
        for name, counts in zip(named, ready, strict=True)
    }
    of = fleet.build({"settings": SETTINGS, "members": named, "services": {"n/s": {"shards": shards}}})
    service = of.snapshot.services["n/s"]
    tale, outcomes = inband.Tale(service, 30), outcome.outcomes(service, of.layout, fleet.NOW)
    told = [
        tale.child(level, here, "")
        for level, here in zip(of.layout.levels, outcomes, strict=True)
        if level.kind == "zone" and not level.short
    ]
    assert len(told) == 2 and told[0] != told[1]
    assert b"+ m0 healthy" in told[0]
    assert b"- m0 healthy since 2027-01-15T07:59:00Z, not in this answer: " in told[1]


def test_strings_fit_their_length_octet() -> None:
    assert inband.string("x" * 300) == b"\xff" + b"x" * 255
    assert inband.string("ü") == b"\x01?"
