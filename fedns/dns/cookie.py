"""DNS cookies (RFC 7873) in the interoperable form of RFC 9018: SipHash-2-4 over who asks, and when.

Law: hot, and needs no library. What a cookie is worth is computed once and kept in a bounded jar, so that a
client who comes again costs a lookup; computing is rationed, so that a flood of fresh cookies costs a fixed
share of a worker. Beyond the ration a query counts as one without a cookie, which RFC 7873 section 5.2
leaves to the server.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

OPTION = 10  # EDNS option code
CLIENT, FULL, LONGEST = 8, 24, 40  # octets: a client cookie, one with a server cookie of ours, the largest
SECRET = 16  # octets
PAST, AHEAD = 3600, 300  # seconds in which a server cookie is good (RFC 9018 section 4.3)
RENEW = 1800  # seconds after which a good one is answered with a fresh one
KEPT = 300  # seconds that one made for a client is given again
ROOM = 8192  # cookies in each of the jar's two halves: some megabytes
RATION = 4000  # hashes per tick; at 12 us each, 5 % of a worker that ticks each second
VERSION = b"\x01\0\0\0"  # and three reserved octets
_HEAD = struct.pack(">HH", OPTION, FULL)
_MASK = 0xFFFFFFFFFFFFFFFF
_blocks = struct.Struct("<QQ")

State = tuple[int, int, int, int]


class Seen(NamedTuple):
    """What a cookie is worth until `until`, Unix seconds: whether its sender has proven its address, and the
    whole option to answer with."""

    valid: bool
    option: bytes
    until: int


def sound(data: bytes) -> bool:
    """Whether a COOKIE option may be so long; else the query is malformed (RFC 7873 section 5.2.2)."""
    return len(data) == CLIENT or 2 * CLIENT <= len(data) <= LONGEST


def begin(secret: bytes) -> State:
    """SipHash's state before any data."""
    low, high = _blocks.unpack(secret)
    return (
        low ^ 0x736F6D6570736575,
        high ^ 0x646F72616E646F6D,
        low ^ 0x6C7967656E657261,
        high ^ 0x7465646279746573,
    )


def siphash(state: State, data: bytes) -> bytes:
    """SipHash-2-4: 8 octets."""
    size = len(data)
    padded = data + bytes(7 - size % 8) + bytes((size & 255,))
    for (word,) in struct.iter_unpack("<Q", padded):
        v0, v1, v2, v3 = state
        state = _rounds((v0, v1, v2, v3 ^ word), 2)
        state = (state[0] ^ word, *state[1:])
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _rounds((v0, v1, v2 ^ 0xFF, v3), 4)
    return (v0 ^ v1 ^ v2 ^ v3).to_bytes(8, "little")


def _rounds(state: State, count: int) -> State:
    v0, v1, v2, v3 = state
    for _ in range(count):
        v0 = (v0 + v1) & _MASK
        v1 = (v1 << 13 & _MASK | v1 >> 51) ^ v0
        v0 = v0 << 32 & _MASK | v0 >> 32
        v2 = (v2 + v3) & _MASK
        v3 = (v3 << 16 & _MASK | v3 >> 48) ^ v2
        v0 = (v0 + v3) & _MASK
        v3 = (v3 << 21 & _MASK | v3 >> 43) ^ v0
        v2 = (v2 + v1) & _MASK
        v1 = (v1 << 17 & _MASK | v1 >> 47) ^ v2
        v2 = v2 << 32 & _MASK | v2 >> 32
    return v0, v1, v2, v3


def make(state: State, client: bytes, address: bytes, now: int) -> bytes:
    """The full cookie for a client cookie, made at `now`."""
    said = client + VERSION + (now & 0xFFFFFFFF).to_bytes(4, "big")
    return said + siphash(state, said + address)


def age(cookie: bytes, now: int) -> int:
    """Seconds since the cookie was made, negative for the future (RFC 1982 arithmetic)."""
    passed = (now - int.from_bytes(cookie[12:16], "big")) & 0xFFFFFFFF
    return passed - (passed >> 31 << 32)


class Jar:
    """The cookies one worker has seen. The first of `secrets` makes cookies, each of them is accepted."""

    def __init__(self, secrets: Sequence[bytes], now: int) -> None:
        self.now = now
        self._states = [begin(secret) for secret in secrets]
        self._young: dict[bytes, Seen] = {}
        self._old: dict[bytes, Seen] = {}
        self._left = RATION

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def tick(self, now: int) -> None:
        """Tells the time, about once a second."""
        self.now, self._left = now, RATION

    def look(self, data: bytes, address: bytes) -> Seen | None:
        """What the data of a sound COOKIE option is worth; None where it counts as none."""
        if len(data) != FULL:
            data = data[:CLIENT]  # a server cookie of another length is not ours
        key = data + address
        seen = self._young.get(key)
        if seen is not None and seen.until > self.now:
            return seen
        return self._again(key, data, address)

    def _again(self, key: bytes, data: bytes, address: bytes) -> Seen | None:
        seen = self._old.get(key)
        if seen is None or seen.until <= self.now:
            if self._left <= 0:
                return None
            seen = self._judge(data, address)
        if len(self._young) >= ROOM:
            self._young, self._old = {}, self._young
        self._young[key] = seen
        return seen

    def _judge(self, data: bytes, address: bytes) -> Seen:
        passed = age(data, self.now) if len(data) == FULL else PAST + 1
        timely = -AHEAD <= passed <= PAST and data[CLIENT] == VERSION[0]
        maker = self._maker(data, address) if timely else None
        if maker is None:
            return Seen(False, self._made(data, address), self.now + KEPT)
        if passed > RENEW or maker is not self._states[0]:
            return Seen(True, self._made(data, address), min(self.now + KEPT, self.now - passed + PAST + 1))
        return Seen(True, _HEAD + data, self.now - passed + RENEW + 1)

    def _maker(self, data: bytes, address: bytes) -> State | None:
        """The secret that the cookie was made with."""
        said = data[:16] + address
        for state in self._states:
            self._left -= 1
            if siphash(state, said) == data[16:]:
                return state
        return None

    def _made(self, data: bytes, address: bytes) -> bytes:
        self._left -= 1
        return _HEAD + make(self._states[0], data[:CLIENT], address, self.now)
