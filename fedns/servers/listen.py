"""The sockets we serve from, opened by the supervisor and inherited by the workers.

Law: per address one UDP socket for each worker (SO_REUSEPORT: the kernel spreads clients over them) and
one TCP listener for all; DNS over TLS has a listener of its own, the gateway one for each worker.
SO_REUSEPORT would also let a second fedns share the port in silence, so it is first tried without it.
"""

import contextlib
import socket
from dataclasses import dataclass

from fedns.errors import FednsError

RECEIVE_BUFFER = 8 << 20  # octets; a worker's successor starts within 0.3 s, 20,000 queries/s wait meanwhile
BACKLOG = 1024
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h; for the privileged, beyond net.core.rmem_max
_MTU_DISCOVER = {socket.AF_INET: (socket.IPPROTO_IP, 10), socket.AF_INET6: (socket.IPPROTO_IPV6, 23)}
_PROBE = 3  # IP_PMTUDISC_PROBE of linux/in.h, as those option numbers
_ATTEMPTS = 20  # for port 0: the port that TCP got may be taken for UDP


class ListenError(FednsError):
    """An address cannot be served from."""


@dataclass(frozen=True)
class Address:
    """One open address; `udp` has one socket per worker."""

    address: tuple[str, int]
    udp: tuple[socket.socket, ...]
    tcp: socket.socket

    def close(self) -> None:
        for sock in (*self.udp, self.tcp):
            sock.close()


def open_address(address: tuple[str, int], workers: int) -> Address:
    """Opens `address` for so many workers; port 0 finds one that is free for both. Raises ListenError."""
    host, port = address
    for attempt in range(_ATTEMPTS):
        try:
            return _open(host, port, workers)
        except OSError as error:
            if port or attempt == _ATTEMPTS - 1:
                raise ListenError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    raise AssertionError("unreachable")


def open_stream(address: tuple[str, int]) -> Address:
    """Opens `address` for connections alone. Raises ListenError."""
    host, port = address
    try:
        tcp = _tcp(_family(host), address)
    except OSError as error:
        raise ListenError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return Address((host, tcp.getsockname()[1]), (), tcp)


@dataclass(frozen=True)
class Shared:
    """One open address with a listener per worker: the kernel spreads connections over them."""

    address: tuple[str, int]
    each: tuple[socket.socket, ...]

    def close(self) -> None:
        for sock in self.each:
            sock.close()


def open_shared(address: tuple[str, int], workers: int) -> Shared:
    """Opens `address` for connections, once for each worker. Raises ListenError."""
    host, port = address
    family = _family(host)
    with contextlib.ExitStack() as undo:
        try:
            with _tcp(family, address) as trial:
                bound = (host, trial.getsockname()[1])
            socks = tuple(undo.enter_context(_tcp(family, bound, shared=True)) for _ in range(workers))
        except OSError as error:
            raise ListenError(f"cannot listen on {host} port {port}: {error.strerror}") from error
        undo.pop_all()
    return Shared(bound, socks)


def _open(host: str, port: int, workers: int) -> Address:
    family = _family(host)
    with contextlib.ExitStack() as undo:
        tcp = undo.enter_context(_tcp(family, (host, port)))
        bound = (host, tcp.getsockname()[1])
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            _only_v6(trial)
            trial.bind(bound)
        udp = tuple(undo.enter_context(_udp(family, bound)) for _ in range(workers))
        undo.pop_all()
    return Address(bound, udp, tcp)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _tcp(family: int, bound: tuple[str, int], shared: bool = False) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _only_v6(sock)
        sock.bind(bound)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _udp(family: int, bound: tuple[str, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        _only_v6(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _deepen(sock)
        _never_split(sock)
        sock.bind(bound)
    except OSError:
        sock.close()
        raise
    return sock


def _deepen(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


def _never_split(sock: socket.socket) -> None:
    """Replies carry DF (RFC 9715 section 3), and forged ICMP has no say in how large they may be."""
    with contextlib.suppress(OSError):  # elsewhere than on Linux
        sock.setsockopt(*_MTU_DISCOVER[sock.family], _PROBE)


def _only_v6(sock: socket.socket) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
