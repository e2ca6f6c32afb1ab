"""The conversation with one API server: requests, streams of lines, what it serves.

Law: one pool of connections per cluster. Whatever goes wrong is a `Failure`; a 401 renews the credentials
once and asks again. A connection that went dead is noticed by the kernel's keepalive within half a minute.
"""

import asyncio
import contextlib
import email.utils
import os
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from fedns import connector
from fedns.kube import access, pulse
from fedns.kube.failure import ApiError, Failure, Unreachable
from fedns.kube.resource import Resource

CONNECT = 10.0
"""Seconds to connect and to shake hands."""
ANSWER = 60.0
"""Seconds without a byte of a reply; API servers end a request after a minute by themselves."""
LINE = 16 << 20
"""The longest event, octets. etcd holds objects of 1.5 MiB; what is longer is no event."""
AT_ONCE = 20
"""Lists in flight at start, over all clusters."""
KEEPALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
SYSTEM = "/api/v1/namespaces/kube-system"
"""Its UID is that of the cluster."""

Query = Mapping[str, str]
NOTHING: Query = {}


class _Status(Struct, gc=False):
    message: str = ""
    reason: str = ""
    code: int = 0


class _Named(Struct, gc=False):
    name: str


class _Resources(Struct, gc=False):
    resources: list[_Named] = []


class _Meta(Struct, gc=False):
    uid: str = ""


class _Object(Struct, gc=False):
    metadata: _Meta


class _Version(Struct, gc=False):
    gitVersion: str = ""


_status = msgspec.json.Decoder(_Status)
_resources = msgspec.json.Decoder(_Resources)
_version = msgspec.json.Decoder(_Version)
_object = msgspec.json.Decoder(_Object)


