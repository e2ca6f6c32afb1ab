"""Transaction signatures as others made or judged them (Knot, miekg/dns, dnspython)."""

import base64
from typing import Any

import dns.name
import pytest

from fedns.dns import tsig
from tests.conformance import vectors

VERDICTS = {
    "NOERROR": 0,
    "BADSIG": tsig.BADSIG,
    "BADTIME": tsig.BADTIME,
    "BadSignature": tsig.BADSIG,
    "BadTime": tsig.BADTIME,
    "BadKey": tsig.BADKEY,
    "BadAlgorithm": tsig.BADKEY,  # RFC 8945 section 5.2.1: a key with another algorithm is not this key
}
_LATER = ("dnspython-test_tsig#6", "dnspython-test_tsig#8")
"""Second messages of a stream, recorded without the first, to which their signatures bind."""


def _cases() -> list[Any]:
    """Messages signed in full by algorithms that we take; a reply that tells of an error is none of ours."""
    found = vectors.load("tsig_vectors")["vectors"]
    judged = [each for each in found if "wire" in each and each["expect"] in VERDICTS]
    ours = [each for each in judged if each["algorithm"].rstrip(".") in tsig.ALGORITHMS]
    whole = [each for each in ours if each["id"] not in _LATER and each.get("tsig_start") != 0]
    return [pytest.param(each, id=each["id"]) for each in whole]


@pytest.mark.parametrize("vector", _cases())
def test_the_verdicts_of_others(vector: dict[str, Any]) -> None:
    name = dns.name.from_text(vector["key"]).to_digestable()
    key = tsig.Key(name, vector["algorithm"].rstrip("."), base64.b64decode(vector["secret"]))
    packet = bytes.fromhex(vector["wire"])
    assert tsig.signed(packet)
    verdict = tsig.verify(packet, [key], vector["now"], bytes.fromhex(vector.get("request_mac", "")))
    assert verdict is not None and verdict.error == VERDICTS[vector["expect"]]
