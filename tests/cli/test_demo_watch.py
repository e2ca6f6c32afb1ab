"""What clients of the demo meet, as `demo watch` shows it."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.message
import dns.rrset
from typer.testing import CliRunner

from fedns import values
from fedns.cli import codes, demo_watch, main


class Web(http.server.BaseHTTPRequestHandler):
    """Two members by turns; the second one fails."""

    protocol_version = "HTTP/1.1"
    count = 0

    def do_GET(self) -> None:
        Web.count += 1
        good = Web.count % 2
        body = b"hello from gce-asia-east1\n" if good else b"no\n"
        self.send_response(200 if good else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web() -> Iterator[values.Address]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield values.Address("127.0.0.1", server.server_port)
        server.shutdown()


@contextmanager
def names(*addresses: str) -> Iterator[values.Address]:
    """Answers each question with these addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            data, sender = server.recvfrom(512)
            asked = dns.message.from_wire(data)
            reply = dns.message.make_response(asked)
            reply.answer.append(dns.rrset.from_text(asked.question[0].name, 5, "IN", "A", *addresses))
            server.sendto(reply.to_wire(), sender)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield values.Address("127.0.0.1", server.getsockname()[1])
        thread.join(20.0)


def test_who_answers_by_both() -> None:
    with web() as gateway, names("127.0.0.11", "127.0.0.12", "192.0.2.1") as server:
        at, seen = next(demo_watch.changes(gateway, server, 20.0))
        assert seen.gateway == ("503", "gce-asia-east1")
        assert seen.dns == ("192.0.2.1", "gce-asia-east1", "gce-europe-west1")
        line = demo_watch.line(at, seen)
        assert "gateway: 503* asia-east1 " in line and "DNS: 192.0.2.1* asia-east1 europe-west1*" in line


def test_nobody_there_is_said_so() -> None:
    words = ["demo", "watch", "--dns", "127.0.0.1:1", "--port", "1", "--for", "0.1"]
    told = CliRunner().invoke(main.app, words)
    assert told.exit_code == 0 and "gateway: nothing answers" in told.output
    assert CliRunner().invoke(main.app, ["demo", "watch", "--dns", "here"]).exit_code == codes.USAGE
