"""Wishes about the way to the backend and back: protocol, times, tries, copies, and what is changed on the
way.

Law: what a backend must not be asked twice is not asked twice unless somebody says so in words.
"""

import re
from typing import Any, cast

from fedns.gateway import options
from fedns.gateway.wishes import Refused, Wishes

_PROTOCOLS = {
    "HTTP": "http",
    "HTTPS": "https",
    "HTTP2": "h2c",
    "GRPC": "grpc",
    "GRPCS": "grpcs",
    "AUTO_HTTP": "auto",
}
_CONDITIONS = frozenset(("error", "timeout", "invalid_header", "non_idempotent", "updating", "denied", "off"))
_STATUS = re.compile(r"http_([45][0-9][0-9])")


def upstream(wishes: Wishes) -> options.Upstream:
    asked, name = wishes.asked, wishes.asked.get("proxy-ssl-secret")
    secret = b""
    if name is not None:
        found = wishes.own(name)
        secret = f"{found.namespace}/{found.name}".encode()
    verify = asked.get("proxy-ssl-verify", False)
    if verify and not secret:
        raise Refused("proxy-ssl-verify needs proxy-ssl-secret with ca.crt")
    return options.Upstream(
        protocol=cast(Any, _PROTOCOLS[asked.get("backend-protocol", "HTTP")]),
        vhost=asked.get("upstream-vhost", ()),
        old=asked.get("proxy-http-version") == "1.0",
        name=asked.get("proxy-ssl-name", "").encode(),
        sni=asked.get("proxy-ssl-server-name", False),
        verify=verify,
        secret=secret,
        connections=asked.get("connection-policy-tcp-max-connection", 0),
        per_endpoint=asked.get("connection-policy-tcp-max-connection-per-endpoint", 0),
        requests=asked.get("connection-policy-http-max-request-per-connection", 0),
    )


def timeouts(wishes: Wishes) -> options.Timeouts:
    asked, usual = wishes.asked, options.Timeouts()
    return options.Timeouts(
        asked.get("proxy-connect-timeout", usual.connect),
        asked.get("proxy-send-timeout", usual.send),
        asked.get("proxy-read-timeout", usual.read),
        asked.get("timeout", usual.whole),
    )


def retry(wishes: Wishes) -> options.Retry:
    asked, usual = wishes.asked, options.Retry()
    words = [each for each in re.split(r"[\s,|]+", asked.get("proxy-next-upstream", "")) if each]
    for each in words:
        if each not in _CONDITIONS and not _STATUS.fullmatch(each):
            wishes.problem(
                f"proxy-next-upstream: {each!r} is no condition", "error, timeout, http_503, off, ..."
            )
    tries = asked.get("proxy-next-upstream-tries", usual.tries)
    return options.Retry(
        tries=1 if "off" in words else tries,
        within=asked.get("proxy-next-upstream-timeout", usual.within),
        error=not words or "error" in words,
        timeout=not words or "timeout" in words,
        invalid="invalid_header" in words,
        statuses=tuple(int(found[1]) for found in map(_STATUS.fullmatch, words) if found),
        unsafe="non_idempotent" in words,
        leave=asked.get("retry-next-cluster", usual.leave),
    )


def mirror(wishes: Wishes) -> options.Mirror | None:
    asked = wishes.asked
    percent, body = asked.get("mirror-percentage", 100.0), asked.get("mirror-request-body", True)
    vhost = asked.get("mirror-host", ())
    if "mirror-target-service" in asked:
        return options.Mirror(
            wishes.service(asked.get("mirror-target-service")), vhost=vhost, percent=percent, body=body
        )
    if "mirror-target-fqdn" in asked:
        where = f"{asked.get('mirror-target-fqdn')}:{asked.get('mirror-target-fqdn-port', 80)}"
        url: options.Text = (("text", f"http://{where}".encode()),)
        return options.Mirror(wishes.local(where), url, (), vhost, percent, body)
    url = asked.get("mirror-target", ())
    if not url:
        return None
    if url[0][1][:1] == b"/":
        wishes.problem("mirror-target names no host", "https://copy.example.com$request_uri")
        return None
    return options.Mirror(wishes.service_at(url), url, _rest(url), vhost, percent, body)


def _rest(url: options.Text) -> options.Text:
    """What follows the host of a URL; empty: the request's own target."""
    (kind, text), others = url[0], url[1:]
    if kind != "text":
        return ()
    rest = text.partition(b"://")[2]
    at = rest.find(b"/")
    return (("text", rest[at:]), *others) if at >= 0 else others


def moved(wishes: Wishes) -> tuple[options.Field, ...]:
    """Beginnings of Location and Refresh to replace."""
    old, new = wishes.asked.get("proxy-redirect-from", b"off"), wishes.asked.get("proxy-redirect-to", b"off")
    return ((old, new),) if b"off" not in (old, new) and old != b"default" else ()


def changes(wishes: Wishes, side: str) -> options.Fields | None:
    """Header fields to change in the `request` or in the `response`."""
    asked, prefix = wishes.asked, f"{side}-header-control-"
    remove = tuple(name.lower() for name in asked.get(prefix + "remove", ()))
    made = options.Fields(remove, asked.get(prefix + "update", ()), asked.get(prefix + "add", ()))
    return made if made != options.Fields() else None


def errors(wishes: Wishes) -> options.Errors | None:
    """Answers to replace, and by whom."""
    statuses = wishes.asked.get("custom-http-errors", ())
    if not statuses:
        return None
    if "default-backend" not in wishes.asked:
        wishes.problem(
            "custom-http-errors does nothing without default-backend", "name a Service that answers"
        )
        return None
    return options.Errors(statuses, wishes.service(wishes.asked.get("default-backend")))
