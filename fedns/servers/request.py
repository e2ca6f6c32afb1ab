"""What was parsed of a request, before anything is done about it.

Law: whatever two readers could take for two things is a refusal here, so that nobody behind sees it.
"""

from fedns.gateway.normal import Rejected
from fedns.servers import framing

_BARRED = frozenset((b"CONNECT", b"TRACE"))


class Request:
    """`length` frames the body; `keep`: the client wants the connection to persist; `old`: HTTP/1.0;
    `websocket`: it asks for one; `refusal`: why nothing is done about it. `lines` and `marked` as framing
    sorts them."""

    __slots__ = (
        "headers",
        "keep",
        "length",
        "lines",
        "marked",
        "method",
        "old",
        "refusal",
        "target",
        "websocket",
    )

    def __init__(self, method: bytes, target: bytes, headers: list[framing.Field]) -> None:
        self.method, self.target, self.headers = method, target, headers
        self.keep, self.old, self.websocket = True, False, False
        self.length = framing.NO_BODY
        self.lines: list[bytes] = []
        self.marked: list[framing.Field] = []
        self.refusal: Rejected | None = None

    @property
    def bare(self) -> bool:
        """No body follows."""
        return self.length in (framing.NO_BODY, 0)

    def read(self, version: str, upgrade: bool) -> None:
        """Takes the fields apart. `upgrade`: llhttp sees another protocol asked for, and stops."""
        if version not in ("1.1", "1.0"):
            raise Rejected(505, "HTTP/1.1 is spoken here")
        self.old = old = version == "1.0"
        if self.method in _BARRED:
            raise Rejected(405, "the method is not for gateways")
        self.lines, self.marked = framing.sort(self.headers)
        self.length = framing.length(self.marked, old)
        if upgrade:
            if not self.bare:
                raise Rejected(400, "a body, and another protocol asked for")
            asked = self.value(b"upgrade")
            self.websocket = self.method == b"GET" and not old and asked.lower() == framing.WEBSOCKET

    def value(self, name: bytes) -> bytes:
        """The first marked field of this name; empty where there is none."""
        for each, value in self.marked:
            if each == name:
                return value
        return b""

    def expectation(self) -> bytes:
        """The line to send on. Rejected where nobody knows what is expected."""
        asked = self.value(b"expect")
        if not asked or self.old or self.bare:
            return b""
        if asked.lower() != b"100-continue":
            raise Rejected(417, "100-continue is all that can be expected")
        return b"expect: 100-continue"

    def kept_back(self) -> frozenset[bytes]:
        """Names of fields that Connection keeps on the connection."""
        values = [value for name, value in self.marked if name == b"connection"]
        return framing.nominated(values) if values else frozenset()
