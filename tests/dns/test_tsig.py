"""Signatures that dnspython makes are taken, ours are taken by it, and errors are told as in RFC 8945."""

import time

import dns.message
import dns.name
import dns.tsig
import pytest

from fedns.dns import client, permit, resolve, tsig, wire
from tests.conformance import probes, worlds

SECRET = b"0123456789abcdef0123456789abcdef"
NAME = dns.name.from_text("Key.Example.")


def now() -> int:
    """dnspython signs with the clock's time, and a signature is good for five minutes."""
    return int(time.time())


def key(algorithm: str = "hmac-sha256", secret: bytes = SECRET) -> tsig.Key:
    return tsig.Key(NAME.to_digestable(), algorithm, secret)


def request(algorithm: str = "hmac-sha256", secret: bytes = SECRET) -> dns.message.Message:
    """A query that dnspython has signed."""
    message = dns.message.make_query(probes.ORIGIN, "SOA")
    message.use_tsig(dns.tsig.Key(NAME, secret, algorithm))
    message.to_wire()  # signs
    return message


def reply(packet: bytes, late: int = 0) -> bytes:
    view = {**worlds.view({probes.ORIGIN: probes.ZONE}), permit.RULES: permit.encode([key()], ())}
    asker = client.Client(client.Host(client.Server(), now() + late))
    made = resolve.resolve(view, packet, wire.OWN_SIZE, asker)
    assert made is not None
    return made


@pytest.mark.parametrize("algorithm", tsig.ALGORITHMS)
def test_what_others_sign(algorithm: str) -> None:
    packet = request(algorithm).to_wire()
    verdict = tsig.verify(packet, [key(algorithm)], now())
    assert verdict is not None and verdict.error == 0 and verdict.signature is not None
    assert tsig.bare(packet, verdict.signature)[12:] == packet[12 : verdict.signature.start]


@pytest.mark.parametrize("algorithm", tsig.ALGORITHMS)
def test_others_take_what_we_sign(algorithm: str) -> None:
    """Two messages in a row: the second binds to the first (RFC 8945 section 5.3.1)."""
    asked = request(algorithm)
    signer = tsig.Signer(key(algorithm), asked.mac)
    plain = dns.message.make_response(dns.message.from_wire(dns.message.make_query("a.", "A").to_wire()))
    plain.id = asked.id
    keyring = {NAME: dns.tsig.Key(NAME, SECRET, algorithm)}
    context = None
    for _ in range(2):
        packet = signer.sign(plain.to_wire(), now())
        taken = dns.message.from_wire(
            packet, keyring=keyring, request_mac=asked.mac, tsig_ctx=context, multi=True
        )
        context = taken.tsig_ctx
        assert taken.had_tsig


def test_a_signed_query_gets_a_signed_reply() -> None:
    asked = request()
    keyring = {NAME: dns.tsig.Key(NAME, SECRET, "hmac-sha256")}
    taken = dns.message.from_wire(reply(asked.to_wire()), keyring=keyring, request_mac=asked.mac)
    assert taken.had_tsig and taken.answer


@pytest.mark.parametrize(
    ("how", "late", "error", "signed"),
    [
        (("hmac-sha256", bytes(32)), 0, tsig.BADSIG, False),
        (("hmac-sha512", SECRET), 0, tsig.BADKEY, False),
        (("hmac-sha256", SECRET), 900, tsig.BADTIME, True),
        (("hmac-sha256", SECRET), -900, tsig.BADTIME, True),
    ],
)
def test_what_is_wrong_is_told(how: tuple[str, bytes], late: int, error: int, signed: bool) -> None:
    """RFC 8945 section 5.2: NOTAUTH and the error; signed only where the key is known and was used."""
    asked, before = request(*how), now()
    found = dns.message.from_wire(reply(asked.to_wire(), late), continue_on_error=True, keyring=False)
    assert found.rcode() == tsig.NOTAUTH and found.tsig is not None
    told = found.tsig[0]
    assert (told.error, bool(told.mac)) == (error, signed) and not found.answer
    if error == tsig.BADTIME:
        assert asked.tsig and told.time_signed == asked.tsig[0].time_signed
        assert before + late <= int.from_bytes(told.other, "big") <= now() + late


def test_a_signature_that_is_not_last_is_malformed() -> None:
    packet = request().to_wire()
    moved = packet[:11] + bytes((packet[11] + 1,)) + packet[12:] + b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
    assert dns.message.from_wire(reply(moved)).rcode() == wire.FORMERR


@pytest.mark.parametrize("cut", range(12, len(request().to_wire())))
def test_no_octets_are_too_odd(cut: int) -> None:
    packet = request().to_wire()
    tsig.verify(packet[:cut], [key()], now())
    assert resolve.resolve({}, packet[:cut], wire.OWN_SIZE) is not None


def test_a_short_mac_is_not_enough() -> None:
    """Truncation that RFC 8945 allows is BADTRUNC by our policy, shorter ones are malformed."""
    asked = request()
    packet = asked.to_wire()
    at = packet.rindex(b"\0\x20" + asked.mac)
    for size, error in ((16, tsig.BADTRUNC), (15, tsig.FORMERR)):
        whole = packet[: at + 2 + size] + packet[at + 34 :]
        whole = whole[:at] + size.to_bytes(2, "big") + whole[at + 2 :]
        start = whole.rindex(b"\xfa\0\xff\0\0\0\0") + 7
        length = int.from_bytes(whole[start : start + 2], "big") - 32 + size
        whole = whole[:start] + length.to_bytes(2, "big") + whole[start + 2 :]
        verdict = tsig.verify(whole, [key()], now())
        assert verdict is not None and verdict.error == error
