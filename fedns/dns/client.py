"""Who asks, and the server that is asked, as far as an answer may depend on them.

Law: hot. The address is read only where something needs it: a ready answer costs nothing for it. `Server`
comes with the tables, so a worker takes new settings up as it takes new answers up.
"""

import json
from typing import Any, NamedTuple, Protocol

from fedns.dns import cookie, rate, signing


class Server(NamedTuple):
    """How this installation answers for itself. Empty texts are not told.

    `nsid` (RFC 5001) and `identity` (`id.server`, RFC 4892) name the instance, `version` the software;
    `idle` is how long a quiet connection lives, seconds (RFC 7828). `cookies`: hexadecimal secrets with
    blanks between; the first makes DNS cookies, all are accepted, without any there are no cookies.
    `proven`: who knows cookies is answered over UDP only with a good one (RFC 7873 section 5.2.3).
    `limits`: what one network is told per second over UDP.
    """

    nsid: str = ""
    identity: str = ""
    version: str = "fedns"
    idle: float = 10.0
    cookies: str = ""
    proven: bool = False
    limits: rate.Limits = rate.Limits()


READY = 50_000  # signed answers in one generation of the memory, about 40 MiB


class Spot(NamedTuple):
    """What a geographic database knows of an address: codes, the most specific first, latitude and longitude
    in degrees, and the length of the prefix around it that all this holds for."""

    codes: tuple[str, ...]
    position: tuple[float, float] | None
    length: int


class Geo(Protocol):
    """Geographic databases by their path."""

    def find(self, path: str, address: bytes, /) -> Spot: ...


class Host:
    """The one cell that a worker's clients share: the server's settings of now, the time (Unix seconds, about
    a second old), the cookies it has seen (None: it does without), and who signs its zones (by apex; empty:
    nobody). `geo` is its database of where addresses are."""

    __slots__ = ("_told", "geo", "jar", "now", "ready", "server", "signers")

    def __init__(self, server: Server, now: int = 0) -> None:
        self.server, self.now = server, now
        self.jar = _jar(server, now)
        self.geo: Geo | None = None
        self.signers: signing.Signers = {}
        self.ready = signing.Memory(READY)
        """Signed answers, kept by `sealed`."""
        self._told = b""

    def renew(self, server: Server, now: int, zones: bytes | None = None) -> None:
        """Takes up new settings, the time (Unix seconds), and what signs which zones (`signing.encode`).

        Called about once a second."""
        if server.cookies != self.server.cookies:
            self.jar = _jar(server, now)
        self.server, self.now = server, now
        if self.jar is not None:
            self.jar.tick(now)
        told = zones or b""
        if told != self._told:
            before, self.signers = self.signers, signing.renewed(self.signers, told)
            if before != self.signers:
                self.ready = signing.Memory(READY)
            self._told = told
        for signer in self.signers.values():
            signer.now = now


class Client:
    """One asker. `stream`: over TCP, where the address is proven and size is no matter. `member`: the one
    that it is inside of, as the listener knows it; empty: the address says."""

    __slots__ = ("host", "member")
    stream = False

    def __init__(self, host: Host, member: str = "") -> None:
        self.host, self.member = host, member

    def address(self) -> bytes:
        """The IP address as 4 or 16 octets; empty where nobody can tell."""
        return b""


def _jar(server: Server, now: int) -> cookie.Jar | None:
    secrets = [bytes.fromhex(secret) for secret in server.cookies.split()]
    return cookie.Jar(secrets, now) if secrets else None


NOBODY = Client(Host(Server()))


def encode(server: Server) -> bytes:
    return json.dumps({**server._asdict(), "limits": server.limits._asdict()}).encode()


def decode(data: bytes | None) -> Server:
    """What `encode` made, also by an older or newer version: fields that are not known are left out."""
    told: dict[str, Any] = json.loads(data) if data else {}
    if "limits" in told:
        told["limits"] = rate.limits(told["limits"])
    return Server(**{name: value for name, value in told.items() if name in Server._fields})
