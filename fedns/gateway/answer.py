"""Answers that need no backend: refusals, redirects, preflights.

Law: an address that is refused learns nothing else. After it the order is ingress-nginx's: the root of the
host, a preflight, a redirect of the location, and only then https.
"""

from typing import NamedTuple

from fedns.gateway import access, cors, variables
from fedns.gateway.head import Head
from fedns.gateway.options import Field, Options
from fedns.gateway.route import Host

REDIRECT = 308  # for https and www, as ingress-nginx does by default


class Answer(NamedTuple):
    """A whole answer; its body may say what the status means."""

    status: int
    fields: tuple[Field, ...] = ()
    why: str = ""


def host(asked: Host, head: Head) -> Answer | None:
    """What the host answers whatever the location."""
    scheme = b"https://" if head.secure else b"http://"
    name = head.get(b"host") or head.host
    if asked.elsewhere:
        _, colon, port = name.rpartition(b":")
        port = colon + port if colon and port.isdigit() and not name.endswith(b"]") else b""
        return _to(REDIRECT, scheme + asked.elsewhere + port + _bare(head.target), "from or to www")
    if asked.root and head.path == b"/":
        return _to(302, scheme + name + asked.root, "app-root")
    return None


def local(options: Options, head: Head) -> Answer | None:
    """What the location answers without a backend."""
    if options.refused:
        return Answer(503, (), options.refused.decode())
    refused = options.access is not None and not access.allowed(options.access, head.client)
    if refused and not (options.either and _authenticates(options)):
        return Answer(403, (), "the client's address is refused")
    if options.cors is not None and head.method == b"OPTIONS":
        said = cors.preflight(options.cors, head)
        if said:
            return Answer(204, said, "cors preflight")
    if options.redirect is not None:
        return _to(options.redirect.code, variables.fill(options.redirect.url, head), "redirect")
    if options.https and not head.secure and head.host:
        target = head.target if options.keep_slash else _bare(head.target)
        return _to(REDIRECT, b"https://" + (_portless(head.outside) or head.host) + target, "https")
    return None


def guarded(options: Options, head: Head) -> bool:
    """Whether credentials are to be asked for; where either is enough, an allowed address needs none."""
    if not _authenticates(options):
        return False
    if not options.either or options.access is None:
        return True
    return not access.allowed(options.access, head.client)


def _authenticates(options: Options) -> bool:
    return options.basic is not None or options.external is not None


def _portless(host: bytes) -> bytes:
    name, colon, port = host.rpartition(b":")
    return name if colon and port.isdigit() else host


def _bare(target: bytes) -> bytes:
    """Without a final slash, as ingress-nginx redirects."""
    return target[:-1] if target.endswith(b"/") else target


def _to(status: int, url: bytes, why: str) -> Answer:
    return Answer(status, ((b"Location", url),), why)
