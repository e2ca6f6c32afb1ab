"""Fields of an answer, as annotations want them.

Law: pure; only answers of locations that ask for something come here. What the backend said is translated
first, then changed, then what is ours is set.
"""

from typing import NamedTuple

from fedns.gateway import affinity, cors, fields
from fedns.gateway.decide import Decision
from fedns.gateway.head import Head
from fedns.gateway.options import Affinity, Options
from fedns.gateway.route import Endpoint
from fedns.proxy.framing import Field

_MOVED = frozenset((b"location", b"refresh"))


class Way(NamedTuple):
    """How the request went. `failed`: others were tried before; `now` is in Unix seconds."""

    decision: Decision
    head: Head
    endpoint: Endpoint
    failed: bool
    now: float


def answer(headers: list[Field], options: Options, way: Way) -> list[Field]:
    """The backend's fields as the client gets them."""
    if options.cookie_domains or options.cookie_paths or options.moved:
        headers = [(name, _translated(name.lower(), value, options)) for name, value in headers]
    if options.response is not None:
        headers = fields.changed(options.response, headers)
    if options.cors is not None:
        said = cors.fields(options.cors, way.head)
        headers = fields.put(said, headers) if said else headers
    if options.affinity is not None:
        cookie = _cookie(options.affinity, way)
        headers = [*headers, (b"Set-Cookie", cookie)] if cookie else headers
    return headers


def _translated(name: bytes, value: bytes, options: Options) -> bytes:
    if name == b"set-cookie":
        return fields.recookied(value, options.cookie_domains, options.cookie_paths)
    return fields.moved(value, options.moved) if name in _MOVED else value


def _cookie(asked: Affinity, way: Way) -> bytes:
    """Where the client is to come back to; empty where it knows already."""
    decision, want = way.decision, way.decision.want
    if want is None or not decision.tag or decision.location is None:
        return b""
    key = way.endpoint.tag if want.persistent else want.session
    known, tag = affinity.bound(asked, way.head)
    if (known, tag) == (key, decision.tag) and not (way.failed and asked.change_on_failure):
        return b""
    path = decision.location.path if not decision.location.pattern else b"/"
    return affinity.cookie(asked, (key, decision.tag), path, way.head, way.now)


def route(way: Way, tries: int) -> bytes:
    """Which way it went, for a client that may know."""
    decision, end = way.decision, way.endpoint
    rule = decision.location.rule if decision.location is not None else b""
    canary = decision.canary.rule if decision.canary is not None else b""
    where = f"member={end.member};endpoint={end.address}:{end.port};try={tries}".encode()
    return b";".join((b"rule=" + rule, *((b"canary=" + canary,) if canary else ()), where))
