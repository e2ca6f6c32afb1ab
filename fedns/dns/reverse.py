"""Reverse zones: what addresses of federated services are called (PTR, RFC 1035 section 3.5, RFC 3596).

Law: an address that is published has the global name of its service; a cluster IP has the local name, for
those inside that member and for nobody else. Zones begin where labels do: a prefix in between is several.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from itertools import islice
from typing import NamedTuple

from fedns.dns import annex, holders, names, node, skeleton, wire
from fedns.dns.holders import Claim, Network
from fedns.errors import FednsError, Problem
from fedns.model import snapshot as model

MOST = 8
"""Names of one address in an answer, the first by their spelling: some resolvers fail on many."""
_STEPS = {4: (8, 24), 6: (4, 124)}  # bits of a label, and of the smallest network that may be a zone
_SVC = b"\x03svc"
_HELD = "an address that services hold has their names, whether they serve just now or not"
_ELSEWHERE = "a cluster IP has a name for those inside its member alone"
_NOBODY = "no service holds this address"


class Settings(NamedTuple):
    """`prefixes` hold published addresses, `inside` those of services inside their clusters; `cluster` is the
    clusters' own domain."""

    prefixes: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    cluster: str = "cluster.local"


def split(prefix: str) -> list[Network]:
    """The zones of a prefix. FednsError where it lies within a label."""
    network = ip_network(prefix)
    step, longest = _STEPS[network.version]
    if network.prefixlen > longest:
        raise FednsError(f"{prefix} is narrower than a zone: /{longest} is the narrowest")
    bits = max(step, -(-network.prefixlen // step) * step)
    size = network.max_prefixlen // 8
    shift = network.max_prefixlen - bits
    return [Network(size, bits, int(each[0]) >> shift) for each in network.subnets(new_prefix=bits)]


def kinds(settings: Settings) -> tuple["Kind", ...]:
    """One for each zone; they share one look at the fleet."""
    found = {each: False for prefix in settings.prefixes for each in split(prefix)}
    found |= {each: True for prefix in settings.inside for each in split(prefix)}
    book = holders.Book(found)
    return tuple(Kind(settings, book, network, inside) for network, inside in sorted(found.items()))


def name(address: bytes) -> bytes:
    """What PTR records of an address stand at."""
    if len(address) == 4:
        return b"".join(_label(str(octet)) for octet in reversed(address)) + b"\x07in-addr\x04arpa\0"
    return b"".join(_label(digit) for digit in reversed(address.hex())) + b"\x03ip6\x04arpa\0"


def apex(network: Network) -> bytes:
    """The name of the zone of a network."""
    step, _ = _STEPS[4 if network.size == 4 else 6]
    first = (network.number << (8 * network.size - network.bits)).to_bytes(network.size, "big")
    owner = name(first)
    for _ in range((8 * network.size - network.bits) // step):
        owner = wire.parent(owner)
    return owner


def _label(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()


def _spelled(claim: Claim) -> list[bytes]:
    """What names of one address are put in order by."""
    return list(names.labels(claim.name))


class Kind:
    """The zone of one network."""

    def __init__(self, settings: Settings, book: holders.Book, network: Network, inside: bool) -> None:
        self.book, self.network, self.inside = book, network, inside
        self.cluster = _SVC + names.wire(settings.cluster)
        self.apex = apex(network)

    def open(self, setting: annex.Setting) -> "Zone | None":
        wanted = not self.inside or any(place.member for place in setting.layout.places)
        return Zone(self, setting) if wanted else None


class Zone:
    """One such zone. What clusters have inside is an answer per client, which nobody may copy."""

    problems: tuple[Problem, ...] = ()

    def __init__(self, kind: Kind, setting: annex.Setting) -> None:
        layout = setting.layout
        self._kind, self._number, self.copied = kind, setting.zone, not kind.inside
        self._suffixes = holders.Suffixes(layout.levels[0].suffix, kind.cluster)
        self._members = [place.member for place in layout.places]
        self._hosts = tuple(names.wire(host) for host in layout.settings.nameservers) or (skeleton.NOWHERE,)
        self._nobody = node.encode(node.Node(setting.zone, node.SERVICE | node.ABSENT))
        self.zone = skeleton.zone(layout, 0)._replace(apex=kind.apex)
        self._there: set[bytes] = set()
        self._between: Counter[bytes] = Counter()

    def whole(self, snapshot: model.Snapshot, now: float) -> Iterator[annex.Changes]:
        self._kind.book.read(snapshot, self._suffixes)
        self._there, self._between = set(), Counter()
        servers = node.RRset(wire.NS, skeleton.NS_TTL, self._hosts)
        yield {self.zone.apex: self._node((servers,), node.APEX)}
        todo = iter(self._kind.book.page(self._kind.network))
        while some := tuple(islice(todo, annex.PART)):
            yield self._changes(some)

    def difference(self, before: model.Snapshot, after: model.Snapshot, now: float) -> annex.Changes:
        book, network = self._kind.book, self._kind.network
        changed = book.renew(before, after)
        return self._changes(
            [each for each in changed if network.holds(each) and book.network(each) == network]
        )

    def tell(self, owner: bytes, place: int, snapshot: model.Snapshot) -> annex.Story | None:
        """Why an address is called as it is."""
        if not wire.below(owner, self.zone.apex):
            return None
        held = next((held for address, held in self._kind.book.at.items() if name(address) == owner), {})
        seen = [(key, each) for key, claims in held.items() for each in claims]
        mine = [(key, each) for key, each in seen if each.member in ("", self._members[place])]
        mine.sort(key=lambda row: _spelled(row[1]))
        if not mine:
            return annex.Story(_ELSEWHERE if seen else _NOBODY)
        which = f"cluster IP in {self._members[place]}" if self._kind.inside else "published address"
        steps = [
            f"{which} of service {key}" + ("" if at < MOST else ": not told, for there are many")
            for at, (key, _) in enumerate(mine)
        ]
        return annex.Story(_HELD, tuple(steps), snapshot.services.get(mine[0][0]))

    def _changes(self, addresses: Iterable[bytes]) -> annex.Changes:
        """The entries of addresses, and of the names between them and the apex."""
        changes: annex.Changes = {}
        for address in addresses:
            owner = name(address)
            found = self._entry(address)
            changes[owner] = found
            if (found is not None) != (owner in self._there):
                changes.update(self._counted(owner, 1 if found is not None else -1))
        return changes

    def _counted(self, owner: bytes, more: int) -> annex.Changes:
        """One name more or less, and what becomes of those above it."""
        (self._there.add if more > 0 else self._there.discard)(owner)
        above = []
        while (owner := wire.parent(owner)) != self.zone.apex:
            self._between[owner] += more
            above.append(owner)
        blank = self._node((), node.BETWEEN)
        return {each: blank if self._between[each] else None for each in above}

    def _entry(self, address: bytes) -> bytes | None:
        """The node of an address; None: nobody holds it."""
        claims = [claim for each in self._kind.book.at.get(address, {}).values() for claim in each]
        if not claims:
            return None
        if not self._kind.inside:
            return self._named(claims)
        mine = {member: [each for each in claims if each.member == member] for member in self._members}
        views = {member: self._named(found) for member, found in mine.items()}
        numbers: dict[bytes, int] = {}
        choices = [numbers.setdefault(views[member], len(numbers)) for member in self._members]
        return node.locate(list(numbers), choices) if list(numbers) != [self._nobody] else None

    def _named(self, claims: Iterable[Claim]) -> bytes:
        found = sorted(claims, key=_spelled)
        if not found:
            return self._nobody
        targets = tuple(dict.fromkeys(each.name for each in found))[:MOST]
        return self._node((node.RRset(wire.PTR, min(each.ttl for each in found), targets),), node.SERVICE)

    def _node(self, rrsets: tuple[node.RRset, ...], flags: int) -> bytes:
        """A name, with the ready answer that it has no addresses."""
        slots = dict.fromkeys(node.SLOT_AT, node.Slot(0, b"", nodata=True))
        return node.encode(node.Node(self._number, flags, rrsets, slots))
