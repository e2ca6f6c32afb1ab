"""The keys of signed zones at work: read, stepped on, and their key sets signed, as an entry of the tables.

Law: a state is written down only after it was served, so that caches are never behind what is written. What
cannot be read is a problem, and what was served before stays. Key sets are signed again early, at times that
differ: whenever control dies, their signatures live on for more than half of `validity`.
"""

import zlib
from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from fedns import keyring, stamps
from fedns.control import vault
from fedns.dns import keyset, names, outlook, rollover, signing, wire
from fedns.errors import Problem, StateError

RETRY = 1.0  # seconds until what could not be read or written is tried again
_RENEW, _JITTER = 4, 8  # key sets are signed again after a quarter of `validity`, or up to an eighth later


class Held(NamedTuple):
    """A zone's keys as they are served, and what signs it with them. `given`: by the configuration."""

    keys: rollover.Zone
    settings: rollover.Settings
    served: signing.Zone | None
    given: bool = False


class Keeper:
    """All signed zones. `entry` before a turn, `published` after it went out."""

    def __init__(self, home: vault.Vault, told: keyring.Settings, before: bytes | None) -> None:
        self.problems: tuple[Problem, ...] = ()
        self.held: dict[str, Held] = {}
        """By zone name, without the last dot."""
        self._vault, self._told, self._rules = home, told, keyring.rolling(told)
        self._last = {zone.apex: zone for zone in signing.decode(before)} if before else {}
        self._entry = before
        self._unsaved: dict[str, tuple[rollover.Zone, rollover.Zone]] = {}
        self._due = 0.0
        self._stamps = self._look()

    def entry(self, now: float) -> bytes | None:
        """What the tables should say of signed zones; None where there are none."""
        if now < self._due:
            return self._entry
        self._due, self._stamps = inf, self._look()
        self._unsaved.clear()
        problems: list[Problem] = []
        held = {name: each for name in self._names(problems) if (each := self._hold(name, now, problems))}
        served = [each.served for each in held.values() if each.served]
        self.held, self.problems = held, tuple(sorted(problems))
        self._last = {zone.apex: zone for zone in served}
        self._entry = signing.encode(served) if served else None
        return self._entry

    def published(self, now: float) -> None:
        """What `entry` said is served now: it may be written down."""
        for name, change in self._unsaved.items():
            try:
                self._write(name, *change)
            except vault.Busy:
                self._wait(now + RETRY)
            except StateError as error:
                self._wait(now + RETRY)
                self.problems = (*self.problems, _problem(name, error))
        self._unsaved.clear()

    def _write(self, name: str, before: rollover.Zone, after: rollover.Zone) -> None:
        """Unless somebody else has written meanwhile: then it is looked at again."""
        with self._vault.lock():
            if self._vault.read(name) == before:
                self._vault.write(name, after)

    def due(self, now: float) -> bool:
        """Whether `entry` will look at everything again; to be asked about once a second."""
        if self._look() != self._stamps:
            self._due = 0.0
        return now >= self._due

    def _look(self) -> tuple[int | stamps.Stamp, ...]:
        return (self._vault.stamp(), *(stamps.of(file.file) for file in self._told.files))

    def _wait(self, until: float) -> None:
        self._due = min(self._due, until)

    def _names(self, problems: list[Problem]) -> list[str]:
        """Zones that are to be signed, and those that still are."""
        try:
            kept = self._vault.zones()
        except StateError as error:
            problems.append(_problem(self._vault.directory, error))
            kept = list(self.held)
        return sorted({*self._told.zones, *kept})

    def _hold(self, name: str, now: float, problems: list[Problem]) -> Held | None:
        """The zone as it is to be served now; in trouble, as it was."""
        apex = names.wire(name)
        try:
            return self._held(name, apex, now)
        except StateError as error:
            self._wait(now + RETRY)
            if not isinstance(error, vault.Busy):
                problems.append(_problem(name, error))
            last, before = self._last.get(apex), self.held.get(name)
            if before is not None:
                return before
            return Held(rollover.Zone(), self._rules, last) if last else None

    def _held(self, name: str, apex: bytes, now: float) -> Held | None:
        given = [file for file in self._told.files if file.zone == name]
        rules = self._rules._replace(signed=name in self._told.zones)
        if given and rules.signed:
            keys, secrets = _given(given, rules)
        else:
            keys = self._stepped(name, rules, now)
            secrets = {key.tag: self._vault.secret(name, key) for key in keys.keys}
            self._wait(rollover.due(keys, rules) or inf)
        if not keys.keys:
            return None
        served = self._signed(apex, Held(keys, rules, self._last.get(apex)), secrets, now)
        return Held(keys, rules, served, bool(given))

    def _stepped(self, name: str, rules: rollover.Settings, now: float) -> rollover.Zone:
        """The zone's keys as of now, with those that had to be made."""
        before = self._vault.read(name)
        wants = rollover.wanted(before, rules, now)
        if wants:
            before = make(self._vault, name, rules, now)
        after = rollover.step(before, rules, now)
        if after != before:
            self._unsaved[name] = before, after
        return after

    def _signed(
        self, apex: bytes, held: Held, secrets: Mapping[int, signing.Secret], now: float
    ) -> signing.Zone:
        """What signs the zone: as before where that is still good, else signed now."""
        keys, last, validity = held.keys, held.served, self._told.validity
        sets = keyset.rrsets(apex, keys, held.settings.signed)
        entries = [secrets[key.tag] for key in keys.keys if rollover.entry(key)]
        made = signing.Zone(
            apex, validity, tuple(secrets[key.tag] for key in keys.keys if rollover.signs(key)), sets
        )
        tags = {secret.tag for secret in entries}
        fresh = last is not None and _plain(last) == made and keyset.signers(last.rrsets) == tags
        if last is not None and fresh and now < _renewal(last):
            self._wait(_renewal(last))
            return last
        span = int(now) + validity, int(now) - signing.SKEW
        made = made._replace(rrsets=(*sets, keyset.signatures(apex, sets, span, entries)))
        self._wait(_renewal(made))
        return made


