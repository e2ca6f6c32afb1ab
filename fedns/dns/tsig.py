"""Transaction signatures (RFC 8945): who sent a message, and that nobody changed it.

Law: pure; the time is an argument. What is wrong with a signature is a value with the rcode and the TSIG
error that the reply has to tell; only full-length signatures are taken (section 5.2.2.1 leaves the policy
to us). MACs are compared in constant time.
"""

import hashlib
import hmac
import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

from fedns.dns import wire

TYPE = 250
FUDGE = 300  # seconds (section 10)
FORMERR, NOTAUTH = 1, 9
BADSIG, BADKEY, BADTIME, BADTRUNC = 16, 17, 18, 22
MAX_RECORD = 2 * wire.MAX_NAME + 128  # octets that a signature may add to a message
_MARK = struct.pack(">HH", TYPE, wire.CLASS_ANY)
_FIXED = struct.Struct(">HHIH")
_TIMES = struct.Struct(">HIHH")  # time signed (48 bits), fudge, size of the MAC
_SHORTEST = 10  # octets of a truncated MAC (section 5.2.2.1)

ALGORITHMS: dict[str, Callable[..., "hashlib._Hash"]] = {
    "hmac-sha256": hashlib.sha256,
    "hmac-sha384": hashlib.sha384,
    "hmac-sha512": hashlib.sha512,
}


class Key(NamedTuple):
    """`name` is lower-case wire, `algorithm` one of `ALGORITHMS`."""

    name: bytes
    algorithm: str
    secret: bytes


class Signature(NamedTuple):
    """A TSIG record as read. `start` is where it begins in its message."""

    start: int
    name: bytes
    algorithm: bytes
    time: int
    fudge: int
    mac: bytes
    ident: bytes
    error: int
    other: bytes


class Verdict(NamedTuple):
    """What a request's signature is worth. `error` 0: `key` signed it. FORMERR: it is no signature at all."""

    signature: Signature | None
    key: Key | None
    error: int = 0


def signed(packet: bytes) -> bool:
    """Whether a signature may be in there: cheap, and never wrong in saying no."""
    return packet[10:12] != b"\0\0" and _MARK in packet


