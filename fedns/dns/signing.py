"""Signatures made when somebody asks for them, and kept (RFC 4034, RFC 4035).

Law: an RRset is signed once per content and `validity`, by every active key of its zone; what nobody asks
is never signed. A signature is renewed when half of its life is over, and lives differ by some percent, so
that not all are renewed at once. Key signing keys do not come here: their signatures arrive ready made.
"""

import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fedns.dns import node, wire

P256, ED25519 = 13, 15  # algorithm numbers (RFC 8624: the recommended ones)
KEPT = 20_000  # signatures in one generation of the memory, about 10 MB
SKEW = 3600  # seconds that a validator's clock may be behind
JITTER = 10  # a signature's life is shorter by up to this part of `validity`: one in ten
_HEAD = struct.Struct(">HBBIIIH")  # type, algorithm, labels, original ttl, expiration, inception, key tag
_RECORD = struct.Struct(">HHI")  # type, class, ttl
# Where names begin in the rdata of the types whose names are signed in lower case, and how many there are
# (RFC 4034 section 6.2, RFC 6840 section 5.1)
_NAMES = {
    **dict.fromkeys((wire.NS, 3, 4, wire.CNAME, 7, 8, 9, wire.PTR, wire.DNAME), (0, 1)),
    **dict.fromkeys((wire.SOA, 14, 17), (0, 2)),  # SOA, MINFO, RP
    **dict.fromkeys((wire.MX, 18, 21, 36), (2, 1)),  # MX, AFSDB, RT, KX
    wire.SRV: (6, 1),
    26: (2, 2),  # PX
}
_NAPTR, _NAPTR_STRINGS = 35, range(3)

OWN = (wire.RRSIG, wire.NSEC, wire.DNSKEY, wire.CDS, wire.CDNSKEY, 25, 30, 24, 50, 51)
"""Types that a signer puts into a zone; the numbers are KEY, NXT, SIG, NSEC3 and NSEC3PARAM."""

Sign = Callable[[bytes], bytes]
"""Octets -> the signature over them as an RRSIG holds it."""


class Secret(NamedTuple):
    """A private key that signs a zone's data: tag, algorithm, and PKCS#8 DER in hexadecimal digits."""

    tag: int
    algorithm: int
    key: str


class Zone(NamedTuple):
    """What signs one zone. `rrsets` stand at the apex: the key sets, and the signatures over them.

    `apex` is lower-case wire form; `validity` is how long a signature lives, seconds.
    """

    apex: bytes
    validity: int
    secrets: tuple[Secret, ...] = ()
    rrsets: tuple[node.RRset, ...] = ()


