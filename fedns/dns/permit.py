"""Who may copy zones from us, and the keys that we and they share.

Law: denied unless a grant says otherwise; a grant that names both a prefix and a key wants both. The rules
come with the tables, so a worker takes new ones up as it takes new answers up.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from typing import Any, NamedTuple, Protocol

from fedns.dns import tsig

RULES = b"\xfftransfer"
"""The table's entry with the rules."""


class View(Protocol):
    def get(self, key: bytes, /) -> bytes | None: ...


class Grant(NamedTuple):
    """Clients in `network` (packed address and prefix length, empty: any) that sign with `key` (a name in
    wire form, empty: or do not)."""

    network: bytes = b""
    bits: int = 0
    key: bytes = b""


class Rules(NamedTuple):
    """Everything about copies that workers have to know. `private`: apexes of zones that nobody may copy."""

    keys: tuple[tsig.Key, ...] = ()
    grants: tuple[Grant, ...] = ()
    private: frozenset[bytes] = frozenset()

    def allow(self, address: bytes, key: bytes) -> bool:
        """Whether the client at this packed address, which signed with this key (empty: not), may copy."""
        address = address.removeprefix(_MAPPED) if len(address) == 16 else address
        return any(_holds(grant, address, key) for grant in self.grants)


_MAPPED = bytes(10) + b"\xff\xff"  # IPv4 in IPv6 (RFC 4291 section 2.5.5.2)
_NOTHING = Rules()
_last: list[tuple[bytes, Rules]] = [(b"", _NOTHING)]


def network(text: str) -> Grant:
    """The grant of a prefix. ValueError: it is none."""
    found = ip_network(text)
    return Grant(found.network_address.packed, found.prefixlen)


def encode(keys: Sequence[tsig.Key], grants: Sequence[Grant]) -> bytes:
    told = {
        "keys": [[_text(name), algorithm, _text(secret)] for name, algorithm, secret in keys],
        "grants": [[_text(address), bits, _text(key)] for address, bits, key in grants],
    }
    return json.dumps(told).encode()


def closed(data: bytes, private: Iterable[bytes]) -> bytes:
    """Encoded rules by which nobody may copy the zones at these apexes."""
    kept = sorted(map(_text, private))
    return json.dumps({**json.loads(data), "private": kept}).encode() if kept else data


def rules(view: View) -> Rules:
    """What is published now."""
    data = view.get(RULES)
    if not data:
        return _NOTHING
    if _last[0][0] != data:
        _last[0] = data, _decoded(json.loads(data))
    return _last[0][1]


def _decoded(told: dict[str, list[Any]]) -> Rules:
    keys = [tsig.Key(_octets(name), algorithm, _octets(secret)) for name, algorithm, secret in told["keys"]]
    grants = [Grant(_octets(address), int(bits), _octets(key)) for address, bits, key in told["grants"]]
    return Rules(tuple(keys), tuple(grants), frozenset(map(_octets, told.get("private", ()))))


def _holds(grant: Grant, address: bytes, key: bytes) -> bool:
    if grant.key and grant.key != key:
        return False
    if not grant.network:
        return bool(grant.key)
    if len(address) != len(grant.network):
        return False
    rest = 8 * len(address) - grant.bits
    return int.from_bytes(address, "big") >> rest == int.from_bytes(grant.network, "big") >> rest


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _octets(text: str) -> bytes:
    return base64.b64decode(text)