def read(home: vault.Vault, told: keyring.Settings, name: str) -> Held:
    """The zone's keys as they are written down, or given. StateError where they cannot be read."""
    rules = keyring.rolling(told)._replace(signed=name in told.zones)
    given = [file for file in told.files if file.zone == name]
    zone = _given(given, rules)[0] if given and rules.signed else home.read(name)
    return Held(zone, rules, None, bool(given and rules.signed))


def faults(home: vault.Vault, told: keyring.Settings) -> tuple[Problem, ...]:
    """What is wrong with keys that are there, or should be."""
    found = []
    for name in sorted({*told.zones, *home.zones()}):
        try:
            held = read(home, told, name)
            for key in () if held.given else held.keys.keys:
                home.secret(name, key)
        except StateError as error:
            found.append(_problem(name, error))
    return tuple(found)


def make(home: vault.Vault, name: str, rules: rollover.Settings, now: float) -> rollover.Zone:
    """Makes the keys that the zone is to have now, and writes them down; the zone with them."""
    with home.lock():
        zone = home.read(name)
        made: list[rollover.Key] = []
        for want in rollover.wanted(zone, rules, now):
            taken = frozenset(key.tag for key in (*zone.keys, *made))
            made.append(home.add(name, want, taken))
        zone = rollover.joined(zone, made)
        home.write(name, zone)
        return zone


def steps(name: str, held: Held) -> tuple[outlook.Next, ...]:
    """What comes next; keys that are given change with the configuration only."""
    return () if held.given else outlook.steps(held.keys, held.settings, name)


def expiry(held: Held) -> int:
    """When the signatures over the key sets expire, Unix seconds; 0 where there are none."""
    return keyset.span(held.served.rrsets)[0] if held.served else 0


def _plain(zone: signing.Zone) -> signing.Zone:
    """Without signatures."""
    return zone._replace(rrsets=tuple(rrset for rrset in zone.rrsets if rrset.type != wire.RRSIG))


def _renewal(zone: signing.Zone) -> float:
    """When key sets are to be signed again."""
    expiration, inception = keyset.span(zone.rrsets)
    spread = zlib.crc32(zone.apex + inception.to_bytes(4, "big")) / 0xFFFFFFFF
    lasts = zone.validity / _RENEW + spread * zone.validity / _JITTER
    return min(inception + signing.SKEW + lasts, expiration)


def _given(
    files: list[keyring.KeyFile], rules: rollover.Settings
) -> tuple[rollover.Zone, dict[int, signing.Secret]]:
    """Keys of the configuration, in the states that it says."""
    keys: list[rollover.Key] = []
    secrets: dict[int, signing.Secret] = {}
    for file in files:
        key, secret = vault.load(file.file, file.role)
        if key.tag in secrets:
            raise StateError(f"{file.file}: another key has the tag {key.tag} too; make a new one")
        keys.append(rollover.stated(key, file.state))
        secrets[key.tag] = secret
    return rollover.Zone(tuple(keys), ttl=rules.key_ttl), secrets


def _problem(where: str, error: StateError) -> Problem:
    return Problem(where, str(error), "what is served stays; its signatures expire unless this is mended")
