"""Whether an API server says that it is ready: asked again and again, on a connection of its own, for little.

Law: only a plain yes counts. Whatever else comes, or does not, is for the ordinary way to tell, and this one
is left alone for a while. Who we are is as there; through a proxy nothing is asked here.
"""

import asyncio
import re
from urllib.parse import SplitResult, urlsplit

from fedns.kube import access

PATH = "/readyz"
SOON = 0.5
"""Seconds to connect and to shake hands; who takes longer is asked in the ordinary way."""
SHY = 60.0
"""Seconds for which it is left alone after anything but a yes."""
LONGEST = 1 << 16
"""Octets of a reply."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,5})(?:\r|$)", re.IGNORECASE)
_OTHERWISE = re.compile(rb"\r\n(?:transfer-encoding:|connection:[^\r]*close)", re.IGNORECASE)


class Pulse:
    """Of one API server."""

    def __init__(self) -> None:
        self._line: _Line | None = None
        self._access: access.Access | None = None
        self._shy = 0.0

    async def beats(self, found: access.Access) -> bool:
        """Whether it says so; False: that is not known. Cancelled, nothing of the question is left."""
        clock, good = asyncio.get_running_loop().time, False
        if clock() < self._shy:
            return False
        try:
            if self._line is None or self._line.over or found is not self._access:
                self.close()
                self._line, self._access = await _opened(found), found
            good = self._line is not None and await self._line.ask()
        finally:
            if not good:
                self.close()
        if not good:
            self._shy = clock() + SHY
        return good

    def close(self) -> None:
        """Cuts the connection."""
        if self._line is not None:
            self._line.cut()
        self._line = None


class _Line(asyncio.Protocol):
    """One connection. `over`: nothing can be asked there any more."""

    def __init__(self, question: bytes) -> None:
        self.over = False
        self._question, self._heard = question, b""
        self._transport: asyncio.Transport | None = None
        self._reply: asyncio.Future[bool] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # uvloop's have no class in common with it

    def connection_lost(self, _error: Exception | None) -> None:
        self.over = True
        self._tell(False)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if self._reply is None or len(self._heard) > LONGEST:
            self.cut()
            return
        head, end, body = self._heard.partition(b"\r\n\r\n")
        if not end:
            return
        length = _LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 200 ") or _OTHERWISE.search(head):
            self._tell(False)
        elif len(body) >= int(length[1]):
            self._tell(len(body) == int(length[1]))

    async def ask(self) -> bool:
        """Whether it said yes, and may be asked again."""
        assert self._transport is not None
        self._reply, self._heard = asyncio.get_running_loop().create_future(), b""
        self._transport.write(self._question)
        try:
            return await self._reply
        finally:
            self._reply = None

    def cut(self) -> None:
        self.over = True
        self._tell(False)
        if self._transport is not None:
            self._transport.abort()

    def _tell(self, good: bool) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(good)


async def _opened(found: access.Access) -> _Line | None:
    """None: it cannot be, or not soon."""
    try:
        url = urlsplit(found.server)
        question = _question(url, found)
        if question is None:
            return None
        host = url.hostname or ""
        port = url.port or (80 if found.tls is None else 443)
        name = None if found.tls is None else found.server_name or host.rstrip(".")
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SOON):
            _, line = await loop.create_connection(
                lambda: _Line(question), host, port, ssl=found.tls, server_hostname=name
            )
    except (OSError, ValueError):
        return None
    return line


def _question(url: SplitResult, found: access.Access) -> bytes | None:
    """The request; None: it is one for the ordinary way."""
    fits = url.scheme == ("http" if found.tls is None else "https") and url.hostname
    if found.proxy or not fits or "@" in url.netloc or url.query:
        return None
    told = {"Host": url.netloc, "User-Agent": access.AGENT, "Accept": "*/*", **found.headers}
    path = url.path.rstrip("/") + PATH
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in told.items())]
    plain = all(line.isascii() and line.isprintable() for line in lines)
    return "\r\n".join([*lines, "", ""]).encode() if plain else None
