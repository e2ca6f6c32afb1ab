"""Wishes that guard a location: addresses, passwords, subrequests, certificates of clients.

Law: fail closed. What cannot be met raises Refused, and the location answers 503 to everybody.
"""

import re2

from fedns.gateway import options, route
from fedns.gateway.wishes import Refused, Wishes

_REMEMBERED = ((200, 300), (202, 300), (401, 300))
"""(status, seconds), as in ingress-nginx."""


def access(wishes: Wishes) -> options.Access | None:
    """The location's own lists; else those of its host."""
    asked = wishes.asked
    allow = (*asked.get("whitelist-source-range", ()), *asked.get("allowlist-source-range", ()))
    deny = asked.get("denylist-source-range") or asked.get("blacklist-source-range", ())
    return options.Access(deny, allow) if allow or deny else wishes.site.access


def domain(wishes: Wishes) -> options.Access | None:
    """Lists for all of the host."""
    allow = wishes.asked.get("domain-whitelist-source-range", ())
    deny = wishes.asked.get("domain-blacklist-source-range", ())
    return options.Access(deny, allow) if allow or deny else None


def basic(wishes: Wishes) -> options.Basic | None:
    """Users and hashed passwords from a Secret."""
    asked = wishes.asked
    if "auth-type" not in asked and "auth-secret" not in asked:
        return None
    if "auth-type" not in asked or "auth-secret" not in asked:
        raise Refused("auth-type and auth-secret go together")
    data = wishes.own(asked.get("auth-secret")).data
    if asked.get("auth-secret-type", "auth-file") == "auth-map":
        users = [(name.encode(), hashed.strip()) for name, hashed in data.items()]
    else:
        if "auth" not in data:
            raise Refused(f"secret {asked.get('auth-secret')} has no key auth")
        rows = [line.strip().partition(b":") for line in data["auth"].splitlines()]
        users = [(name, hashed) for name, colon, hashed in rows if colon and not name.startswith(b"#")]
    if not users:
        raise Refused(f"secret {asked.get('auth-secret')} has no user")
    return options.Basic(asked.get("auth-realm", b"Authentication Required"), tuple(users))


def external(wishes: Wishes) -> options.External | None:
    asked = wishes.asked
    url = asked.get("auth-url")
    if url is None:
        return None
    if url[0][1][:1] == b"/":
        raise Refused("auth-url names no host")
    return options.External(
        url=url,
        pool=wishes.service_at(url),
        method=asked.get("auth-method", "").encode(),
        signin=_signin(wishes),
        copied=tuple(name.lower() for name in asked.get("auth-response-headers", ())),
        redirect=asked.get("auth-request-redirect", ()),
        cache_key=asked.get("auth-cache-key", ()),
        cache=asked.get("auth-cache-duration", _REMEMBERED if "auth-cache-key" in asked else ()),
        cookie_always=asked.get("auth-always-set-cookie", False),
    )


def _signin(wishes: Wishes) -> options.Text:
    """The sign-in page, told where the client wanted to go unless it says so itself."""
    url: options.Text = wishes.asked.get("auth-signin", ())
    name = wishes.asked.get("auth-signin-redirect-param", b"rd")
    said = b"".join(text for kind, text in url if kind == "text")
    if not url or name + b"=" in said:
        return url
    mark = b"&" if b"?" in said else b"?"
    where = (("pass_access_scheme", b""), ("text", b"://"), ("http_host", b""), ("escaped_request_uri", b""))
    return (*url, ("text", mark + name + b"="), *where)


def certified(wishes: Wishes) -> bool:
    """Whether clients need certificates."""
    return clients(wishes, options.Tls()).verify == "on"


def clients(wishes: Wishes, tls: options.Tls) -> options.Tls:
    """How the host asks its clients for certificates."""
    asked = wishes.asked
    name = asked.get("auth-tls-secret")
    if name is None:
        return tls
    secret = wishes.own(name)
    if "ca.crt" not in secret.data:
        raise Refused(f"secret {secret.namespace}/{secret.name} has no key ca.crt")
    subject = asked.get("auth-tls-match-cn", "").encode()
    try:
        route.pattern(subject)
    except re2.error as bad:
        raise Refused("auth-tls-match-cn is no expression that RE2 reads, or too large") from bad
    return options.Tls(
        certificate=tls.certificate,
        least=tls.least,
        most=tls.most,
        ciphers=tls.ciphers,
        clients=f"{secret.namespace}/{secret.name}".encode(),
        verify=asked.get("auth-tls-verify-client", "on"),
        depth=asked.get("auth-tls-verify-depth", 1),
        subject=subject,
        page=asked.get("auth-tls-error-page", ()),
        forward=asked.get("auth-tls-pass-certificate-to-upstream", False),
    )
