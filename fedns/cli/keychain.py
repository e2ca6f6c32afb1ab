"""Keys as `fedns key` shows them: each zone's, from the configuration and the state directory.

Law: it reads, and words; what a state means is `rollover`'s to know, and what comes next `outlook`'s.
"""

import os
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import structs
from rich.console import Group
from rich.table import Table
from rich.text import Text

from fedns import config, keyring
from fedns.cli import output
from fedns.control import keys, vault
from fedns.dns import keyset, names, rollover
from fedns.errors import StateError


class Chain(NamedTuple):
    """One zone's keys."""

    name: str
    held: keys.Held

    @property
    def parental(self) -> tuple[rollover.Key, ...]:
        """Those for the parent; before the first is ready, those that will be."""
        found = self.held.keys.keys
        return rollover.parental(found) or tuple(key for key in found if key.role != "zsk")

    @property
    def usual(self) -> str:
        """The role that is rolled where none is named."""
        return "zsk" if any(key.role == "zsk" for key in self.held.keys.keys) else "csk"

    def ds(self, key: rollover.Key) -> str:
        """A DS record in presentation form."""
        digest = keyset.ds(names.wire(self.name), key)[4:].hex().upper()
        ttl = self.held.settings.parent_ttl
        return f"{self.name}. {ttl} IN DS {key.tag} {key.algorithm} {keyset.SHA256} {digest}"

    def dnskey(self, key: rollover.Key) -> str:
        return f"{self.name}. {self.held.settings.key_ttl} IN DNSKEY {keyset.text(key)}"

    def told(self) -> dict[str, Any]:
        """For programs."""
        return {
            "zone": self.name,
            "signed": self.held.settings.signed,
            "given": self.held.given,
            "asked": self.held.keys.asked,
            "keys": [self._key(key) for key in self.held.keys.keys],
            "next": [each._asdict() for each in keys.steps(self.name, self.held)],
        }

    def _key(self, key: rollover.Key) -> dict[str, Any]:
        told = {
            "tag": key.tag,
            "role": key.role,
            "algorithm": keyset.ALGORITHMS[key.algorithm],
            "state": key.state,
            "since": key.since,
            "until": key.until or None,
            "dnskey": self.dnskey(key),
        }
        return told if key.role == "zsk" else {**told, "ds": self.ds(key)}

    def shown(self, now: float) -> Group:
        """For people."""
        table = Table(
            title=f"{self.name}", title_justify="left", box=None, pad_edge=False, header_style="dim"
        )
        for column in ("KEY", "ROLE", "ALGORITHM", "STATE", "FOR"):
            table.add_column(column)
        for key in self.held.keys.keys:
            lasts = output.span(now - key.since) if key.since else "-"
            algorithm = keyset.ALGORITHMS[key.algorithm]
            table.add_row(str(key.tag), key.role, algorithm, output.styled(key.state), lasts)
        return Group(table, *(Text(line) for line in self.news(now)))

    def news(self, now: float) -> list[str]:
        """What comes next, a line each."""
        if not self.held.keys.keys:
            return ["no keys yet: they are made when the server first signs the zone, or now by "
                    f"`fedns key generate {self.name}`"]  # fmt: skip
        lines = [f"asked for: {word}; the server does it as soon as it can" for word in self.held.keys.asked]
        if self.held.given:
            return ["given by the configuration: they change with it only", *lines]
        for step in keys.steps(self.name, self.held):
            lines.append(f"{when(step.at, now)}: {step.what}")
        return lines


class Chains(NamedTuple):
    """What one configuration signs, and where it keeps the keys."""

    told: keyring.Settings
    vault: vault.Vault

    def names(self) -> list[str]:
        """Zones that are signed, and those that are not any more but have keys."""
        left = (name for name in self.vault.zones() if self.vault.read(name).keys)
        return sorted({*self.told.zones, *left})

    def chain(self, name: str) -> Chain:
        return Chain(name, keys.read(self.vault, self.told, name))

    def chains(self, name: str = "") -> Sequence[Chain]:
        return [self.chain(each) for each in ([self.one(name)] if name else self.names())]

    def one(self, name: str) -> str:
        """The zone meant; the only one where none is named. StateError where that is not signed."""
        found, wanted = self.names(), name.rstrip(".").lower()
        if wanted in found:
            return wanted
        if not wanted and len(found) == 1:
            return found[0]
        signed = ", ".join(found) or "none: name some in `dns.dnssec.zones`"
        raise StateError(
            f"{name!r} is not signed here; signed: {signed}" if name else f"which zone? {signed}"
        )


def opened(file: str) -> Chains:
    """What the configuration says. StateError where it cannot be used."""
    loaded = config.load(file)
    if loaded.config is None:
        raise StateError("\n".join(map(str, loaded.problems)))
    home = vault.Vault(os.path.join(loaded.config.state, "keys"))
    return Chains(loaded.config.dns.dnssec, home)


def make(chains: Chains, name: str) -> Chain:
    """Makes the first keys of a zone; what is there already stays."""
    found = chains.chain(name)
    if not found.held.keys.keys:
        keys.make(chains.vault, name, found.held.settings, time.time())
    return chains.chain(name)


def write(path: str, role: rollover.Role, algorithm: str) -> rollover.Key:
    """Makes a key in a file. StateError where that exists, or cannot be written."""
    number = next(each for each, name in keyset.ALGORITHMS.items() if name.lower() == algorithm)
    if os.path.exists(path):
        raise StateError(f"{path} exists: keys are never overwritten")
    vault.keep(path, vault.generate(number))
    return vault.load(path, role)[0]


def ask(chains: Chains, name: str, word: str) -> list[str]:
    """Writes a wish beside the keys; what then comes, in words."""
    if chains.chain(name).held.given:
        raise StateError(f"the keys of {name} are given by the configuration: change `dns.dnssec.files`")
    with chains.vault.lock(wait=True):
        zone = chains.vault.read(name)
        why = rollover.refusal(zone, word)
        if why:
            raise StateError(f"{name}: {why}")
        if word not in zone.asked:
            chains.vault.write(name, structs.replace(zone, asked=(*zone.asked, word)))
    return chains.chain(name).news(time.time())


def when(at: float, now: float) -> str:
    """A time to come as people say it."""
    if not at:
        return "to be done"
    if at <= now:
        return "now"
    return f"in {output.span(at - now)} ({time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(at))})"
