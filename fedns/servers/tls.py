"""DNS over TLS (RFC 7858): the certificate in use, and the encrypted side of a TCP connection.

Law: nothing here waits. Whatever OpenSSL cannot do now is told as "not now", and which event it waits for.
A certificate is taken up when its files change; one that cannot be used changes nothing, and who is
connected keeps what the connection began with. Tickets are the context's own: a client resumes its
session at the worker that gave it.
"""

import contextlib
import logging
import os
import socket
import ssl
from typing import NamedTuple

from fedns import logs, stamps

ALPN = "dot"  # RFC 7858 section 8.1, the IANA registry's identification
RECORD = 1 << 14  # octets, the largest of TLS: reading so many leaves none in OpenSSL, unseen by epoll
_FLIGHTS = 4  # of a handshake, more than any takes
_NOT_NOW = (ssl.SSLWantReadError, ssl.SSLWantWriteError)

Stamp = tuple[stamps.Stamp, ...]

_log = logging.getLogger("fedns.tls")


class Channel:
    """One accepted connection. Its calls raise OSError where the connection is of no use any more."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.socket: socket.socket = sock
        self.shaken = False  # the handshake is over
        self.ended = False  # the client has said that nothing more comes
        self.wants_out = False  # the next step waits until the socket takes something
        self._tls = sock

    def receive(self, size: int) -> bytes | None:
        """What came, a whole record at least; empty at the end, None when nothing is there."""
        try:
            self.wants_out = False
            if not self.shaken:
                self._tls.do_handshake()
                self.shaken = True
            return self._rest(self._tls.recv(RECORD), size)
        except _NOT_NOW as error:
            self.wants_out = isinstance(error, ssl.SSLWantWriteError)
            return None

    def _rest(self, data: bytes, size: int) -> bytes:
        """With the records behind the first, since clients write one a query: up to about `size` octets."""
        more = data
        while more and len(data) < size:
            try:
                more = self._tls.recv(RECORD)
            except _NOT_NOW as error:
                self.wants_out = isinstance(error, ssl.SSLWantWriteError)
                return data
            data += more
        self.ended = not more
        return data

    def send(self, data: bytearray) -> int:
        """How much of `data` was taken. What was not must come again, at the front."""
        try:
            return self._tls.send(data)
        except _NOT_NOW:
            return 0

    def part(self) -> None:
        """Says that nothing more comes from us, and closes our half."""
        self._notify()
        self._tls.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._notify()
        self._tls.close()

    def _notify(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the peer's own word is not waited for
            self._tls.unwrap()


class Pair(NamedTuple):
    """A chain with its key as they were read: what a server shows, and a client that trusts it alone."""

    server: ssl.SSLContext
    client: ssl.SSLContext


class Certificate:
    """A certificate chain and its key, both PEM files, as they could last be used. `kept`: where a copy of
    the last good ones is, for a start while the files are bad; empty: nowhere."""

    def __init__(self, chain: str, key: str, kept: str = "") -> None:
        self._chain, self._key, self._kept = chain, key, kept
        self._seen: Stamp = ()
        self._pair: Pair | None = None
        if kept:
            with contextlib.suppress(OSError):
                self._pair = pair(kept, kept)
        self.look()

    def look(self) -> None:
        """Takes the files up if they changed and can be used. While clients take what is in use, what they
        would not take (it has expired) is no better than none."""
        seen = stamp(self._chain, self._key)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            fresh = pair(self._chain, self._key)
            doubt = doubtful(fresh)
        except OSError as error:
            self._leave(str(error))
            return
        if doubt and self._pair is not None and not doubtful(self._pair):
            self._leave(doubt)
            return
        self._pair = fresh
        _log.info("certificate taken up", extra=logs.fields(file=self._chain, doubt=doubt))
        if self._kept and not doubt:
            with contextlib.suppress(OSError):  # nothing is kept then
                _keep(self._chain, self._key, self._kept)

    def open(self, sock: socket.socket) -> Channel | None:
        """The encrypted side of an accepted connection; None where there is no certificate to show."""
        if self._pair is None:
            return None
        server = self._pair.server
        return Channel(server.wrap_socket(sock, server_side=True, do_handshake_on_connect=False))

    def _leave(self, why: str) -> None:
        so = "the last good one stays in use" if self._pair else "nobody is served over TLS"
        _log.error("the certificate cannot be used", extra=logs.fields(error=why, so=so))


def pair(chain: str, key: str) -> Pair:
    """OSError (which SSLError is) where the files cannot be used."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(chain)
    return Pair(context(chain, key), client)


def doubtful(shown: Pair) -> str:
    """Why a client that trusts the chain would not take it now (it has expired); empty where it would."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asker = shown.client.wrap_bio(back, there)
    sides = (asker, shown.server.wrap_bio(there, back, server_side=True))
    for _ in range(_FLIGHTS):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
    return ""


def _keep(chain: str, key: str, kept: str) -> None:
    """Copies both into one file, for nobody else to read, if they still go together."""
    data = b""
    for path in (chain, key):
        with open(path, "rb") as file:
            data += file.read() + b"\n"
    fresh = f"{kept}.{os.getpid()}"
    with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    try:
        context(fresh, fresh)
        os.replace(fresh, kept)
    except OSError:
        os.unlink(fresh)
        raise


def context(chain: str, key: str) -> ssl.SSLContext:
    """What a server shows and accepts. OSError (which SSLError is) where the files cannot be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    made.set_alpn_protocols([ALPN])
    made.load_cert_chain(chain, key, password=_no_password)
    return made


def stamp(*paths: str) -> Stamp:
    """What tells one content of these files from another."""
    return tuple(stamps.of(path) for path in paths)


def _no_password() -> str:
    """Nobody is there to be asked: an encrypted key is one that cannot be used."""
    return ""
