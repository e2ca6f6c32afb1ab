"""The keeper: an entry for the tables that outlives lost files, restarts, and control itself."""

import os
from pathlib import Path

import pytest

from fedns import keyring
from fedns.control import keys, vault
from fedns.dns import keyset, rollover, signing, wire

DAY = 86400.0
NOW = 1_800_000_000.0
ZONE = "example.com"
TOLD = keyring.Settings(zones=(ZONE,))
SPLIT = keyring.Settings(zones=(ZONE,), keys="ksk+zsk", algorithm=15)


class Bench:
    """A keeper whose entries are served as they come."""

    def __init__(self, path: Path, told: keyring.Settings = TOLD) -> None:
        self.home = vault.Vault(str(path / "keys"))
        self.table: bytes | None = None
        self.begin(told)

    def begin(self, told: keyring.Settings) -> None:
        """The process starts, or starts again."""
        self.keeper = keys.Keeper(self.home, told, self.table)

    def serve(self, now: float) -> signing.Zone | None:
        """One turn; the one zone that is signed."""
        self.keeper.due(now)
        self.table = self.keeper.entry(now)
        self.keeper.published(now)
        return signing.decode(self.table)[0] if self.table else None

    def states(self) -> list[str]:
        return [key.state for key in self.home.read(ZONE).keys]

    def ask(self, word: str) -> None:
        zone = self.home.read(ZONE)
        assert not rollover.refusal(zone, word)
        kept = rollover.Zone(zone.keys, (*zone.asked, word), zone.ttl, zone.older, zone.gone)
        self.home.write(ZONE, kept)


def test_a_zone_is_signed_as_soon_as_it_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    served = bench.serve(NOW)
    assert served is not None and served.apex == b"\x07example\x03com\0"
    assert [rrset.type for rrset in served.rrsets] == [wire.DNSKEY, wire.RRSIG]
    assert len(served.secrets) == 1 and bench.states() == ["published"]
    assert bench.keeper.problems == ()


def test_a_key_that_signs_keys_stays_in_control(tmp_path: Path) -> None:
    served = Bench(tmp_path, SPLIT).serve(NOW)
    assert served is not None and len(served.secrets) == 1
    assert keyset.signers(served.rrsets).isdisjoint({secret.tag for secret in served.secrets})


def test_nothing_is_signed_again_without_need(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.serve(NOW)
    before = bench.table
    bench.begin(TOLD)
    assert bench.serve(NOW + 3600) and bench.table == before
    assert not bench.keeper.due(NOW + 3600)


def test_signatures_outlive_a_dead_control_by_more_than_half_of_their_life(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.serve(NOW)
    renewed, before = 0, bench.table
    for hour in range(0, 100 * 24, 6):
        now = NOW + hour * 3600
        if bench.keeper.due(now):
            served = bench.serve(now)
            renewed += bench.table != before
            before = bench.table
            assert served is not None
        left = keyset.span(signing.decode(before or b"")[0].rrsets)[0] - now
        assert left > TOLD.validity / 2
    assert 15 < renewed < 40


def test_a_state_is_written_down_only_after_it_was_served(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.keeper.entry(NOW)
    assert bench.states() == ["created"]
    bench.keeper.published(NOW)
    assert bench.states() == ["published"]


def test_a_roll_goes_from_wish_to_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = bench.serve(NOW)
    now = NOW + 1.1 * DAY
    bench.serve(now)
    assert bench.states() == ["ready"]
    for word, wanted in (("seen", ["active"]), ("roll csk", ["active", "published"])):
        bench.ask(word)
        bench.serve(now)
        assert bench.states() == wanted
    bench.serve(now + DAY)
    bench.ask("seen")
    bench.serve(now + DAY)
    last = bench.serve(now + 3 * DAY)
    assert bench.states() == ["active"] and first and last
    assert keyset.signers(first.rrsets).isdisjoint(keyset.signers(last.rrsets))


def test_a_lost_key_is_a_problem_and_what_is_served_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.serve(NOW)
    before, key = bench.table, bench.home.read(ZONE).keys[0]
    path = Path(bench.home.file(ZONE, key))
    path.rename(tmp_path / "away")
    bench.serve(NOW + 1)
    assert bench.table == before and path.name in str(bench.keeper.problems[0])
    bench.begin(TOLD)
    bench.serve(NOW + 2)
    assert bench.table == before and bench.keeper.problems
    (tmp_path / "away").rename(path)
    bench.serve(NOW + 5)
    assert bench.table == before and not bench.keeper.problems


def test_a_damaged_account_is_never_begun_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.serve(NOW)
    before = bench.table
    Path(bench.home.path(ZONE)).write_text("{")
    os.utime(bench.home.directory)
    bench.begin(TOLD)
    bench.serve(NOW + DAY)
    assert bench.table == before and "example.com.json" in str(bench.keeper.problems[0])
    assert len(list((tmp_path / "keys").glob("*.pem"))) == 1


def test_while_somebody_else_changes_keys_nothing_is_a_problem(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with bench.home.lock():
        assert bench.serve(NOW) is None and not bench.keeper.problems
    assert bench.serve(NOW + 2) is not None


def test_a_zone_no_longer_named_stays_signed_and_asks_the_parent(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.serve(NOW)
    bench.serve(NOW + 2 * DAY)
    bench.begin(keyring.Settings())
    served = bench.serve(NOW + 3 * DAY)
    assert served is not None
    cds = next(rrset for rrset in served.rrsets if rrset.type == wire.CDS)
    assert cds.rdatas == (keyset.REMOVE_DS,)
    bench.ask("gone")
    bench.serve(NOW + 3 * DAY)
    assert bench.serve(NOW + 5 * DAY) is None


@pytest.mark.parametrize("role", ["csk", "ksk"])
def test_keys_of_the_configuration_are_taken_as_they_are(tmp_path: Path, role: rollover.Role) -> None:
    roles: tuple[rollover.Role, ...] = ("csk",) if role == "csk" else ("ksk", "zsk")
    for each in roles:
        (tmp_path / f"{each}.pem").write_bytes(vault.generate(13))
    files = tuple(keyring.KeyFile(str(tmp_path / f"{each}.pem"), each, ZONE) for each in roles)
    bench = Bench(tmp_path, keyring.Settings(zones=(ZONE,), files=files))
    served = bench.serve(NOW)
    assert served is not None and len(served.secrets) == 1
    assert [rrset.type for rrset in served.rrsets] == [wire.DNSKEY, wire.CDS, wire.CDNSKEY, wire.RRSIG]
    assert keys.steps(ZONE, bench.keeper.held[ZONE]) == ()
    (tmp_path / f"{role}.pem").unlink()
    before = bench.table
    bench.serve(NOW + 1)
    assert bench.table == before and bench.keeper.problems
