"""What was parsed of a request, before anything is done about it.

Law: whatever two readers could take for two things is a refusal here, so that nobody behind sees it.
"""

from fedns.gateway.normal import Rejected
from fedns.gateway.terms import Terms
from fedns.proxy import framing

_BARRED = frozenset((b"CONNECT", b"TRACE"))


class Request:
    """Filled in while it is parsed. `headers` are all fields, `lines` those that go on as they came, `marked`
    those that are looked at, and written anew if at all. `length` frames the body; `keep`: the client wants
    the connection to persist; `old`: HTTP/1.0; `websocket`: it asks for one; `refusal`: why nothing is done
    about it."""

    __slots__ = (
        "connections",
        "headers",
        "hosts",
        "keep",
        "length",
        "lines",
        "lookalike",
        "marked",
        "method",
        "old",
        "refusal",
        "target",
        "websocket",
    )

    def __init__(self) -> None:
        self.method = self.target = b""
        self.headers: list[framing.Field] = []
        self.lines: list[bytes] = []
        self.marked: list[framing.Field] = []
        self.hosts: list[bytes] = []
        self.connections: list[bytes] = []
        self.keep, self.old, self.websocket, self.lookalike = True, False, False, False
        self.length = framing.NO_BODY
        self.refusal: Rejected | None = None

    @property
    def bare(self) -> bool:
        """No body follows."""
        return self.length in (framing.NO_BODY, 0)

    def bounded(self, terms: Terms, octets: int) -> None:
        """Rejected where it is beyond a limit. `octets`: as many came with it at most."""
        if len(self.target) > terms.target:
            raise Rejected(414, "the target is too long")
        if len(self.headers) > terms.fields:
            raise Rejected(431, "too many header fields")
        if (
            octets > terms.head
            and sum(len(name) + len(value) + 4 for name, value in self.headers) > terms.head
        ):
            raise Rejected(431, "the head is too long")

    def read(self, version: str, upgrade: bool) -> None:
        """All fields are there. `upgrade`: llhttp sees another protocol asked for, and stops. Rejected where
        they say nothing, or two things; llhttp has refused what contradicts itself."""
        if version != "1.1":
            if version != "1.0":
                raise Rejected(505, "HTTP/1.1 is spoken here")
            self.old = True
        if self.method in _BARRED:
            raise Rejected(405, "the method is not for gateways")
        if self.lookalike:
            raise Rejected(400, "a field looks like one that only a gateway says")
        coding = None
        for name, value in self.marked:
            if name == b"host":
                self.hosts.append(value)
            elif name == b"content-length":
                self.length = int(value)
            elif name == b"connection":
                self.connections.append(value)
                if self.old and b"close" in value.lower():  # and to be kept, too
                    self.keep = False
            elif name == b"transfer-encoding":
                coding = value if coding is None else b"chunked, " + value
        if coding is not None:
            self._coded(coding.strip(b" \t").lower())
        if upgrade:
            self._upgraded()

    def _coded(self, coding: bytes) -> None:
        if self.old or (coding != b"chunked" and b"chunked" in coding):
            raise Rejected(400, "a transfer coding that is not just chunked")
        if coding != b"chunked":
            raise Rejected(501, "the one transfer coding known is chunked")
        self.length = framing.CHUNKED

    def _upgraded(self) -> None:
        if not self.bare:
            raise Rejected(400, "a body, and another protocol asked for")
        asked = self.value(b"upgrade").lower()
        self.websocket = self.method == b"GET" and not self.old and asked == framing.WEBSOCKET

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
