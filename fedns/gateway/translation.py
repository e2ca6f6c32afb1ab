"""Wishes of annotations -> the options of a location.

Law: a row for each option, each made from what its annotations ask. A guard that cannot be met shuts the
location (503) and is a problem.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from fedns.gateway import forwarding, guards, options, throttling
from fedns.gateway.options import Options
from fedns.gateway.wishes import Refused, Wishes

CHALLENGE = b"/.well-known/acme-challenge"
MODES = {"fedns": options.FEDNS, "nginx-strict": options.STRICT, "mse": options.MSE}
_BALANCE = {"round_robin": "round", "least_conn": "least", "ewma": "least", "random": "random"}
_METHODS = b"GET, PUT, POST, DELETE, PATCH, OPTIONS"
_HEADERS = (
    b"DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,"
    b"Authorization"
)
_MAX_AGE = 1728000
_METHODS_READ = re.compile(rb"[A-Za-z, ]+")
_NAMES_READ = re.compile(rb"[A-Za-z0-9_\-*, ]+")
_SUBSET = 3  # endpoints, as in ingress-nginx


def translate(wishes: Wishes) -> Options:
    """What one location of an Ingress is to do."""
    if wishes.asked.refused:
        return Options(refused=wishes.asked.refused.encode())
    try:
        return Options(**{name: make(wishes) for name, make in ROWS.items()})
    except Refused as refused:
        wishes.problem(f"{refused}: its paths answer 503", "a guard that cannot be met lets nobody through")
        return Options(refused=str(refused).encode())


def _https(wishes: Wishes) -> bool:
    """As ingress-nginx: where the host has TLS, but not where certificates are proven."""
    asked = wishes.asked
    wanted = asked.get("force-ssl-redirect", False) or (asked.get("ssl-redirect", True) and wishes.site.tls)
    return bool(wanted) and not wishes.path.startswith(CHALLENGE)


def _redirect(wishes: Wishes) -> options.Redirect | None:
    """Temporal before permanent. A path is made a URL unless relative ones are wished for."""
    asked = wishes.asked
    code, most = asked.get("temporal-redirect-code", 302), 307
    url, usual = asked.get("temporal-redirect"), 302
    if url is None:
        code, most = asked.get("permanent-redirect-code", 301), 308
        url, usual = asked.get("permanent-redirect"), 301
    if url is None:
        return None
    if url[0][1][:1] == b"/" and not asked.get("relative-redirects", False):
        url = (("scheme", b""), ("text", b"://"), ("http_host", b""), *url)
    return options.Redirect(code if 300 <= code <= most else usual, url)


def _cors(wishes: Wishes) -> options.Cors | None:
    asked = wishes.asked
    if not asked.get("enable-cors", False):
        return None
    origins = asked.get("cors-allow-origin", ("*",))
    wild = tuple(tuple(each.encode().split(b"*", 1)) for each in origins if "*." in each)
    exact = tuple(each.encode() for each in origins if "*" not in each)
    said = [
        (b"Access-Control-Allow-Methods", _read(asked.get("cors-allow-methods"), _METHODS_READ, _METHODS)),
        (b"Access-Control-Allow-Headers", _read(asked.get("cors-allow-headers"), _NAMES_READ, _HEADERS)),
        (b"Access-Control-Max-Age", b"%d" % asked.get("cors-max-age", _MAX_AGE)),
    ]
    exposed = _read(asked.get("cors-expose-headers"), _NAMES_READ, b"")
    if exposed:
        said.append((b"Access-Control-Expose-Headers", exposed))
    if asked.get("cors-allow-credentials", True):
        said.insert(0, (b"Access-Control-Allow-Credentials", b"true"))
    return options.Cors("*" in origins, exact, wild, tuple(said))


def _read(value: bytes | None, known: re.Pattern[bytes], usual: bytes) -> bytes:
    return value if value is not None and known.fullmatch(value) else usual


def _rewrite(wishes: Wishes) -> bytes:
    """None where the target is the path itself."""
    target: bytes = wishes.asked.get("rewrite-target", b"")
    return target if target != wishes.path else b""


def _prefix(wishes: Wishes) -> bytes:
    return wishes.asked.get("x-forwarded-prefix", b"") if _rewrite(wishes) else b""


def affinity(wishes: Wishes) -> options.Affinity | None:
    asked, usual = wishes.asked, options.Affinity()
    if asked.get("affinity") != "cookie":
        return None
    return options.Affinity(
        name=asked.get("session-cookie-name", usual.name),
        persistent=asked.get("affinity-mode") == "persistent",
        path=asked.get("session-cookie-path", usual.path),
        max_age=asked.get("session-cookie-max-age", usual.max_age),
        expires=asked.get("session-cookie-expires", usual.expires),
        domain=asked.get("session-cookie-domain", "").encode(),
        same_site=asked.get("session-cookie-samesite", "").encode(),
        conditional=asked.get("session-cookie-conditional-samesite-none", False),
        secure=asked.get("session-cookie-secure", False),
        change_on_failure=asked.get("session-cookie-change-on-failure", False),
    )


def hashing(wishes: Wishes) -> options.Hash | None:
    by = wishes.asked.get("upstream-hash-by", ())
    if not by:
        return None
    subset = wishes.asked.get("upstream-hash-by-subset", False)
    return options.Hash(by, wishes.asked.get("upstream-hash-by-subset-size", _SUBSET) if subset else 0)


def balance(wishes: Wishes) -> str:
    return _BALANCE[wishes.asked.get("load-balance", "round_robin")]


def _fallback(wishes: Wishes) -> bytes:
    named = wishes.asked.get("default-backend")
    return wishes.service(named) if named is not None else b""


def _pairs(key: str) -> Callable[[Wishes], tuple[options.Field, ...]]:
    def read(wishes: Wishes) -> tuple[options.Field, ...]:
        found = wishes.asked.get(key)
        return (found,) if found is not None else ()

    return read


def _plain(key: str, usual: Any) -> Callable[[Wishes], Any]:
    return lambda wishes: wishes.asked.get(key, usual)


ROWS: Mapping[str, Callable[[Wishes], Any]] = {
    "access": guards.access,
    "basic": guards.basic,
    "external": guards.external,
    "certified": guards.certified,
    "either": lambda wishes: wishes.asked.get("satisfy") == "any",
    "https": _https,
    "keep_slash": _plain("preserve-trailing-slash", False),
    "redirect": _redirect,
    "cors": _cors,
    "limits": throttling.limits,
    "rewrite": _rewrite,
    "prefix": _prefix,
    "request": lambda wishes: forwarding.changes(wishes, "request"),
    "response": lambda wishes: forwarding.changes(wishes, "response"),
    "affinity": affinity,
    "hash": hashing,
    "balance": balance,
    "warmup": _plain("warmup", 0.0),
    "fallback": _fallback,
    "errors": forwarding.errors,
    "member_header": lambda wishes: wishes.asked.get("cluster-by-header", (b"", False))[0],
    "member_strict": lambda wishes: wishes.asked.get("cluster-by-header", (b"", False))[1],
    "mode": lambda wishes: MODES[wishes.asked.get("canary-mode", "fedns")],
    "timeouts": forwarding.timeouts,
    "retry": forwarding.retry,
    "mirror": forwarding.mirror,
    "upstream": forwarding.upstream,
    "body_limit": _plain("proxy-body-size", -1),
    "buffer_request": _plain("proxy-request-buffering", False),
    "cookie_domains": _pairs("proxy-cookie-domain"),
    "cookie_paths": _pairs("proxy-cookie-path"),
    "moved": forwarding.moved,
    "logged": _plain("enable-access-log", True),
}
