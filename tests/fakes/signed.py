"""A signed zone made with dnspython and cryptography, apart from the product's own keys."""

import dns.dnssec
import dns.dnssecalgs
import dns.name
import dns.rrset
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from fedns.dns import node, signing, wire

NOW = 1_800_000_000


def zone(origin: str, algorithm: int = signing.P256, validity: int = 14 * 86400) -> signing.Zone:
    """What signs the zone: one key for keys and data, its DNSKEY set signed."""
    apex = dns.name.from_text(origin)
    key = (
        ed25519.Ed25519PrivateKey.generate()
        if algorithm == signing.ED25519
        else ec.generate_private_key(ec.SECP256R1())
    )
    public = dns.dnssec.make_dnskey(key.public_key(), algorithm, flags=257)
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    keys = dns.rrset.from_rdata(apex, 3600, public)
    over = dns.dnssec.sign(keys, key, apex, public, inception=NOW - 3600, expiration=NOW + validity)
    secret = signing.Secret(dns.dnssec.key_id(public), algorithm, der.hex())
    sets = (
        node.RRset(wire.DNSKEY, 3600, (public.to_wire() or b"",)),
        node.RRset(wire.RRSIG, 3600, (over.to_wire(origin=apex) or b"",)),
    )
    return signing.Zone(apex.to_digestable(), validity, (secret,), sets)


def keys(signed: signing.Zone) -> dict[dns.name.Name, dns.rrset.RRset]:
    """The DNSKEY set, as dnspython validates with it."""
    apex, _ = dns.name.from_wire(signed.apex, 0)
    wanted = next(each for each in signed.rrsets if each.type == wire.DNSKEY)
    found = [dns.rdata.from_wire("IN", "DNSKEY", data, 0, len(data)) for data in wanted.rdatas]
    return {apex: dns.rrset.from_rdata_list(apex, wanted.ttl, found)}