class Memory:
    """A bounded mapping that forgets what was not used for longest, roughly: by halves."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[Any, Any] = {}
        self._old: dict[Any, Any] = {}

    def get(self, key: Any) -> Any:
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: Any, value: Any) -> None:
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


class Signer:
    """Signs the RRsets of one zone."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.now = 0
        """Unix seconds; whoever owns the signer keeps it right."""
        self.made = 0
        """Signatures so far."""
        self._keys = [(secret, private(secret)) for secret in zone.secrets]
        self._kept = Memory(KEPT)

    def sign(self, owner: bytes, rrset: node.RRset) -> node.RRset:
        """The RRSIG set over an RRset of `owner`, which is in wire form."""
        known = self._kept.get((owner, rrset))
        if known is not None and self.now < known[1]:
            return known[0]  # type: ignore[no-any-return]
        made, again = self._made(owner.lower(), rrset)
        self._kept.put((owner, rrset), (made, again))
        return made

    def fresh(self, owner: bytes, rrset: node.RRset) -> node.RRset:
        """As `sign`, for what is not worth keeping."""
        return self._made(owner, rrset)[0]

    def _made(self, owner: bytes, rrset: node.RRset) -> tuple[node.RRset, int]:
        """The signatures, and when they are to be made again."""
        validity, now = self.zone.validity, self.now
        life = validity - zlib.crc32(owner) % (validity // JITTER + 1)
        span = (now + life, now - SKEW)
        rdatas = [
            signature(owner, rrset, span, (self.zone.apex, secret.algorithm, secret.tag), sign)
            for secret, sign in self._keys
        ]
        self.made += len(rdatas)
        return node.RRset(wire.RRSIG, rrset.ttl, tuple(rdatas)), now + life // 2


Signers = Mapping[bytes, Signer]
"""By apex."""


def renewed(known: Signers, told: bytes) -> Signers:
    """The signers of what `encode` wrote; who signs as before keeps all its signatures."""
    zones = decode(told) if told else ()
    return {zone.apex: _signer(known.get(zone.apex), zone) for zone in zones}


def _signer(known: Signer | None, zone: Zone) -> Signer:
    if known is None or (known.zone.validity, known.zone.secrets) != (zone.validity, zone.secrets):
        return Signer(zone)
    known.zone = zone
    return known


def signature(
    owner: bytes, rrset: node.RRset, span: tuple[int, int], by: tuple[bytes, int, int], sign: Sign
) -> bytes:
    """RRSIG rdata over an RRset of lower-case `owner`.

    `span` is (expiration, inception) in Unix seconds, `by` is (zone, algorithm, key tag) of the key.
    """
    zone, algorithm, tag = by
    labels = wire.labels(owner) - owner.startswith(wire.WILD)
    expiration, inception = (moment & 0xFFFFFFFF for moment in span)
    head = _HEAD.pack(rrset.type, algorithm, labels, rrset.ttl, expiration, inception, tag) + zone
    return head + sign(head + canonical(owner, rrset))


def canonical(owner: bytes, rrset: node.RRset) -> bytes:
    """The RRset as it is signed: names in lower case, records in order (RFC 4034 section 6)."""
    lead = owner + _RECORD.pack(rrset.type, wire.IN, rrset.ttl)
    rdatas = sorted({_lowered(rrset.type, rdata) for rdata in rrset.rdatas})
    return b"".join([lead + len(rdata).to_bytes(2, "big") + rdata for rdata in rdatas])


def _lowered(rtype: int, rdata: bytes) -> bytes:
    begin, names = _NAMES.get(rtype, (0, 0))
    if rtype == _NAPTR:
        begin, names = 4, 1
        for _ in _NAPTR_STRINGS:
            begin += 1 + rdata[begin]
    end = begin
    for _ in range(names):
        end = wire.skip_name(rdata, end)
    return rdata[:begin] + rdata[begin:end].lower() + rdata[end:]


def private(secret: Secret) -> Sign:
    """What signs with a key. The library is loaded with the first key: unsigned zones do without it."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

    key = serialization.load_der_private_key(bytes.fromhex(secret.key), None)
    if isinstance(key, ed25519.Ed25519PrivateKey) and secret.algorithm == ED25519:
        return key.sign
    if not isinstance(key, ec.EllipticCurvePrivateKey) or secret.algorithm != P256:
        raise ValueError(f"algorithm {secret.algorithm} does not fit the key")
    sign, how = key.sign, ec.ECDSA(hashes.SHA256())

    def pair(data: bytes) -> bytes:
        r, s = utils.decode_dss_signature(sign(data, how))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return pair


def encode(zones: Sequence[Zone]) -> bytes:
    """For the tables."""
    return json.dumps(
        [
            {
                "apex": zone.apex.hex(),
                "validity": zone.validity,
                "secrets": zone.secrets,
                "rrsets": [
                    (rtype, ttl, [rdata.hex() for rdata in rdatas]) for rtype, ttl, rdatas in zone.rrsets
                ],
            }
            for zone in zones
        ]
    ).encode()


def decode(data: bytes) -> tuple[Zone, ...]:
    """What `encode` made."""
    return tuple(
        Zone(
            bytes.fromhex(told["apex"]),
            told["validity"],
            tuple(Secret(*secret) for secret in told["secrets"]),
            tuple(
                node.RRset(rtype, ttl, tuple(bytes.fromhex(rdata) for rdata in rdatas))
                for rtype, ttl, rdatas in told["rrsets"]
            ),
        )
        for told in json.loads(data)
    )
