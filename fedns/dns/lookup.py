"""The authoritative lookup of RFC 1034 section 4.3.2, with wildcards (RFC 4592) and DNAME (RFC 6672).

Law: the first name decides AA, the last name of a chain decides the response code (RFC 6604). A chain is
followed through every zone of ours and ends where a name is not ours, repeats, or the bound is reached.
In a zone with a signer a wildcard answers as if the name were there (RFC 9824 section 3.3), and nothing is
denied but the one name and type that were asked.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from fedns.dns import denial, edns, message, node, signing, wire

_MAX_LINKS = 16  # aliases followed for one question
_TARGET_AT = {wire.NS: 0, wire.MX: 2, wire.SRV: 6, wire.SVCB: 2, wire.HTTPS: 2}  # where rdata names a host
_ADDRESSES = (wire.A, wire.AAAA)
_BINDINGS = (wire.SVCB, wire.HTTPS)  # RFC 9460: their targets may hold their like
_MAX_ADDED = 32  # RRsets of additional data after which no binding is followed
_BESIDE_ALIAS = (wire.CNAME, wire.ANY)  # types that do not follow an alias
_MADE = (wire.NSEC, wire.RRSIG)  # types that a signer makes for every name
_SPECIAL = node.CUT | node.DNAME | node.OCCLUDED | node.WILD  # nodes that say something of what is below
_SVC = b"\x03svc"
_PARENTAL = frozenset((wire.NS, wire.DS))  # all that a zone says of a name that it delegates


class View(Protocol):
    """A consistent reading of the answer table."""

    def get(self, key: bytes, /) -> bytes | None: ...


class Asked(NamedTuple):
    """What is looked up. `turn` numbers the query, for rotation.

    `whole`: ANY gets all there is; `signed`: RRSIGs come along; `compact`: a signed denial may say NXDOMAIN.
    """

    name: bytes
    type: int
    turn: int = 0
    whole: bool = False
    signed: bool = False
    compact: bool = False


class Place(NamedTuple):
    """The closest existing name at or above a name: the node found, and whether it is the name itself."""

    owner: bytes
    node: node.Node
    exact: bool


class Lookup:
    """One question against one view. After `run` the reply's parts are in the attributes."""

    def __init__(
        self, view: View, apexes: Mapping[bytes, node.Zone], asked: Asked, signers: signing.Signers
    ) -> None:
        self._get = view.get
        self._apexes = apexes
        self._asked = asked
        self._signers = signers
        self._signer: signing.Signer | None = None  # of the zone that the name at hand is in
        self.rcode = wire.NOERROR
        self.authoritative = False
        self.error: int | None = None
        self.zone: node.Zone | None = None
        self.answer: list[message.Record] = []
        self.authority: list[message.Record] = []
        self.additional: list[message.Record] = []
        self._held: set[tuple[bytes, int]] = set()  # what need not be added any more
        self.sought: list[tuple[bytes, int]] = []  # all (name, type) that the reply was made of

    def run(self) -> None:
        seen: set[bytes] = set()
        name: bytes | None = self._asked.name
        while name is not None and name not in seen and len(seen) <= _MAX_LINKS:
            seen.add(name)
            self.sought.append((name, self._asked.type))
            name = self._step(name)
        if not self.answer and not self.authority and self.rcode == wire.NOERROR and self.zone is None:
            self.rcode, self.error = wire.REFUSED, edns.NOT_AUTHORITATIVE
        self._held = {(each.owner, each.rrset.type) for each in self.answer}
        for record in (*self.answer, *self.authority):
            self._add_targets(record)

    def _step(self, name: bytes) -> bytes | None:
        """Look one name of the chain up; the next name, or None at the end."""
        zone = self._zone_of(name)
        if zone is None:
            return None
        if self.zone is None:
            self.zone = zone
        if self._asked.type == wire.DS and name == zone.apex:
            above = self._zone_of(wire.parent(name)) if name != wire.ROOT else None
            zone = above or zone
        self._signer = self._signers.get(zone.apex)
        place = self._find(name, zone)
        if place is None:
            self.rcode = wire.SERVFAIL
            return None
        if place.node.flags & node.CUT and not (place.exact and self._asked.type == wire.DS):
            self._refer(place)
            return None
        self.authoritative = self.authoritative or not self.answer
        if place.exact:
            return self._from(name, place.node, place.node.rrsets, zone)
        return self._below(name, place, zone)

    def _below(self, name: bytes, place: Place, zone: node.Zone) -> bytes | None:
        """The name itself has no node: DNAME, virtual child, wildcard, or nothing."""
        if place.node.flags & node.DNAME:
            return self._redirect(name, place)
        labels = name[: len(name) - len(place.owner)]
        for child, rrsets in place.node.children:
            if child == labels:
                return self._from(name, place.node, rrsets, zone)
        if place.node.flags & node.WILD:
            value = self._get(wire.WILD + place.owner)
            if value is not None:
                wild = node.decode(value)
                return self._from(name, wild, wild.rrsets, zone)
        compact = self._signer is not None and self._asked.signed and not self._asked.compact
        self.rcode = wire.NOERROR if compact else wire.NXDOMAIN
        self._deny(zone, name, {wire.NXNAME})
        return None

    def _from(
        self, name: bytes, found: node.Node, rrsets: tuple[node.RRset, ...], zone: node.Zone
    ) -> bytes | None:
        """Answer from the RRsets of one name."""
        wanted, virtual = self._asked.type, rrsets is not found.rrsets
        if zone.apex == name:
            keys = self._signer.zone.rrsets if self._signer else ()
            rrsets = (node.RRset(wire.SOA, zone.soa_ttl, (zone.soa,)), *rrsets, *keys)
        types = {each.type for each in rrsets}
        if found.flags & node.CUT or (found.flags & node.APEX and not virtual and zone.apex != name):
            types &= _PARENTAL
        if self._signer is not None and wanted in _MADE:
            self._say_made(name, denial.record(name, types, zone.negative_ttl))
            return None
        alias = next((each for each in rrsets if each.type == wire.CNAME), None)
        if alias is not None and wanted not in _BESIDE_ALIAS:
            self._say(name, alias, rrsets)
            self._note_stale(found, wire.CNAME)
            return alias.rdatas[0].lower()
        chosen = self._chosen(rrsets)
        if not chosen:
            self._deny(zone, name, types)
        for each in chosen:
            self._say(name, each if virtual else self._turned(found, each), rrsets)
            self._note_stale(found, each.type)
        return None

    def _redirect(self, name: bytes, place: Place) -> bytes | None:
        """DNAME: the record, and a synthesised CNAME (RFC 6672 section 3)."""
        rrset = next(each for each in place.node.rrsets if each.type == wire.DNAME)
        self._say(place.owner, rrset, place.node.rrsets)
        target = name[: len(name) - len(place.owner)] + rrset.rdatas[0]
        if len(target) > wire.MAX_NAME:
            self.rcode = wire.YXDOMAIN
            return None
        self.answer.append(message.Record(name, node.RRset(wire.CNAME, rrset.ttl, (target,))))
        endless = wire.below(rrset.rdatas[0].lower(), place.owner)  # each step would make the name longer
        return None if endless or self._asked.type in (wire.CNAME, wire.ANY) else target.lower()

    def _chosen(self, rrsets: tuple[node.RRset, ...]) -> tuple[node.RRset, ...]:
        """What answers the type. ANY gets one RRset where size matters (RFC 8482)."""
        wanted = self._asked.type
        if wanted != wire.ANY:
            return tuple(each for each in rrsets if each.type == wanted)
        if self._signer is not None and self._asked.signed:
            rrsets = tuple(each for each in rrsets if each.type != wire.RRSIG)  # each comes with its own
        return rrsets if self._asked.whole else rrsets[:1]

    def _say(self, owner: bytes, rrset: node.RRset, beside: tuple[node.RRset, ...]) -> None:
        """Put an RRset into the answer, with the signatures over it if wanted."""
        listed = self._asked.type == wire.ANY and self._signer is None  # the signatures are among the RRsets
        self.answer += [message.Record(owner, rrset)] if listed else self._signed(owner, rrset, beside)

    def _say_made(self, name: bytes, made: node.RRset) -> None:
        """NSEC itself, or its signature, which stands for all the signatures of a name."""
        if self._asked.type == wire.NSEC:
            self._say(name, made, ())
        elif self._signer is not None:
            self.answer.append(message.Record(name, self._signer.sign(name, made)))

    def _signed(
        self, owner: bytes, rrset: node.RRset, beside: tuple[node.RRset, ...] = ()
    ) -> list[message.Record]:
        """The RRset, and if wanted the signatures over it: those that stand beside it, else new ones."""
        records = [message.Record(owner, rrset)]
        if not self._asked.signed:
            return records
        covered = rrset.type.to_bytes(2, "big")
        found = [each for held in beside if held.type == wire.RRSIG for each in held.rdatas]
        ready = tuple(each for each in found if each[:2] == covered)
        if ready:
            records.append(message.Record(owner, node.RRset(wire.RRSIG, rrset.ttl, ready)))
        elif self._signer is not None:
            records.append(message.Record(owner, self._signer.sign(owner, rrset)))
        return records

    def _refer(self, place: Place) -> None:
        """A delegation: its NS set, without authority of our own; its DS set, or that there is none."""
        held = {each.type: each for each in place.node.rrsets}
        self.authority.append(message.Record(place.owner, held[wire.NS]))
        if self._asked.signed and wire.DS in held:
            self.authority += self._signed(place.owner, held[wire.DS], place.node.rrsets)
        elif self._asked.signed and self._signer is not None:
            nothing = denial.record(place.owner, {wire.NS}, held[wire.NS].ttl)
            self.authority += self._signed(place.owner, nothing)

    def _deny(self, zone: node.Zone, name: bytes, types: set[int]) -> None:
        """The SOA, and in a signed zone the proof that the name has only these types."""
        ttl = zone.negative_ttl
        soa = self._signed(zone.apex, node.RRset(wire.SOA, zone.soa_ttl, (zone.soa,)))
        self.authority += [each._replace(rrset=each.rrset._replace(ttl=ttl)) for each in soa]
        if self._signer is not None and self._asked.signed:
            self.authority += self._signed(name, denial.record(name, types, ttl))

    def _zone_of(self, name: bytes) -> node.Zone | None:
        for each in wire.ancestors(name):
            zone = self._apexes.get(each)
            if zone is not None:
                return zone
        return None

    def _find(self, name: bytes, zone: node.Zone) -> Place | None:
        """The closest encloser, or the delegation or DNAME that hides the name."""
        for each in wire.ancestors(name):
            value = self._get(each)
            if value is not None:
                found = node.decode(value)
                if not found.flags & node.OCCLUDED:
                    return Place(each, found, each == name)
            if each == zone.apex:
                return None
        return None

    def _beside(self, owner: bytes, found: node.Node, rrset: node.RRset) -> list[message.Record]:
        """The signatures over an additional RRset, as far as there is room (RFC 4035 section 3.1.1)."""
        zone = self._zone_of(owner) if self._asked.signed and self._signers else None
        signer = self._signers.get(zone.apex) if zone else None
        if signer is None or found.flags & (node.OCCLUDED | node.CUT):
            return []
        return [message.Record(owner, signer.sign(owner, rrset), needed=False)]

    def _turned(self, found: node.Node, rrset: node.RRset) -> node.RRset:
        """Addresses as the hot path would give them: weighted, or rotated."""
        if rrset.type not in _ADDRESSES:
            return rrset
        slot = found.slots.get(rrset.type)
        rdatas = rrset.rdatas
        if slot is not None and slot.schedule:
            _, body = slot.variants[slot.schedule[self._asked.turn % len(slot.schedule)]]
            size = 4 if rrset.type == wire.A else 16
            ends = range(slot.rotate_at + slot.unit, len(body) + 1, slot.unit)
            rdatas = tuple(body[end - size : end] for end in ends)
        cut = self._asked.turn % len(rdatas)
        return rrset._replace(rdatas=rdatas[cut:] + rdatas[:cut])

    def _note_stale(self, found: node.Node, rtype: int) -> None:
        slot = found.slots.get(rtype)
        if found.stale or (slot is not None and slot.stale):
            self.error = edns.STALE_ANSWER

    def _add_targets(self, record: message.Record) -> None:
        """Addresses of the hosts that an NS, MX, SRV, SVCB or HTTPS set names; glue of a referral is needed.
        Of a binding's target its own bindings too, and what those name (RFC 9460 section 4.1)."""
        at = _TARGET_AT.get(record.rrset.type)
        if at is None:
            return
        glue = record.rrset.type == wire.NS
        for rdata in record.rrset.rdatas:
            target = _target(record, rdata, at)
            self.sought += [(target, each) for each in _ADDRESSES]
            value = self._get(target) if target != wire.ROOT else None
            found = node.decode(value) if value is not None else None
            if found is None or (found.flags & (node.OCCLUDED | node.CUT) and not glue):
                continue
            needed = glue and not self.authoritative and wire.below(target, record.owner)
            self._add_host(target, found, needed, record.rrset.type)

    def _add_host(self, target: bytes, found: node.Node, needed: bool, rtype: int) -> None:
        """What one host holds that belongs to a record of this type which names it."""
        wanted = (*_ADDRESSES, rtype) if rtype in _BINDINGS else _ADDRESSES
        for each in found.rrsets:
            if each.type not in wanted or (target, each.type) in self._held:
                continue
            self._held.add((target, each.type))
            shown = message.Record(target, self._turned(found, each), needed)
            self.additional += [shown, *self._beside(target, found, shown.rrset)]
            if each.type in _BINDINGS and len(self.additional) < _MAX_ADDED:
                self._add_targets(shown)


