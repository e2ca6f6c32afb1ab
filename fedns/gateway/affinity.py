"""Cookies that lead a client back to the endpoint it had.

Law: a value is `KEY.TAG`: TAG names the pool, KEY the endpoint (persistent) or a point of the pool's ring
(balanced), so that nothing about addresses is told and one pool's cookie means nothing to another.
"""

from collections.abc import Sequence

from fedns.gateway.head import Head
from fedns.gateway.options import Affinity
from fedns.gateway.route import Endpoint

_DAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_OLD_AGENTS: Sequence[bytes] = (b"iPhone OS 12_", b"iPad; CPU OS 12_", b"Outlook iOS", b"UCBrowser/")
"""Agents that take SameSite=None for Strict, or refuse it."""
MAX_KEY = 64


def bound(asked: Affinity, head: Head) -> tuple[bytes, bytes]:
    """(key, tag of a pool) of the request's cookie; both empty when it has none that could be ours."""
    value = head.cookie(asked.name)
    if value is None:
        return b"", b""
    key, dot, tag = value.partition(b".")
    if not dot or len(key) > MAX_KEY or not key.isalnum() or not tag.isalnum():
        return b"", b""
    return key, tag


def fresh(draw: float) -> bytes:
    """A key for a client that has none, where keys are points of a ring."""
    return b"%016x" % int(draw * 2**64)


def renewed(asked: Affinity, bound: bytes, endpoint: Endpoint, point: bytes) -> bytes:
    """The key for a new cookie; empty: the client keeps the one it has. `bound` is the key that came,
    `point` the one that was chosen by."""
    key = endpoint.tag if asked.persistent else point
    return key if key != bound else b""


def cookie(asked: Affinity, value: tuple[bytes, bytes], path: bytes, head: Head, now: float) -> bytes:
    """A Set-Cookie value for (key, tag). `path` is the location's; `now` in Unix seconds."""
    key, tag = value
    parts = [asked.name + b"=" + key + b"." + tag, b"Path=" + (asked.path or path or b"/"), b"HttpOnly"]
    if asked.domain:
        parts.append(b"Domain=" + asked.domain)
    if asked.expires >= 0:
        parts.append(b"Expires=" + date(now + asked.expires))
    if asked.max_age >= 0:
        parts.append(b"Max-Age=%d" % asked.max_age)
    if asked.secure or head.secure:
        parts.append(b"Secure")
    if asked.same_site and not (asked.conditional and asked.same_site == b"None" and _old(head)):
        parts.append(b"SameSite=" + asked.same_site)
    return b"; ".join(parts)


def _old(head: Head) -> bool:
    agent = head.get(b"user-agent") or b""
    return any(each in agent for each in _OLD_AGENTS)


def date(at: float) -> bytes:
    """An HTTP date (RFC 9110 section 5.6.7) of Unix seconds."""
    days, seconds = divmod(int(at), 86400)
    year, month, day = _civil(days)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    text = f"{_DAYS[days % 7]}, {day:02} {_MONTHS[month - 1]} {year} {hours:02}:{minutes:02}:{seconds:02} GMT"
    return text.encode()


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since 1970-01-01 (years begin in March on the way)."""
    era, day = divmod(days + 719468, 146097)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    return year + era * 400 + (month >= 10), month + 3 - 12 * (month >= 10), day - (153 * month + 2) // 5 + 1
