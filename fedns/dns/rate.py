"""Response rate limiting: what one network may be told per second, so that nobody is flooded in its name.

Law: costs next to nothing below the limits, and its memory is bounded. Queries are first counted by prefix in
a small table, sampled, under a random seed: prefixes that share a row are only looked at sooner. A prefix in
sight of the least limit gets an account, a bucket for each class of answer; nobody is limited for another's
queries. Of what is beyond, every `slip`-th reply is cut to TC=1: whoever is really there asks over TCP. Who
has proven the address (a good cookie, TCP) is never limited.
"""

import ipaddress
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fedns.dns import wire

CLASSES = ("queries", "answers", "nodata", "nxdomain", "referrals", "errors")
QUERIES, ANSWERS, NODATA, NXDOMAIN, REFERRALS, ERRORS = range(len(CLASSES))
SECOND = 1_000_000_000  # times here are nanoseconds of a clock that only goes forward
ROWS = 1 << 16  # of the sampled table: 256 KiB
ACCOUNTS = 1 << 14  # prefixes in sight of a limit in one worker: some megabytes
LARGE, STRIDE = 16, 4  # of batches with so many queries only each fourth is counted, fourfold
KNOWN = 1 << 12  # sources of which it is remembered whether they are exempt
FULL_COOKIE = b"\0\x0a\0\x18"  # option code and length
_OPT = b"\0\0\x29"  # owner and type of an OPT record
_OWN = tuple(_OPT + wire.OWN_SIZE.to_bytes(2, "big") + bytes((0, 0, do, 0, 0, 0)) for do in (0, 0x80))
_PLAIN = b"\0\1\0\0\0\0\0\1"  # counts: a question, an OPT record
_FLAGS = (b"\x82\0", b"\x83\0")  # QR and TC; with RD
_ODD = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: spreads neighbours over the rows
_WORDS = {4: 4, 6: 8}  # IP version -> leading octets of an address that are looked at
_NEVER = 1 << 62


class Limits(NamedTuple):
    """Replies per second to one prefix, in each worker, with bursts of a second's worth; 0 is no limit.

    `queries` counts all of its queries, the rest replies by class. `slip`: every so many-th limited reply is
    sent with TC=1 (1: each, 0: none). `exempt`: prefixes that are not limited; of IPv6, 64 bits count.
    `connections`: how many one prefix may have over TCP and TLS in each worker.
    """

    enabled: bool = True
    queries: int = 5000
    answers: int = 2000
    nodata: int = 1000
    nxdomain: int = 1000
    referrals: int = 1000
    errors: int = 500
    slip: int = 2
    prefix4: int = 24
    prefix6: int = 56
    exempt: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    connections: int = 250

    @property
    def rates(self) -> tuple[int, ...]:
        """By class, as `CLASSES` has them."""
        return tuple(getattr(self, name) for name in CLASSES)


class Account:
    """What one prefix has had of late: per class a bucket that leaks at the class's rate."""

    __slots__ = ("at", "beyond", "levels", "rates", "told")

    def __init__(self, rates: Sequence[int], now: int) -> None:
        self.rates, self.at = rates, now
        self.levels = [0.0] * len(CLASSES)
        self.beyond = 0  # replies limited so far
        self.told = False

    def leak(self, now: int) -> None:
        passed = (now - self.at) / SECOND
        self.at = now
        pairs = zip(self.levels, self.rates, strict=True)
        self.levels = [max(level - rate * passed, 0.0) for level, rate in pairs]

    def take(self, kind: int, count: int) -> int:
        """How many of so many more of this class are within its limit; those are counted."""
        rate, level = self.rates[kind], self.levels[kind]
        if rate:
            count = min(count, max(int(rate - level), 0))
        self.levels[kind] = level + count
        return count


