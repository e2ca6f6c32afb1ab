"""What is told of signed zones, and what is wrong with them."""

from pathlib import Path

from fedns import keyring
from fedns.control import keys, signatures, vault
from fedns.dns import node
from fedns.sources import change

NOW = 1_800_000_000.0
APEX = b"\x07example\x03com\0"
TOLD = keyring.Settings(zones=("example.com",), max_ttl=300)


def test_a_zone_is_told_with_its_keys_and_what_comes_next(tmp_path: Path) -> None:
    keeper = keys.Keeper(vault.Vault(str(tmp_path)), TOLD, None)
    keeper.entry(NOW)
    told = signatures.told("example.com", keeper.held["example.com"])
    (key,) = told.keys
    assert (key.role, key.algorithm, key.state) == ("csk", "ECDSAP256SHA256", "published")
    assert told.expires == NOW + TOLD.validity
    (step,) = told.next
    assert step.at == key.until and "is ready" in step.what
    (measured,) = signatures.measured(keeper.held)
    assert measured.keys == {(str(key.tag), "csk", "published"): 1.0}
    assert (measured.next, measured.expires) == (key.until, told.expires)


def test_zones_that_are_not_served_and_ttls_that_last_too_long_are_problems() -> None:
    served = [node.Zone(APEX, bytes(22), 60)]
    facts = change.ZoneFacts(APEX, ((APEX, 1, 301, (bytes(4),)),), "/z/example.com.zone")
    assert signatures.problems(TOLD, served, {}) == ()
    assert "no such zone" in signatures.problems(TOLD, [], {})[0].what
    assert "TTL of 301 s" in signatures.problems(TOLD, served, {"example.com.": facts})[0].what