def _target(record: message.Record, rdata: bytes, at: int) -> bytes:
    """The host that one rdata names; the root where it names none. A binding's "." is its owner, and that of
    an alias nobody (RFC 9460 section 2.5)."""
    target = rdata[at : wire.skip_name(rdata, at)].lower()
    itself = target == wire.ROOT and record.rrset.type in _BINDINGS and rdata[:at] != b"\0\0"
    return record.owner.lower() if itself else target


def encloser(view: View, name: bytes) -> bytes | None:
    """The entry of the closest name above one that has none, if that says all: nothing is below it here.

    None where it takes more to tell, or `name` is none: with an entry found, `name` is well-formed.
    """
    if len(name) > wire.MAX_NAME:
        return None
    while 0 < name[0] < 64:
        name = name[1 + name[0] :]
        if not name:
            return None
        value = view.get(name)
        if value is not None:
            return value if ends(value) else None
    return None


def step(name: bytes, flats: Sequence[tuple[bytes, int]]) -> tuple[bytes, int]:
    """Where the search for the encloser of a name without an entry begins: with the label that is taken off
    first. In a flat zone (its number; -1: in none) one look at what is left tells all."""
    for apex, zone in flats:
        if name.endswith(apex) and len(name) <= wire.MAX_NAME:
            starts, at, cut = [], 0, len(name) - len(apex)
            while at < cut and name[at] < 64:
                starts.append(at)
                at += 1 + name[at]
            if at == cut and starts:
                deep = len(starts) > 3 and name[starts[-1] : cut] == _SVC
                return name[starts[-4 if deep else -1] :], zone
    return name, -1


def ends(value: bytes) -> bool:
    """Whether an entry says all: no name below it exists but those that have entries."""
    _, flags, children = node.place(value)
    views = node.views(value) if flags & node.PLACED else ()
    return not (flags & _SPECIAL or children or any(node.place(each)[2] for each in views))
