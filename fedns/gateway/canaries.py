"""Canary Ingresses -> canaries of the locations they name.

Law: a canary joins the location of the same host, path and kind, and nothing else; one that finds none gets
no traffic and is a problem. It inherits the location's options, but for header changes, balancing and
hashing, which are its own."""

import re2
from msgspec import structs

from fedns.gateway import forwarding, options, route, site, translation
from fedns.gateway.annotations import Asked
from fedns.gateway.options import Options
from fedns.gateway.route import Canary
from fedns.gateway.wishes import Wishes

KEYS = (
    "canary-by-header",
    "canary-by-header-value",
    "canary-by-header-pattern",
    "canary-by-cookie",
    "canary-by-cookie-value",
    "canary-by-query",
    "canary-by-query-value",
    "canary-by-query-pattern",
    "canary-weight",
)
TOTAL = 100  # and the least total that nginx takes


def disabled(asked: Asked) -> bool:
    """Whether it speaks of canaries without being one."""
    return not asked.get("canary", False) and any(asked.get(key) for key in KEYS)


def canary(wishes: Wishes, rule: bytes, pool: tuple[bytes, bytes], mode: int) -> Canary:
    """`pool` is its key and its tag."""
    asked = wishes.asked
    total = asked.get("canary-weight-total", TOTAL)
    if total < TOTAL and (mode != options.MSE or total <= 0):
        total = TOTAL
    pattern, broken = _pattern(wishes, "canary-by-header-pattern")
    query_pattern, unread = _pattern(wishes, "canary-by-query-pattern")
    return Canary(
        rule=rule,
        pool=pool[0],
        tag=pool[1],
        header=asked.get("canary-by-header", b"").lower(),
        value=asked.get("canary-by-header-value", b""),
        pattern=pattern,
        broken=broken,
        cookie=asked.get("canary-by-cookie", b""),
        cookie_value=asked.get("canary-by-cookie-value", b""),
        query=b"" if unread else asked.get("canary-by-query", b""),
        query_value=asked.get("canary-by-query-value", b""),
        query_pattern=query_pattern,
        weight=asked.get("canary-weight", 0),
        total=total,
        sticky=asked.get("affinity-canary-behavior", "sticky") == "sticky",
    )


def _pattern(wishes: Wishes, key: str) -> tuple[bytes, bool]:
    """The expression, and whether it cannot be read."""
    text = wishes.asked.get(key, "").encode()
    try:
        route.pattern(text)
    except re2.error as bad:
        wishes.problem(f"{key} cannot be read: {site.reason(bad)}", "patterns are RE2's: no look-around")
        return b"", True
    return text, False


def own(inherited: Options, wishes: Wishes) -> Options:
    """The options of a canary."""
    asked = wishes.asked
    changed = {
        "request": forwarding.changes(wishes, "request"),
        "response": forwarding.changes(wishes, "response"),
    }
    if "load-balance" in asked:
        changed["balance"] = translation.balance(wishes)  # type: ignore[assignment]
    if "upstream-hash-by" in asked:
        changed["hash"] = translation.hashing(wishes)  # type: ignore[assignment]
    return structs.replace(inherited, **changed)
