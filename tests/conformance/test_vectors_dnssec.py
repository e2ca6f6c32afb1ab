"""Key tags, DS digests, and signatures of others over what we say is to be signed (RFC 4034 section 6).

The signatures are judged by dnspython; the octets that they must cover come from `signing.canonical`.
"""

from typing import Any

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from dns.rdtypes.ANY.DNSKEY import DNSKEY

from fedns.dns import keyset, node, rollover, signing, wire
from tests.conformance import vectors

_ROLES: dict[int, rollover.Role] = {256: "zsk", 257: "ksk"}
_REFUSED = ("validate#48", "validate#76")
_OLD = "RSAMD5 has a tag of its own (RFC 4034 appendix B.1), and fedns signs with nothing so old"


def _cases(kind: str) -> list[Any]:
    found = vectors.load("dnssec_vectors")["vectors"]
    return [pytest.param(each, id=each["id"]) for each in found if each["kind"] == kind]


def _key(text: str) -> DNSKEY:
    key = dns.rdata.from_text("IN", "DNSKEY", text)
    assert isinstance(key, DNSKEY)
    return key


@pytest.mark.parametrize("vector", _cases("keytag"))
def test_key_tags(vector: dict[str, Any]) -> None:
    key = _key(vector["dnskey"])
    if key.algorithm == dns.dnssec.Algorithm.RSAMD5:
        pytest.skip(_OLD)
    assert keyset.tag(key.to_wire() or b"") == vector["expect"]


@pytest.mark.parametrize("vector", _cases("ds"))
def test_ds(vector: dict[str, Any]) -> None:
    if vector["digest"].upper() != "SHA256":
        pytest.skip("SHA-256 is the one digest that fedns offers (RFC 8624)")
    key = _key(vector["dnskey"])
    head = keyset.record(_ROLES[key.flags], key.algorithm, key.key)
    ours = rollover.Key(keyset.tag(head), key.algorithm, _ROLES[key.flags], key.key.hex())
    found = dns.rdata.from_wire("IN", dns.rdatatype.DS, keyset.ds(_wire(vector["owner"]), ours), 0, 36)
    assert found.to_text() == vector["expect"]


@pytest.mark.parametrize("vector", _cases("validate"))
def test_what_is_signed(vector: dict[str, Any]) -> None:
    if vector["id"] in _REFUSED:
        pytest.skip("sound, but the validator was told to refuse its algorithm")
    rrset = dns.rrset.from_text_list(*_parts(vector["rrset"]))
    keys = [_key(line.split(" DNSKEY ")[1]) for line in vector["keys"]]
    covered = [dns.rrset.from_text_list(*_parts([line])) for line in vector["rrsig"]]
    good = any(_holds(rrset, each, key, vector["now"]) for each in covered for key in keys)
    assert good == (vector["expect"] == "secure")


def _parts(lines: list[str]) -> tuple[str, int, str, str, list[str]]:
    owner, ttl, klass, kind, _ = lines[0].split(None, 4)
    return owner, int(ttl), klass, kind, [line.split(None, 4)[4] for line in lines]


def _wire(name: str | dns.name.Name) -> bytes:
    text = name if isinstance(name, str) else name.to_text()
    return dns.name.from_text(text).to_digestable()


def _holds(rrset: dns.rrset.RRset, signatures: dns.rrset.RRset, key: DNSKEY, now: float | None) -> bool:
    sig: Any = signatures[0]
    if now is None or not sig.inception <= now <= sig.expiration or not rrset.name.is_subdomain(sig.signer):
        return False
    if (sig.algorithm, sig.key_tag) != (key.algorithm, dns.dnssec.key_id(key)):
        return False
    owner = _wire(rrset.name)
    while wire.labels(owner) - owner.startswith(wire.WILD) > sig.labels:
        owner = wire.WILD + wire.parent(owner.removeprefix(wire.WILD))
    rdatas = tuple(each.to_wire() or b"" for each in rrset)
    signer = sig.signer.to_digestable()
    head = (sig.to_wire() or b"")[: 18 + len(signer)]
    data = (
        head[:18] + signer + signing.canonical(owner, node.RRset(int(rrset.rdtype), sig.original_ttl, rdatas))
    )
    try:
        public = dns.dnssec.get_algorithm_cls_from_dnskey(key).public_cls.from_dnskey(key)
        public.verify(sig.signature, data)
    except (InvalidSignature, UnsupportedAlgorithm, dns.exception.DNSException, ValueError):
        return False
    return True
