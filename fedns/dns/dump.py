"""The answer table as a master file (RFC 1035 section 5) that any other server can load.

Law: read from the table, not from the model, so it shows what is served; `content` says what of it is data
of the zone.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from ipaddress import IPv6Address

import dns.rdata
import dns.rdataclass
import dns.rdatatype

from fedns.dns import content, names, node, wire, zones

Get = Callable[[bytes], bytes | None]

_SRV = struct.Struct(">HHH")  # priority, weight, port


def zone(keys: Iterable[bytes], get: Get, origin: str) -> Iterator[str] | None:
    """The lines (without their ends) of the zone at `origin`, or None when no such zone is served.

    `keys` are all of the table's, `get` looks one up. FednsError: `origin` is not a name.
    """
    apex = names.wire(origin)
    served = node.decode_zones(get(node.ZONES) or b"")
    index = next((at for at, each in enumerate(served) if each.apex == apex), None)
    if index is None:
        return None
    owners = [key for key in keys if key[-1] == 0 and wire.below(key, apex)]
    return _zone(sorted(owners, key=_order), get, served[index], content.Zones(served))


def _zone(owners: list[bytes], get: Get, here: node.Zone, served: content.Zones) -> Iterator[str]:
    yield f"$ORIGIN {zones.text(here.apex)}"
    yield _line(zones.text(here.apex), here.soa_ttl, wire.SOA, here.soa)
    for name in owners:
        value = get(name) or b""
        for apex, owner, rrset in (
            content.of(name, value, served) if served.concerns(value, here.apex) else ()
        ):
            if apex == here.apex:
                yield from _lines(owner, rrset)


def rendered(rtype: int, rdata: bytes) -> str:
    """One rdata in presentation form."""
    if rtype == node.A:
        return ".".join(map(str, rdata))
    if rtype == node.AAAA:
        return str(IPv6Address(rdata))
    if rtype in (node.CNAME, wire.NS):
        return _text(rdata)
    if rtype == wire.SRV:
        numbers = " ".join(map(str, _SRV.unpack_from(rdata)))
        return f"{numbers} {_text(rdata[_SRV.size :])}"
    kind = dns.rdatatype.RdataType.make(rtype)
    return dns.rdata.from_wire(dns.rdataclass.IN, kind, rdata, 0, len(rdata)).to_text()


@cache
def mnemonic(rtype: int) -> str:
    """`A`, `SRV`, or `TYPE65280` (RFC 3597)."""
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rtype))


def _lines(name: bytes, rrset: node.RRset) -> Iterator[str]:
    owner = _text(name)
    for rdata in rrset.rdatas:
        yield _line(owner, rrset.ttl, rrset.type, rdata)


def _text(name: bytes) -> str:
    """`zones.text`, with what most names have in common made once."""
    above = wire.parent(name) if name[0] else wire.ROOT
    return _label(name[: 1 + name[0]]) + (_above(above) if above[0] else "")


@lru_cache(maxsize=4096)
def _above(name: bytes) -> str:
    return zones.text(name)


@lru_cache(maxsize=4096)
def _label(label: bytes) -> str:
    return zones.text(label + wire.ROOT) if label[0] else "."


def _line(owner: str, ttl: int, rtype: int, rdata: bytes) -> str:
    return f"{owner}\t{ttl}\tIN\t{mnemonic(rtype)}\t{rendered(rtype, rdata)}"


def _order(name: bytes) -> bytes:
    """Canonical order (RFC 4034 section 6.1), labels from the right, as octets: two zeros end a label."""
    parts = []
    while name[0]:
        parts.append(name[1 : 1 + name[0]].replace(b"\0", b"\0\1"))
        name = wire.parent(name)
    return b"\0\0".join(reversed(parts))