class Limiter:
    """The limits of one worker for one IP version. Sources are words: the first 4 or 8 octets of an address
    as a little-endian number, as a batch has them. For whoever counts by itself: a source is of the prefix
    `word & mask`, and exempt if `word & mask == value` for a (mask, value) of `exempt`; `floor` is what is
    below every limit, and nobody is near one as long as `accounts` is empty."""

    def __init__(self, limits: Limits, seed: int, version: int = 4) -> None:
        self._seed, self._version = seed, version
        self._rows = array("I", bytes(4 * ROWS))
        self.accounts: dict[int, Account] = {}
        self._seen = self._large = self._due = 0
        self._counted = False
        self.renew(limits)

    def __len__(self) -> int:
        """How many prefixes have an account."""
        return len(self.accounts)

    def renew(self, limits: Limits) -> None:
        """Takes new limits up; everybody begins anew."""
        self.limits = limits
        bits = limits.prefix4 if self._version == 4 else limits.prefix6
        self.mask, _ = _word(f"{'0.0.0.0' if self._version == 4 else '::'}/{bits}")
        exempt = [text for text in limits.exempt if ipaddress.ip_network(text).version == self._version]
        self.exempt = [_word(text) for text in exempt]
        self._known: dict[int, bool] = {}
        least = min((rate for rate in limits.rates if rate), default=0)
        self.floor = least // 2 if limits.enabled and least else _NEVER
        self.accounts.clear()

    def quiet(self, queries: int, now: int) -> bool:
        """Counts a batch; whether nobody can be near a limit, so that it need not be looked into."""
        if now >= self._due:
            self._sweep(now)
        self._seen += queries
        return self._seen <= self.floor and not self.accounts

    def suspects(self, words: Sequence[int], now: int) -> list[tuple[Account, list[int]]]:
        """Of a batch that was not quiet: the accounts that its senders have, and their positions."""
        if len(words) < LARGE:
            self._count(words, 1, now)
        else:
            self._large += 1
            if self._large % STRIDE == 0:
                self._count(words, STRIDE, now)
        accounts, mask = self.accounts, self.mask
        if not accounts:
            return []
        found = [at for at, word in enumerate(words) if word & mask in accounts]
        groups: dict[int, list[int]] = {}
        for at in found:
            if not self.exempt or not self._free(words[at]):
                groups.setdefault(words[at] & mask, []).append(at)
        for prefix in groups:
            accounts[prefix].leak(now)
        return [(accounts[prefix], positions) for prefix, positions in groups.items()]

    def watch(self, words: Iterable[int], now: int) -> None:
        """Opens accounts for these sources, which somebody else has counted beyond `floor`."""
        for word in words:
            if word & self.mask not in self.accounts and not self._free(word):
                self._open(word & self.mask, now)

    def news(self) -> list[str]:
        """Prefixes that are limited, each told once."""
        fresh = [item for item in self.accounts.items() if item[1].beyond and not item[1].told]
        for _, account in fresh:
            account.told = True
        return [self._text(prefix) for prefix, _ in fresh]

    def slips(self, account: Account, count: int) -> range:
        """Counts so many limited replies; which of them (0 is the first) are sent all the same, cut."""
        slip, before = self.limits.slip, account.beyond
        account.beyond += count
        return range(slip - 1 - before % slip, count, slip) if slip else range(0)

    def _count(self, words: Sequence[int], weight: int, now: int) -> None:
        self._counted = True
        rows, seed, mask, floor = self._rows, self._seed, self.mask, self.floor
        for word, count in Counter(words).items():
            row = (((word & mask) ^ seed) * _ODD & 0xFFFFFFFFFFFFFFFF) >> 48
            rows[row] = seen = rows[row] + count * weight
            if seen > floor and word & mask not in self.accounts and not self._free(word):
                self._open(word & mask, now)

    def _open(self, prefix: int, now: int) -> None:
        if len(self.accounts) < ACCOUNTS:
            self.accounts[prefix] = Account(self.limits.rates, now)

    def _free(self, word: int) -> bool:
        known = self._known.get(word)
        if known is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            known = self._known[word] = any(word & mask == value for mask, value in self.exempt)
        return known

    def _sweep(self, now: int) -> None:
        """Once a second: counting begins anew, and who was quiet for as long has nothing in its buckets."""
        self._due = now + SECOND
        self._seen = 0
        if self._counted:
            self._rows = array("I", bytes(4 * ROWS))
            self._counted = False
        for prefix, account in list(self.accounts.items()):
            if now - account.at > SECOND:
                del self.accounts[prefix]

    def _text(self, prefix: int) -> str:
        octets = prefix.to_bytes(_WORDS[self._version], "little")
        bits = self.limits.prefix4 if self._version == 4 else self.limits.prefix6
        return f"{ipaddress.ip_address(octets.ljust(4 if self._version == 4 else 16, bytes(1)))}/{bits}"


def limits(told: Mapping[str, Any]) -> Limits:
    """From names and values as JSON has them, also of an older or newer version."""
    known = {name: value for name, value in told.items() if name in Limits._fields}
    return Limits(**{**known, "exempt": tuple(known.get("exempt", Limits().exempt))})


def kind(reply: bytes) -> int:
    """The class of a reply."""
    rcode = reply[3] & 15
    if rcode == wire.NXDOMAIN:
        return NXDOMAIN
    if rcode != wire.NOERROR:
        return ERRORS
    if reply[6] | reply[7] or reply[2] & 2:  # what was cut short has an answer
        return ANSWERS
    if reply[2] & 4:
        return NODATA
    return REFERRALS if reply[8] | reply[9] else ERRORS


def claim(packet: bytes) -> bytes:
    """The octets of what may be a full DNS cookie; if it is a good one, it proves the same wherever it is."""
    at = packet.rfind(FULL_COOKIE, wire.HEADER)
    return packet[at + 4 : at + 28] if at > 0 else b""


def truncated(packet: bytes) -> bytes | None:
    """An empty reply with TC=1, never longer than the query; None for what is no plain query."""
    if (
        packet[4:12] == _PLAIN
        and packet[-11:-8] == _OPT
        and not packet[-16]
        and not packet[-5] | packet[2] & 0xF8
    ):
        return packet[:2] + _FLAGS[packet[2] & 1] + packet[4:-11] + _OWN[packet[-4] >> 7]
    if len(packet) < wire.HEADER or packet[2] & 0xF8 or packet[4:10] != _PLAIN[:6]:
        return None
    end = wire.read_name(packet, wire.HEADER)
    if end < 0 or end + 4 > len(packet):
        return None
    question = packet[wire.HEADER : end + 4]
    head = packet[:2] + _FLAGS[packet[2] & 1] + _PLAIN[:6]
    opt = packet[end + 4 : end + 15]
    if len(opt) < 11 or opt[:3] != _OPT or opt[6]:
        return head + b"\0\0" + question
    return head + b"\0\1" + question + _OWN[opt[7] >> 7]


def _word(network: str) -> tuple[int, int]:
    """(mask, value) of a prefix, as words."""
    parsed = ipaddress.ip_network(network)
    size = _WORDS[parsed.version]
    mask, value = parsed.netmask.packed[:size], parsed.network_address.packed[:size]
    return int.from_bytes(mask, "little"), int.from_bytes(value, "little")
