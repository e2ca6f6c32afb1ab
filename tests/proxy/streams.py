"""A client of HTTP/2 that does what it is told, by another library than the gateway's."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
from h2.connection import ConnectionState

from tests.proxy.backends import LONG

Fields = list[tuple[bytes, bytes]]
GET: Fields = [
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":authority", b"shop.example.com"),
    (b":path", b"/"),
]
POST: Fields = [(b":method", b"POST"), *GET[1:]]


@dataclass
class Answer:
    """What came back on a stream; `reset`: the code it was reset with."""

    fields: Fields = field(default_factory=list)
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    interim: list[Fields] = field(default_factory=list)
    reset: int | None = None
    over: bool = False

    def value(self, name: bytes) -> bytes:
        return dict(self.fields).get(name, b"")

    @property
    def status(self) -> int:
        return int(self.value(b":status") or 0)


class Client:
    """One connection. `away`: the code of the GOAWAY that came; `greedy`: windows are opened at once."""

    def __init__(self, sock: socket.socket, greedy: bool = True) -> None:
        self.sock, self.greedy = sock, greedy
        lax = {f"{what}_outbound_headers": False for what in ("validate", "normalize")}
        config = h2.config.H2Configuration(header_encoding=None, **lax)  # type: ignore[arg-type]
        self.wire = h2.connection.H2Connection(config)
        self.wire.initiate_connection()
        self.answers: dict[int, Answer] = {}
        self.away: int | None = None
        self.ended, self.pong = False, b""
        self.flush()

    def flush(self) -> None:
        self.sock.sendall(self.wire.data_to_send())

    def ask(
        self,
        fields: Sequence[tuple[bytes, bytes]] = GET,
        body: bytes | None = None,
        end: bool = True,
        flush: bool = True,
    ) -> int:
        """Begins a request. Its stream."""
        number = self.wire.get_next_available_stream_id()
        self.answers[number] = Answer()
        self.wire.send_headers(number, fields, end_stream=end and body is None)
        if body is not None:
            self.wire.send_data(number, body, end_stream=end)
        if flush:
            self.flush()
        return number

    def hear(self) -> None:
        """Takes what comes next. EOFError at the end."""
        data = self.sock.recv(65536)
        if not data:
            self.ended = True
            raise EOFError
        for event in self.wire.receive_data(data):
            self._happened(event)
        self.flush()

    def _happened(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.away = int(event.error_code or 0)
            self.wire.state_machine.state = ConnectionState.CLIENT_OPEN  # its streams go on; h2 thinks not
            return
        if isinstance(event, h2.events.PingAckReceived):
            self.pong = event.ping_data or b""
        answer = self.answers.get(getattr(event, "stream_id", None) or 0)
        if answer is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            answer.fields = list(event.headers or ())
        elif isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(list(event.headers or ()))
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = list(event.headers or ())
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data or b""
            if self.greedy and event.flow_controlled_length:
                self.wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id or 0)
        elif isinstance(event, h2.events.StreamReset):
            answer.reset, answer.over = int(event.error_code or 0), True
        elif isinstance(event, h2.events.StreamEnded):
            answer.over = True

    def answer(self, number: int) -> Answer:
        """The whole of it."""
        while not self.answers[number].over:
            self.hear()
        return self.answers[number]

    def get(self, fields: Sequence[tuple[bytes, bytes]] = GET, body: bytes | None = None) -> Answer:
        return self.answer(self.ask(fields, body))

    def rest(self) -> None:
        """Until the gateway ends it."""
        try:
            while True:
                self.hear()
        except (EOFError, ConnectionResetError):
            self.ended = True


@contextmanager
def client(port: int, context: ssl.SSLContext | None = None, greedy: bool = True) -> Iterator[Client]:
    """To the gateway at this port; over TLS where there is a context."""
    with socket.create_connection(("127.0.0.1", port), LONG) as plain:
        if context is None:
            yield Client(plain, greedy)
            return
        with context.wrap_socket(plain, server_hostname="shop.example.com") as sock:
            assert sock.selected_alpn_protocol() == "h2"
            yield Client(sock, greedy)
