"""Who holds an address: services that are published there, and services that have it inside a member.

Law: one look at the fleet serves all reverse zones. An address is a service's for as long as a member
declares it, whether it serves just now or not: what an address is called does not hang on health.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from fedns.dns import names, outcome
from fedns.errors import FednsError
from fedns.model import snapshot as model


class Network(NamedTuple):
    """All addresses of `size` octets whose first `bits` are this number."""

    size: int
    bits: int
    number: int

    def holds(self, address: bytes) -> bool:
        return len(address) == self.size and self.of(address) == self

    def of(self, address: bytes) -> "Network":
        """The network of this size around an address."""
        number = int.from_bytes(address, "big") >> (8 * self.size - self.bits)
        return self._replace(number=number)


class Claim(NamedTuple):
    """One name of an address (wire form), and for how long that may be kept. `member`: who is inside of it
    sees that name; empty: everybody does."""

    name: bytes
    ttl: int
    member: str = ""


class Suffixes(NamedTuple):
    """What follows `S.N` in the global name of a service, and in the one that it has inside its cluster."""

    world: bytes
    local: bytes


class Book:
    """`at` is who holds each address of the networks, by `namespace/name`. `networks`: whether those inside
    members count there, and not those that are published."""

    def __init__(self, networks: Mapping[Network, bool]) -> None:
        self._networks = networks
        self._wider = sorted({each._replace(number=0) for each in networks}, key=lambda each: -each.bits)
        self.at: dict[bytes, dict[str, tuple[Claim, ...]]] = {}
        self._pages: dict[Network | None, list[bytes]] = {}
        self._snapshot: model.Snapshot | None = None
        self._suffixes = Suffixes(b"", b"")
        self._changed: frozenset[bytes] = frozenset()

    def network(self, address: bytes) -> Network | None:
        """The narrowest network around an address."""
        around = (each.of(address) for each in self._wider if each.size == len(address))
        return next((each for each in around if each in self._networks), None)

    def page(self, network: Network) -> list[bytes]:
        """The addresses with this narrowest network, as of the last reading."""
        if not self._pages:
            for address in self.at:
                self._pages.setdefault(self.network(address), []).append(address)
        return self._pages.get(network, [])

    def read(self, snapshot: model.Snapshot, suffixes: Suffixes) -> None:
        """Takes a whole fleet up, once for all zones."""
        if snapshot is self._snapshot and suffixes == self._suffixes:
            return
        self.at, self._pages, self._snapshot, self._suffixes = {}, {}, snapshot, suffixes
        for key, service in snapshot.services.items():
            for address, claims in self._said(service).items():
                self.at.setdefault(address, {})[key] = claims

    def renew(self, before: model.Snapshot, after: model.Snapshot) -> frozenset[bytes]:
        """Takes up what was touched; the addresses that may be called otherwise since."""
        if after is self._snapshot:
            return self._changed
        if before is not self._snapshot or after.touched is None:
            there = self.at.keys()
            self.read(after, self._suffixes)
            self._changed = frozenset(there | self.at.keys())
            return self._changed
        self._snapshot, self._pages = after, {}
        changed = (self._follow(key, before, after) for key in after.touched)
        self._changed = frozenset(address for each in changed for address in each)
        return self._changed

    def _follow(self, key: str, before: model.Snapshot, after: model.Snapshot) -> set[bytes]:
        old, new = (self._said(each.services.get(key)) for each in (before, after))
        differing = {each for each in old.keys() | new.keys() if old.get(each) != new.get(each)}
        for address in differing:
            here = self.at.setdefault(address, {})
            here.pop(key, None)
            if address in new:
                here[key] = new[address]
            if not here:
                del self.at[address]
        return differing

    def _said(self, service: model.Service | None) -> dict[bytes, tuple[Claim, ...]]:
        """What one service holds."""
        found: dict[bytes, dict[Claim, None]] = {}
        prefix = names.prefix(service) if service is not None else b""
        if service is None or not prefix:
            return {}
        ttl = service.policy.ttl.max
        world, local = (Claim(prefix + suffix, ttl) for suffix in self._suffixes)
        for shard in service.shards:
            for address in self._within(shard.addresses, False):
                found.setdefault(address, {})[world] = None
            told = shard.facts.inside
            for address in self._within(told.cluster_ips if told is not None else (), True):
                found.setdefault(address, {})[local._replace(member=shard.member)] = None
        return {address: tuple(claims) for address, claims in found.items()}

    def _within(self, addresses: Iterable[str], inside: bool) -> Iterator[bytes]:
        """Those that lie in networks of this kind, in wire form."""
        try:
            v4, v6 = outcome.packed(tuple(addresses)) if addresses else ((), ())
        except (ValueError, FednsError):
            return
        for each in (*v4, *v6):
            network = self.network(each)
            if network is not None and self._networks[network] == inside:
                yield each
