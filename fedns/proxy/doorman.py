"""Connections that have something to say before HTTP: a PROXY header, a ClientHello.

Law: what is said is looked at where it lies, so that TLS gets all of it; who says nothing good in time, or
comes in crowds, is shown out. The name in the ClientHello chooses the whole context: certificate, versions
and what is asked of clients.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable

from fedns.gateway.options import Tls
from fedns.proxy import hello
from fedns.proxy.braid import Braid
from fedns.proxy.hall import Hall
from fedns.proxy.identity import Peer
from fedns.proxy.inbound import Inbound
from fedns.proxy.seals import Seals

AT_ONCE = 64  # connections accepted in a row
GUESTS = 2000  # at the door at once, per worker
AGAIN = 0.01  # seconds until an incomplete greeting is looked at again
HTTPS = 443  # a client that came to this port of a proxy came over TLS, as for ingress-nginx
UNNAMED = b"\x15\x03\x03\x00\x02\x02\x70"
"""A fatal alert: unrecognized_name (RFC 6066 section 3)."""

Greeting = Callable[[bytes], object]


class Doorman:
    """At one listener of a worker."""

    def __init__(self, hall: Hall, seals: Seals, listener: socket.socket, secure: bool) -> None:
        self._hall, self._seals, self._listener, self._secure = hall, seals, listener, secure
        self._guests: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._port: int = listener.getsockname()[1]
        listener.setblocking(False)
        hall.loop.add_reader(listener.fileno(), self._accept)

    def close(self) -> None:
        """Nobody new."""
        self._hall.loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for task in self._tasks:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # it was gone before, or there are no descriptors left
                self._hall.tally.count("accept_failed")
                return
            host = address[0].partition("%")[0]
            bound = self._hall.terms.per_client
            if len(self._tasks) >= GUESTS or 0 < bound <= self._guests[host]:
                self._hall.tally.count("crowded_door")
                sock.close()
                continue
            sock.setblocking(False)
            self._guests[host] += 1
            task = self._hall.loop.create_task(self._visit(sock, host, self._named(sock)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _named(self, sock: socket.socket) -> str | None:
        """The name that was asked for already, as by most: their handshake is all there is to wait for."""
        if not self._secure or self._hall.terms.proxied:
            return None
        try:
            return hello.server_name(sock.recv(hello.MAX_HELLO, socket.MSG_PEEK))
        except (OSError, hello.Broken):
            return None

    async def _visit(self, sock: socket.socket, host: str, name: str | None) -> None:
        try:
            if name is None:
                async with asyncio.timeout(self._hall.terms.head_time):
                    await self._introduce(sock, host)
            else:
                await self._show(sock, Peer(host, self._port, True), name)
        except (OSError, hello.Broken, ssl.SSLError):
            self._hall.tally.count("tls_failed" if self._secure else "proxy_failed")
            sock.close()
        except asyncio.CancelledError:
            sock.close()
            raise
        finally:
            self._guests[host] -= 1
            if not self._guests[host]:
                del self._guests[host]

    async def _introduce(self, sock: socket.socket, host: str) -> None:
        port, secure = self._port, self._secure
        if self._hall.terms.proxied:
            found = await self._proxied(sock)
            if found.address:
                host, port = found.address, found.port
                secure = secure or port == HTTPS
        peer = Peer(host, port, secure)
        if not self._secure:
            await self._hall.loop.connect_accepted_socket(lambda: Inbound(self._hall, peer), sock)
            return
        await self._show(sock, peer, str(await self._hears(sock, hello.server_name)))

    async def _show(self, sock: socket.socket, peer: Peer, name: str) -> None:
        """What is for this name."""
        hall, seal = self._hall, self._seals.toward_client(name)
        if seal is None:
            hall.tally.count("tls_unnamed")
            sock.send(UNNAMED)
            sock.close()
            return
        asked, patience = seal.asked, hall.terms.head_time
        await hall.loop.connect_accepted_socket(
            lambda: Shaken(hall, peer, asked), sock, ssl=seal.context, ssl_handshake_timeout=patience
        )

    async def _proxied(self, sock: socket.socket) -> hello.Proxied:
        """Takes the header away."""
        found = await self._hears(sock, hello.proxied)
        assert isinstance(found, hello.Proxied)
        sock.recv(found.size)
        return found

    async def _hears(self, sock: socket.socket, greeting: Greeting) -> object:
        """What is said, once it is whole. EOFError's kin, OSError, when the peer has gone."""
        while True:
            try:
                data = sock.recv(hello.MAX_HELLO, socket.MSG_PEEK)
            except BlockingIOError:
                await _readable(self._hall.loop, sock)
                continue
            if not data:
                raise ConnectionResetError
            said = greeting(data)
            if said is not None:
                return said
            if len(data) >= hello.MAX_HELLO:
                raise hello.Broken("too long")
            await asyncio.sleep(AGAIN)


class Shaken(asyncio.Protocol):
    """A client after its handshake: which HTTP it speaks was agreed on there (RFC 7301)."""

    def __init__(self, hall: Hall, peer: Peer, asked: Tls) -> None:
        self._about = hall, peer, asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        made = Braid(*self._about) if chosen == "h2" else Inbound(*self._about)
        transport.set_protocol(made)
        made.connection_made(transport)


async def _readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    ready = asyncio.Event()
    loop.add_reader(sock.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock.fileno())