class Client:
    """One cluster's API server. `gate` is shared by all clients: who lists, waits for it. `streams`: whether
    the server takes lists as streams (WatchList), as far as is known."""

    def __init__(self, where: access.Where, gate: asyncio.Semaphore) -> None:
        self.where, self.gate = where, gate
        self.streams = True
        self.cluster: Callable[[], str] | None = None
        """Tells the UID of the cluster that it must be: asked before anything else, whenever what is known of
        where it is and who we are to it was read anew; None: any will do."""
        self._recognized: access.Access | None = None
        self._keeper = access.Keeper(where)
        self._session: aiohttp.ClientSession | None = None
        self._pulse = pulse.Pulse()

    async def get(self, path: str, query: Query = NOTHING, patience: float = ANSWER) -> bytes:
        """The body of a reply. Failure."""
        with _world():
            async with self.open("GET", path, query, patience) as response:
                return await response.read()

    async def send(self, method: str, path: str, body: bytes, kind: str, query: Query = NOTHING) -> bytes:
        """The reply to `body` of the content type `kind`. Failure."""
        with _world():
            more = {"data": body, "headers": {"Content-Type": kind}}
            async with self.open(method, path, query, ANSWER, more) as response:
                return await response.read()

    async def lines(self, path: str, query: Query, patience: float) -> AsyncGenerator[list[bytes], None]:
        """Whole lines as they come, as many at once as came (none: the stream is open); ends with the stream,
        Failure after `patience` seconds without a byte."""
        with _world():
            async with self.open("GET", path, query, patience) as response:
                yield []
                async for whole in _whole(response):
                    yield whole

    async def serves(self, resource: Resource) -> bool:
        """Whether the server knows the resource in this version. Failure."""
        try:
            found = decoded(_resources, await self.get(resource.root))
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return any(one.name == resource.plural for one in found.resources)

    async def version(self) -> str:
        """`v1.34.1`. Failure."""
        return str(decoded(_version, await self.get("/version")).gitVersion)

    async def ready(self, patience: float) -> None:
        """Failure, unless the server says that it is ready within `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                if not await self._beats():
                    await self.get(pulse.PATH)
        except TimeoutError:
            raise Unreachable(f"{pulse.PATH}: no answer within {patience:g} s") from None

    async def _beats(self) -> bool:
        with _world():
            found = await self._keeper.get()
            await self._recognize(found)
            return await self._pulse.beats(found)

    def renew(self) -> None:
        """The files with our credentials differ: they are read before the next request."""
        self._keeper.look()

    async def close(self) -> None:
        """No connection is left, whether or not the server still answers."""
        self._pulse.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    @contextlib.asynccontextmanager
    async def open(
        self, method: str, path: str, query: Query, patience: float, more: Mapping[str, Any] = NOTHING
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A reply that is no error, its body unread."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=patience)
        found = await self._keeper.get()
        await self._recognize(found)
        options = {"params": query, "timeout": limits, **more}
        response = await self._request(found, method, path, options)
        try:
            if response.status == 401 and (newer := await self._keeper.renewed(found)) is not found:
                response.release()
                await self._recognize(newer)
                response = await self._request(newer, method, path, options)
            if response.status >= 300:
                raise _error(response, await response.read())
            yield response
        finally:
            response.release()

    async def _recognize(self, found: access.Access) -> None:
        """Failure: it is not the cluster that it must be, or that cannot be told."""
        if self.cluster is None or found is self._recognized:
            return
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=ANSWER)
        response = await self._request(found, "GET", SYSTEM, {"timeout": limits})
        try:
            if response.status >= 300:
                raise _error(response, await response.read())
            uid = decoded(_object, await response.read()).metadata.uid
        finally:
            response.release()
        wanted = self.cluster()
        if uid != wanted:
            told = f"another cluster: kube-system has the UID {uid}, and had {wanted}"
            raise Unreachable(told if wanted else "which cluster this is is not known yet")
        self._recognized = found

    async def _request(
        self, found: access.Access, method: str, path: str, options: Mapping[str, Any]
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            ways = connector.Connector(socket_factory=_socket)
            self._session = aiohttp.ClientSession(
                connector=ways, headers={"User-Agent": access.AGENT}, read_bufsize=1 << 18, trust_env=False
            )
        headers = {**found.headers, **options.get("headers", {})}
        return await self._session.request(
            method,
            found.server + path,
            **{**options, "headers": headers},
            ssl=found.tls if found.tls is not None else True,
            server_hostname=found.server_name,
            proxy=found.proxy,
            allow_redirects=False,
        )


async def _whole(response: aiohttp.ClientResponse) -> AsyncGenerator[list[bytes], None]:
    rest = b""
    async for chunk in response.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE:
            raise Unreachable("an event without an end")
        if whole:
            yield whole


def decoded(decoder: Any, data: bytes | msgspec.Raw) -> Any:
    """What the server said; Unreachable where it is no such thing (a proxy's page, half an object)."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreachable(f"not what an API server says: {error}") from None


def refusal(data: bytes | msgspec.Raw) -> ApiError:
    """The error that a `Status` object tells."""
    told = decoded(_status, data)
    return ApiError(told.code or 500, told.reason, told.message)


def _error(response: aiohttp.ClientResponse, body: bytes) -> ApiError:
    try:
        told = _status.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        told = _Status(body[:200].decode("utf-8", "replace").strip(), response.reason or "")
    again = _seconds(response.headers.get("Retry-After", ""))
    return ApiError(response.status, told.reason or response.reason or "", told.message, again)


def _seconds(text: str) -> float:
    """`Retry-After`: seconds, or a date (RFC 9110 section 10.2.3)."""
    if text.isascii() and text.isdigit():
        return float(text[:6])
    with contextlib.suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    return 0.0


@contextlib.contextmanager
def _world() -> Iterator[None]:
    """Whatever the network does becomes Unreachable."""
    try:
        yield
    except Failure:
        raise
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unreachable(_told(error)) from error


def _told(error: Exception) -> str:
    """In words for people: aiohttp's name the TLS context by its address in memory."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{error.host}:{error.port}: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = error.os_error
        plain = (reason.errno or 0) > 0 and not isinstance(reason, ssl.SSLError)
        why = os.strerror(reason.errno or 0) if plain else reason.strerror or str(reason)
        return f"{error.host}:{error.port}: {why}"
    return " ".join(str(error).split()) or type(error).__name__


def _socket(address: Any) -> socket.socket:
    """A socket on which a silent death is noticed."""
    made = socket.socket(address[0], address[1], address[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE:
        if hasattr(socket, name):  # not on every system
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made
