"""Key sets: as dnspython reads and validates them, and what they tell the parent."""

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from msgspec import structs

from fedns.control import vault
from fedns.dns import keyset, node, rollover, signing, wire

APEX = b"\x07example\x03com\0"
NAME = dns.name.from_text("example.com")
NOW = 1_800_000_000


def made(algorithm: int, role: rollover.Role, state: rollover.State) -> tuple[rollover.Key, signing.Secret]:
    pem = vault.generate(algorithm)
    key, secret = vault.parse(pem, role)
    return structs.replace(key, state=state), secret


def read(rrset: node.RRset) -> dns.rrset.RRset:
    kind = dns.rdatatype.RdataType.make(rrset.type)
    found = [dns.rdata.from_wire(dns.rdataclass.IN, kind, each, 0, len(each)) for each in rrset.rdatas]
    return dns.rrset.from_rdata_list(NAME, rrset.ttl, found)


@pytest.mark.parametrize("algorithm", [signing.P256, signing.ED25519])
def test_tags_ds_and_signatures_are_what_others_compute(algorithm: int) -> None:
    pairs = [made(algorithm, "ksk", "active"), made(algorithm, "zsk", "active")]
    zone = rollover.Zone(tuple(key for key, _ in pairs), ttl=3600)
    sets = keyset.rrsets(APEX, zone, True)
    keys, cds, cdnskey = map(read, sets)
    tags = {dns.dnssec.key_id(key): key for key in keys}
    assert set(tags) == {key.tag for key, _ in pairs}
    entry = tags[pairs[0][0].tag]
    assert entry.flags == 257 and tags[pairs[1][0].tag].flags == 256
    assert [each.to_text() for each in cds] == [dns.dnssec.make_ds(NAME, entry, "SHA256").to_text()]
    assert [each.to_text() for each in cdnskey] == [entry.to_text()]
    over = keyset.signatures(APEX, sets, (NOW + 1000, NOW - 3600), [pairs[0][1]])
    assert keyset.span([over]) == (NOW + 1000, NOW - 3600)
    assert keyset.signers([over]) == {pairs[0][0].tag}
    for rrset in (keys, cds, cdnskey):
        covered = int(rrset.rdtype).to_bytes(2, "big")
        own = over._replace(rdatas=tuple(each for each in over.rdatas if each[:2] == covered))
        signed = read(own)
        dns.dnssec.validate(rrset, signed, {NAME: keys}, now=NOW)


def test_a_zone_that_leaves_asks_for_the_removal_of_its_ds() -> None:
    key, _ = made(signing.P256, "csk", "active")
    _, cds, cdnskey = map(read, keyset.rrsets(APEX, rollover.Zone((key,), ttl=60), False))
    assert [each.to_text() for each in cds] == ["0 0 0 00"]
    assert [each.to_text() for each in cdnskey] == ["0 3 0 AA=="]


def test_before_the_first_key_is_ready_the_parent_is_told_nothing() -> None:
    key, _ = made(signing.P256, "csk", "published")
    assert [rrset.type for rrset in keyset.rrsets(APEX, rollover.Zone((key,), ttl=60), True)] == [wire.DNSKEY]
    assert keyset.rrsets(APEX, rollover.Zone(), True) == ()
