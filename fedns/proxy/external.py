"""Who may pass is asked of somebody else, by a request of our own.

Law: 2xx lets pass, 401 and 403 refuse, and everything else (silence, refusal, nonsense) is a 500 and never a
pass. What the answer says goes on only under names that somebody asked for, and a client's own fields of
those names never do.
"""

from time import monotonic
from typing import NamedTuple

from fedns.gateway import variables
from fedns.gateway.head import Head
from fedns.gateway.options import External, Field, Upstream
from fedns.proxy import aside, framing, onward
from fedns.proxy.aside import Answer, Aside, Place

PATIENCE = 10.0
KEPT = 8192
"""Answers that are remembered."""
_SECURE = Upstream(protocol="https", sni=True, verify=True)
_OURS = frozenset(
    (b"x-original-url", b"x-original-method", b"x-sent-from", b"x-auth-request-redirect", b"host", b"expect")
)
_BODY = frozenset((b"content-length", b"transfer-encoding", b"connection", b"upgrade"))
_WITHOUT = _OURS | _BODY
_NEVER = framing.HOP | {b"host"}
_Key = tuple[bytes, External, bytes]
"""Whose location, what is asked there just now, and of which client."""
_UNKEPT = (b"no-store", b"no-cache", b"private")


class Verdict(NamedTuple):
    """`status` 0: it may pass, without the fields `removed` and with those `added`, and its answer has
    `cookies`. Else this is the answer."""

    status: int
    fields: tuple[Field, ...] = ()
    removed: frozenset[bytes] = frozenset()
    added: tuple[Field, ...] = ()
    cookies: tuple[bytes, ...] = ()


FAILED = Verdict(500)


class Externals:
    """One worker's."""

    def __init__(self, aside: Aside) -> None:
        self._aside = aside
        self._kept: dict[_Key, tuple[float, Answer]] = {}

    async def ask(self, asked: External, rule: bytes, head: Head, wire: bytes) -> Verdict:
        """`wire`: the head that the backend would get; `rule`: whose location it is."""
        key = (rule, asked, variables.fill(asked.cache_key, head)) if asked.cache_key else None
        answer = self._remembered(key) if key is not None else None
        if answer is None:
            try:
                answer = await self._ask(asked, head, wire)
            except (OSError, ValueError):
                return FAILED
            if key is not None:
                self._remember(key, asked, answer)
        return _verdict(asked, head, answer)

    async def _ask(self, asked: External, head: Head, wire: bytes) -> Answer:
        url = aside.url(variables.fill(asked.url, head))
        place = Place(asked.pool, url.host, url.port, _SECURE if url.secure else None)
        scheme, host = (b"https://" if head.secure else b"http://"), head.get(b"host") or head.host
        going = variables.fill(asked.redirect, head) if asked.redirect else head.target
        fields = [
            (b"host", url.authority),
            (b"x-original-url", scheme + host + head.target),
            (b"x-original-method", head.method),
            (b"x-sent-from", b"fedns"),
            (b"x-auth-request-redirect", going),
        ]
        line = b" ".join((asked.method or b"GET", url.target, b"HTTP/1.1"))
        return await self._aside.ask(place, onward.altered(wire, line, _WITHOUT, fields), PATIENCE)

    def _remembered(self, key: _Key) -> Answer | None:
        until, answer = self._kept.get(key, (0.0, None))
        return answer if monotonic() < until else None

    def _remember(self, key: _Key, asked: External, answer: Answer) -> None:
        spans = dict(asked.cache)
        seconds = spans.get(answer.status, spans.get(0, 0))
        said = b",".join(_values(answer, b"cache-control")).lower()
        if not seconds or any(each in said for each in _UNKEPT):
            return
        names = {b"www-authenticate", *asked.copied} - {b"set-cookie"}
        lines = [each for each in answer.lines if each.partition(b":")[0].lower() in names]
        self._kept.pop(key, None)
        while len(self._kept) >= KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = monotonic() + seconds, Answer(answer.status, lines)


def _verdict(asked: External, head: Head, answer: Answer) -> Verdict:
    cookies = tuple(_values(answer, b"set-cookie"))
    if 200 <= answer.status < 300:
        found = [(name, b", ".join(_values(answer, name))) for name in asked.copied]
        added = tuple((name, value) for name, value in found if value and name not in _NEVER)
        return Verdict(0, (), frozenset(asked.copied) - _NEVER, added, cookies)
    said = [(b"Set-Cookie", each) for each in cookies]
    if answer.status == 401 and asked.signin:
        return Verdict(302, ((b"Location", variables.fill(asked.signin, head)), *said))
    if answer.status not in (401, 403):
        return FAILED
    challenges = [(b"WWW-Authenticate", each) for each in _values(answer, b"www-authenticate")]
    return Verdict(answer.status, (*challenges, *(said if asked.cookie_always else ())))


def _values(answer: Answer, name: bytes) -> list[bytes]:
    pairs = framing.pairs(answer.lines)
    return [value for each, value in pairs if each.lower() == name]
