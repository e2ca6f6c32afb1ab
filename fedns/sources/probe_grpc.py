"""The gRPC probe: `grpc.health.v1.Health/Check` over plain HTTP/2 (the gRPC health checking protocol).

Law: only SERVING is a success. The two messages have one field each and are written by hand:
request {1: service name}, response {1: status, SERVING = 1}.
"""

import asyncio

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from msgspec import Struct

from fedns.sources.probe import Result, Target

READ = 65536
"""Octets read at once."""
STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
SERVING = 1
ANSWER_LIMIT = 4096
"""Octets of an answer at most: a real one has seven."""


class Answer(Struct):
    """What came back so far."""

    headers: dict[bytes, bytes]
    body: bytes = b""
    complete: bool = False


async def check(target: Target) -> Result:
    """Ask for the health of `grpc_service` (empty: of the server)."""
    reader, writer = await asyncio.open_connection(*target.at)
    try:
        return _judge(await _ask(reader, writer, target))
    except h2.exceptions.ProtocolError as error:
        return Result(False, f"no HTTP/2: {error}")
    finally:
        writer.transport.abort()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> Answer:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    connection.initiate_connection()
    connection.send_headers(1, _headers(target))
    connection.send_data(1, _request(target.spec.grpc_service), end_stream=True)
    answer = Answer({})
    while not answer.complete:
        writer.write(connection.data_to_send())
        data = await reader.read(READ)
        if not data:
            break
        for event in connection.receive_data(data):
            _take(event, answer, connection)
    return answer


def _headers(target: Target) -> list[tuple[str, str]]:
    address, port = target.at
    host = f"[{address}]" if ":" in address else address
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", target.spec.host or f"{host}:{port}"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "fedns-probe"),
    ]


def _request(service: str) -> bytes:
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def _varint(value: int) -> bytes:
    octets = b""
    while value > 127:
        octets += bytes((value & 127 | 128,))
        value >>= 7
    return octets + bytes((value,))


def _take(event: h2.events.Event, answer: Answer, connection: h2.connection.H2Connection) -> None:
    if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
        answer.headers |= {bytes(name): bytes(value) for name, value in event.headers or ()}
    elif isinstance(event, h2.events.DataReceived):
        connection.acknowledge_received_data(event.flow_controlled_length or 0, 1)
        answer.body = (answer.body + (event.data or b""))[:ANSWER_LIMIT]
    elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset | h2.events.ConnectionTerminated):
        answer.complete = True


def _judge(answer: Answer) -> Result:
    code = answer.headers.get(b"grpc-status")
    if code is None:
        return Result(False, "no gRPC: the answer has no grpc-status")
    if code != b"0":
        text = answer.headers.get(b"grpc-message", b"").decode("ascii", "replace")[:80]
        return Result(False, f"gRPC status {code.decode('ascii', 'replace')[:8]} {text}".rstrip())
    status = _status(answer.body[5:])
    return Result(status == SERVING, f"gRPC {STATUSES.get(status, status)}")


def _status(message: bytes) -> int:
    """Field 1 of HealthCheckResponse; an absent field is 0 (proto3)."""
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0