def verify(packet: bytes, keys: Iterable[Key], now: float, request: bytes = b"") -> Verdict | None:
    """The verdict on a message's signature; None where it has none. `request`: the MAC of the request that
    this message replies to."""
    try:
        found = _read(packet)
    except (struct.error, IndexError, ValueError):
        return Verdict(None, None, FORMERR)
    if found is None:
        return None
    key = next((each for each in keys if _fits(each, found)), None)
    if key is None:
        return Verdict(found, None, BADKEY)
    size = ALGORITHMS[key.algorithm]().digest_size
    if not max(_SHORTEST, size // 2) <= len(found.mac) <= size:
        return Verdict(found, key, FORMERR)
    told = _measured(request) + bare(packet, found) + _variables(found)
    if not hmac.compare_digest(_mac(key, told)[: len(found.mac)], found.mac):
        return Verdict(found, key, BADSIG)
    if abs(int(now) - found.time) > found.fudge:
        return Verdict(found, key, BADTIME)
    return Verdict(found, key, BADTRUNC if len(found.mac) < size else 0)


def bare(packet: bytes, found: Signature) -> bytes:
    """The message as it was before it was signed."""
    count = int.from_bytes(packet[10:12], "big") - 1
    return found.ident + packet[2:10] + count.to_bytes(2, "big") + packet[12 : found.start]


def refusal(reply: bytes, verdict: Verdict, now: float) -> bytes:
    """`reply` (without records), telling what is wrong with the request's signature. Nothing can be signed
    with a key that is not known, nor for one who does not know it (section 5.3.2)."""
    found = verdict.signature
    assert found is not None
    if verdict.key is None or verdict.error == BADSIG:
        return _with(reply, found._replace(mac=b"", error=verdict.error, other=b""))
    late = int(now).to_bytes(6, "big") if verdict.error == BADTIME else b""
    time = found.time if late else int(now)
    told = found._replace(time=time, fudge=FUDGE, error=verdict.error, other=late)
    mac = _mac(verdict.key, _measured(found.mac) + reply + _variables(told))
    return _with(reply, told._replace(mac=mac))


class Signer:
    """Signs messages one after another: the first binds to `request` (a MAC), each to the one before."""

    def __init__(self, key: Key, request: bytes = b"") -> None:
        self._key, self._last, self._first = key, request, True

    def sign(self, message: bytes, now: float) -> bytes:
        algorithm = _algorithm(self._key.algorithm)
        made = Signature(0, self._key.name, algorithm, int(now), FUDGE, b"", message[:2], 0, b"")
        told = _variables(made) if self._first else _timers(made)
        self._last = _mac(self._key, _measured(self._last) + message + told)
        self._first = False
        return _with(message, made._replace(mac=self._last))

    @property
    def mac(self) -> bytes:
        return self._last


def _read(packet: bytes) -> Signature | None:
    """The signature at the end. ValueError: it is malformed, or stands elsewhere."""
    questions, *rest = struct.unpack_from(">4H", packet, 4)
    at = wire.HEADER
    for _ in range(questions):
        at = _past(packet, at) + 4
    start = rtype = 0
    for index in range(sum(rest)):
        start, at = at, _past(packet, at)
        rtype, _, _, size = _FIXED.unpack_from(packet, at)
        at += _FIXED.size + size
        if rtype == TYPE and index + 1 < sum(rest):
            raise ValueError
    if rtype != TYPE:
        return None
    if at != len(packet) or not rest[2]:
        raise ValueError
    return _record(packet, start)


def _record(packet: bytes, start: int) -> Signature:
    at = _past(packet, start)
    if _FIXED.unpack_from(packet, at)[1:3] != (wire.CLASS_ANY, 0):
        raise ValueError
    name, at = _whole(packet, start).lower(), at + _FIXED.size
    end = wire.read_name(packet, at)
    if end < 0:
        raise ValueError
    algorithm, at = packet[at:end].lower(), end + _TIMES.size
    high, low, fudge, size = _TIMES.unpack_from(packet, end)
    mac, at = packet[at : at + size], at + size
    error, length = struct.unpack_from(">HH", packet, at + 2)
    if at + 6 + length != len(packet):
        raise ValueError
    ident, other = packet[at : at + 2], packet[at + 6 :]
    return Signature(start, name, algorithm, high << 32 | low, fudge, mac, ident, error, other)


def _whole(packet: bytes, at: int) -> bytes:
    """The name at `at`, uncompressed: some compress the owner, and its pointers lead back only."""
    name, least = b"", at
    while len(name) < wire.MAX_NAME:
        size = packet[at]
        if size >= 0xC0:
            at = int.from_bytes(packet[at : at + 2], "big") & 0x3FFF
            if not wire.HEADER <= at < least:
                break
            least = at
            continue
        name += packet[at : at + 1 + size]
        if not size:
            return name
        at += 1 + size
    raise ValueError


def _past(packet: bytes, at: int) -> int:
    end = wire.skip_name(packet, at)
    if end < 0:
        raise ValueError
    return end


def _fits(key: Key, found: Signature) -> bool:
    return key.name == found.name and _algorithm(key.algorithm) == found.algorithm


def _algorithm(name: str) -> bytes:
    return bytes((len(name),)) + name.encode() + wire.ROOT


def _mac(key: Key, told: bytes) -> bytes:
    return hmac.digest(key.secret, told, ALGORITHMS[key.algorithm])


def _measured(mac: bytes) -> bytes:
    return len(mac).to_bytes(2, "big") + mac if mac else b""


def _timers(found: Signature) -> bytes:
    return struct.pack(">HIH", found.time >> 32, found.time & 0xFFFFFFFF, found.fudge)


def _variables(found: Signature) -> bytes:
    """What of the record is signed (section 4.3.3)."""
    head = found.name + struct.pack(">HI", wire.CLASS_ANY, 0) + found.algorithm + _timers(found)
    return head + struct.pack(">HH", found.error, len(found.other)) + found.other


def _with(message: bytes, made: Signature) -> bytes:
    """The message with the record at its end."""
    data = made.algorithm + _timers(made) + len(made.mac).to_bytes(2, "big") + made.mac + made.ident
    data += struct.pack(">HH", made.error, len(made.other)) + made.other
    count = int.from_bytes(message[10:12], "big") + 1
    head = message[:10] + count.to_bytes(2, "big") + message[12:]
    return head + made.name + _MARK + struct.pack(">IH", 0, len(data)) + data
