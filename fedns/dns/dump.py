"""The answer table as a master file (RFC 1035 section 5) that any other server can load.

Law: read from the table, not from the model, so it shows what is served. Of a weighted answer the union
of all variants is written; `_explain` texts are not data of the zone and are left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from ipaddress import IPv4Address, IPv6Address

import dns.rdata
import dns.rdataclass
import dns.rdatatype

from fedns.dns import federation, node, wire, zones


def zone(items: Iterable[tuple[bytes, bytes]], served: Sequence[node.Zone], origin: bytes) -> Iterator[str]:
    """Lines, each with its line end, of the zone at `origin` (lower-case wire). `items` are the table's
    entries, `served` its zones. LookupError when no such zone is served."""
    index = next((at for at, each in enumerate(served) if each.apex == origin), None)
    if index is None:
        raise LookupError(f"no zone {zones.text(origin)} is served")
    here = served[index]
    yield f"$ORIGIN {zones.text(origin)}\n"
    yield _line(zones.text(origin), here.soa_ttl, wire.SOA, here.soa)
    below = ((key, value) for key, value in items if key[-1] == 0 and wire.below(key, origin))
    for name, value in sorted(below, key=lambda item: _order(item[0])):
        entry = node.decode(value)
        if entry.zone != index:
            continue
        yield from _lines(name, entry.rrsets)
        for labels, rrsets in entry.children:
            if labels != federation.EXPLAIN:
                yield from _lines(labels + name, rrsets)


def rendered(rtype: int, rdata: bytes) -> str:
    """One rdata in presentation form."""
    if rtype == node.A:
        return str(IPv4Address(rdata))
    if rtype == node.AAAA:
        return str(IPv6Address(rdata))
    if rtype in (node.CNAME, wire.NS):
        return zones.text(rdata)
    kind = dns.rdatatype.RdataType.make(rtype)
    return dns.rdata.from_wire(dns.rdataclass.IN, kind, rdata, 0, len(rdata)).to_text()


@cache
def mnemonic(rtype: int) -> str:
    """`A`, `SRV`, or `TYPE65280` (RFC 3597)."""
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rtype))


def _lines(name: bytes, rrsets: Iterable[node.RRset]) -> Iterator[str]:
    owner = zones.text(name)
    for rrset in rrsets:
        for rdata in rrset.rdatas:
            yield _line(owner, rrset.ttl, rrset.type, rdata)


def _line(owner: str, ttl: int, rtype: int, rdata: bytes) -> str:
    return f"{owner}\t{ttl}\tIN\t{mnemonic(rtype)}\t{rendered(rtype, rdata)}\n"


def _order(name: bytes) -> list[bytes]:
    """Canonical order (RFC 4034 section 6.1): labels from the right."""
    parts = []
    while name[0]:
        parts.append(name[1 : 1 + name[0]])
        name = wire.parent(name)
    return parts[::-1]
