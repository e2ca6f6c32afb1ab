"""Rate limits: nobody below is touched, nobody above gets more than rate and burst, and slips are exact."""

import ipaddress
import struct

import dns.flags
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import client, rate, wire

FREE = rate.Limits(exempt=())
WHO = int.from_bytes(ipaddress.ip_address("198.51.100.7").packed, "little")
OTHER = int.from_bytes(ipaddress.ip_address("203.0.113.7").packed, "little")
QUESTION = b"\x04name\x07example\0\0\x01\0\x01"


def sent(limiter: rate.Limiter, words: list[int], now: int, kind: int) -> list[bool]:
    """Which queries of a batch get their reply, all of one class: what the listener does."""
    if limiter.quiet(len(words), now):
        return [True] * len(words)
    beyond: set[int] = set()
    for account, found in limiter.suspects(words, now):
        allowed = found[: account.take(rate.QUERIES, len(found))]
        over = set(found) - set(allowed[: account.take(kind, len(allowed))])
        limiter.slips(account, len(over))
        beyond |= over
    return [at not in beyond for at in range(len(words))]


@given(
    limit=st.integers(1, 2000),
    kind=st.sampled_from(range(1, len(rate.CLASSES))),
    waits=st.lists(st.floats(1, 5), min_size=50, max_size=300),
    noise=st.integers(0, 63),
    seed=st.integers(0, 2**64 - 1),
)
def test_who_stays_below_the_rate_is_never_limited(
    limit: int, kind: int, waits: list[float], noise: int, seed: int
) -> None:
    limits = FREE._replace(**dict.fromkeys(rate.CLASSES, limit))
    limiter, now = rate.Limiter(limits, seed), 0
    for wait in waits:
        now += -(-int(rate.SECOND * wait) // limit) + 1
        assert sent(limiter, [OTHER] * noise + [WHO], now, kind)[-1]


@given(
    limit=st.integers(1, 500),
    batches=st.lists(st.tuples(st.integers(1, 64), st.floats(0, 0.2)), min_size=1, max_size=200),
    window=st.integers(0, 150),
    seed=st.integers(0, 2**64 - 1),
)
def test_over_any_window_no_more_than_rate_and_burst(
    limit: int, batches: list[tuple[int, float]], window: int, seed: int
) -> None:
    limits = FREE._replace(queries=0, nxdomain=limit, answers=10 * limit, nodata=0, referrals=0, errors=0)
    limiter, now, log = rate.Limiter(limits, seed), 0, []
    for count, wait in batches:
        now += int(wait * rate.SECOND)
        log.append((now, sum(sent(limiter, [WHO] * count, now, rate.NXDOMAIN))))
    begun = min(window, len(log) - 1)
    passed = (log[-1][0] - log[begun][0]) / rate.SECOND
    unseen = limit / 2 + rate.STRIDE * 64  # until the prefix has an account, once in each second without
    quiet = sum(1 for _, wait in batches[begun:] if wait > 0.19)  # may have begun anew
    assert sum(count for _, count in log[begun:]) <= limit * (passed + 1) + unseen * (1 + quiet) + 1


def test_a_flood_gets_rate_and_burst_and_no_more() -> None:
    limiter, now, total = rate.Limiter(FREE, 5), 0, 0
    for _ in range(10_000):  # 64,000 a second for ten seconds
        now += rate.SECOND // 1000
        total += sum(sent(limiter, [WHO] * 64, now, rate.NXDOMAIN))
    assert 10_000 <= total <= 1000 * 11 + FREE.errors / 2 + rate.STRIDE * 64


def test_classes_and_prefixes_have_buckets_of_their_own() -> None:
    limiter = rate.Limiter(FREE._replace(queries=0), 5)
    for at in range(100):
        sent(limiter, [WHO] * 64, at, rate.NXDOMAIN)
    assert not any(sent(limiter, [WHO] * 8, 100, rate.NXDOMAIN))
    assert all(sent(limiter, [WHO] * 8, 100, rate.ANSWERS))
    assert all(sent(limiter, [OTHER] * 8, 100, rate.NXDOMAIN))
    same = WHO ^ 0xFF000000  # another address of the same /24
    assert not any(sent(limiter, [same] * 8, 100, rate.NXDOMAIN))
    assert limiter.news() == ["198.51.100.0/24"] and limiter.news() == []


def test_ipv6_is_limited_by_its_prefix() -> None:
    def word(text: str) -> int:
        return int.from_bytes(ipaddress.ip_address(text).packed[:8], "little")

    limiter = rate.Limiter(FREE._replace(exempt=("2001:db8:ffff::/48",)), 5, 6)
    for at in range(300):
        sent(limiter, [word("2001:db8:0:1200::1"), word("2001:db8:ffff::1")] * 32, at, rate.NXDOMAIN)
    assert sent(limiter, [word("2001:db8:0:12ff::2")] * 4, 300, rate.NXDOMAIN) == [False] * 4
    assert all(sent(limiter, [word("2001:db8:0:1300::2"), word("2001:db8:ffff::1")], 300, rate.NXDOMAIN))
    assert limiter.news() == ["2001:db8:0:1200::/56"]


@pytest.mark.parametrize("limits", [rate.Limits(enabled=False, exempt=()), rate.Limits(*[True] + [0] * 6)])
def test_no_limit_is_no_limit(limits: rate.Limits) -> None:
    limiter = rate.Limiter(limits, 5)
    assert all(limiter.quiet(64, at) for at in range(10_000))


def test_the_exempt_are_free_and_quiet_accounts_go() -> None:
    limiter = rate.Limiter(FREE._replace(exempt=("203.0.113.0/24",)), 5)
    for at in range(1000):
        assert all(sent(limiter, [OTHER] * 64, at, rate.ERRORS))
    assert len(limiter) == 0
    for at in range(1000, 2000):
        sent(limiter, [WHO] * 64, at, rate.ERRORS)
    assert len(limiter) == 1
    assert limiter.quiet(1, 3 * rate.SECOND) and len(limiter) == 0


@given(slip=st.integers(0, 10), batches=st.lists(st.integers(0, 64), max_size=30))
def test_every_so_many_th_limited_reply_slips(slip: int, batches: list[int]) -> None:
    limiter = rate.Limiter(FREE._replace(slip=slip), 5)
    account = rate.Account((0, 0, 0, 5, 0, 0), 0)
    places, total = [], 0
    for count in batches:
        beyond = count - account.take(rate.NXDOMAIN, count)
        places += [total + index for index in limiter.slips(account, beyond)]
        total += beyond
    assert account.beyond == total == max(sum(batches) - 5, 0)
    assert places == (list(range(slip - 1, total, slip)) if slip else [])


@pytest.mark.parametrize(
    ("flags", "counts", "kind"),
    [
        (0x8400, (1, 1, 0), rate.ANSWERS),
        (0x8600, (1, 0, 0), rate.ANSWERS),
        (0x8400, (1, 0, 1), rate.NODATA),
        (0x8403, (1, 0, 1), rate.NXDOMAIN),
        (0x8403, (1, 1, 1), rate.NXDOMAIN),
        (0x8000, (1, 0, 2), rate.REFERRALS),
        (0x8000, (1, 0, 0), rate.ERRORS),
        (0x8005, (1, 0, 0), rate.ERRORS),
    ],
)
def test_a_reply_has_a_class(flags: int, counts: tuple[int, int, int], kind: int) -> None:
    assert rate.kind(struct.pack(">HH4H", 1, flags, *counts, 0)) == kind


@pytest.mark.parametrize("edns", [-1, 0])
@pytest.mark.parametrize("do", [False, True])
def test_a_cut_reply_is_a_reply_of_the_querys_size(edns: int, do: bool) -> None:
    asked = dns.message.make_query("Www.Example.com", "TXT", use_edns=edns, want_dnssec=do and edns == 0)
    packet = asked.to_wire()
    cut = rate.truncated(packet)
    assert cut is not None and len(cut) == len(packet)
    read = dns.message.from_wire(cut)
    assert asked.is_response(read) and read.flags & dns.flags.TC and read.edns == asked.edns
    assert read.ednsflags & dns.flags.DO == asked.ednsflags & dns.flags.DO


@given(st.binary(max_size=80), st.integers(0, 90))
def test_a_cut_reply_is_never_longer_than_its_query(rest: bytes, kept: int) -> None:
    packet = (struct.pack(">6H", 7, 0, 1, 0, 0, 1) + QUESTION + rest)[:kept]
    cut = rate.truncated(packet)
    assert cut is None or wire.HEADER + len(QUESTION) <= len(cut) <= len(packet)
    assert rate.truncated(b"\0\0\x80" + packet[3:]) is None


def test_limits_go_through_the_tables() -> None:
    server = client.Server(limits=rate.Limits(enabled=False, exempt=("10.0.0.0/8",)))
    assert client.decode(client.encode(server)) == server
    assert rate.limits({"slip": 1, "unheard": 2}) == rate.Limits(slip=1)
