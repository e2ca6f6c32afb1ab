"""What a zone says of its keys: DNSKEY, and CDS and CDNSKEY for its parent (RFC 4034, RFC 7344, RFC 8078).

Law: CDS and CDNSKEY always tell what the parent should have, and agree; a zone that is to be unsigned asks
for the removal of its DS. The sets are signed by every key that a DS may stand for.
"""

import base64
import hashlib
import struct
from collections.abc import Iterable, Sequence

from fedns.dns import node, rollover, signing, wire

SHA256 = 2  # digest type (RFC 8624: the one to use)
ALGORITHMS = {signing.P256: "ECDSAP256SHA256", signing.ED25519: "ED25519"}
REMOVE_DS = b"\0\0\0\0\0"  # CDS 0 0 0 00 (RFC 8078 section 4)
REMOVE_KEY = b"\0\0\x03\0\0"  # CDNSKEY 0 3 0 AA==
_ZONE, _ENTRY = 256, 257  # flags: a zone's key; with the SEP bit
_KEY = struct.Struct(">HBB")  # flags, protocol (always 3), algorithm
_DS = struct.Struct(">HBB")  # key tag, algorithm, digest type
_EXPIRATION = slice(8, 12)  # in RRSIG rdata
_INCEPTION = slice(12, 16)
_TAG = slice(16, 18)


def dnskey(key: rollover.Key) -> bytes:
    """DNSKEY rdata."""
    return record(key.role, key.algorithm, bytes.fromhex(key.public))


def text(key: rollover.Key) -> str:
    """DNSKEY rdata in presentation form."""
    flags = _ZONE if key.role == "zsk" else _ENTRY
    return f"{flags} 3 {key.algorithm} {base64.b64encode(bytes.fromhex(key.public)).decode()}"


def record(role: rollover.Role, algorithm: int, public: bytes) -> bytes:
    """DNSKEY rdata from the parts of a key."""
    return _KEY.pack(_ZONE if role == "zsk" else _ENTRY, 3, algorithm) + public


def tag(rdata: bytes) -> int:
    """The key tag of a DNSKEY (RFC 4034 appendix B)."""
    total = sum(octet if at & 1 else octet << 8 for at, octet in enumerate(rdata))
    return (total + (total >> 16)) & 0xFFFF


def ds(apex: bytes, key: rollover.Key) -> bytes:
    """DS rdata for the parent of `apex` (lower-case wire)."""
    rdata = dnskey(key)
    return _DS.pack(key.tag, key.algorithm, SHA256) + hashlib.sha256(apex + rdata).digest()


def rrsets(apex: bytes, zone: rollover.Zone, signed: bool) -> tuple[node.RRset, ...]:
    """The key sets at the apex, without signatures. `signed`: the zone is to stay so."""
    keys = sorted(dnskey(key) for key in zone.keys if rollover.public(key))
    parental = rollover.parental(zone.keys)
    digests = [ds(apex, key) for key in parental] if signed else [REMOVE_DS]
    offered = [dnskey(key) for key in parental] if signed else [REMOVE_KEY]
    found = [node.RRset(wire.DNSKEY, zone.ttl, tuple(keys))]
    if parental:
        found.append(node.RRset(wire.CDS, zone.ttl, tuple(sorted(digests))))
        found.append(node.RRset(wire.CDNSKEY, zone.ttl, tuple(sorted(offered))))
    return tuple(found) if keys else ()


def signatures(
    apex: bytes, sets: Iterable[node.RRset], span: tuple[int, int], secrets: Sequence[signing.Secret]
) -> node.RRset:
    """The one RRSIG set over key sets; `span` is (expiration, inception)."""
    keys = [((apex, secret.algorithm, secret.tag), signing.private(secret)) for secret in secrets]
    rdatas = [signing.signature(apex, rrset, span, by, sign) for rrset in sets for by, sign in keys]
    ttl = max((rrset.ttl for rrset in sets), default=0)
    return node.RRset(wire.RRSIG, ttl, tuple(rdatas))


def span(sets: Iterable[node.RRset]) -> tuple[int, int]:
    """(expiration, inception) of the signatures among the sets; zeros where there are none."""
    found = [rdata for rrset in sets if rrset.type == wire.RRSIG for rdata in rrset.rdatas]
    if not found:
        return 0, 0
    return (
        min(int.from_bytes(rdata[_EXPIRATION], "big") for rdata in found),
        max(int.from_bytes(rdata[_INCEPTION], "big") for rdata in found),
    )


def signers(sets: Iterable[node.RRset]) -> frozenset[int]:
    """Tags of the keys that made the signatures among the sets."""
    found = (rdata for rrset in sets if rrset.type == wire.RRSIG for rdata in rrset.rdatas)
    return frozenset(int.from_bytes(rdata[_TAG], "big") for rdata in found)
