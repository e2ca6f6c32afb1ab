"""A pod of the demo: what it asks goes on as from an address of the member."""

import socket
import threading
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from fedns import values
from fedns.cli import codes, demo_fleet, demo_pod, main

SITE = demo_fleet.site("gce-us-east1")


@pytest.fixture
def echo() -> Iterator[values.Address]:
    """Answers a datagram with itself and who sent it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))

        def serve() -> None:
            asked, who = one.recvfrom(512)
            one.sendto(asked + who[0].encode(), who)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield values.Address(*one.getsockname())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", one.getsockname())
        thread.join()


def test_a_question_comes_from_inside_the_member(echo: values.Address) -> None:
    inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inside.bind(("127.0.0.1", 0))
    with (
        demo_pod.relaying(inside, demo_pod.Onward(echo, SITE.guest)),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pod,
    ):
        pod.settimeout(20)
        pod.sendto(bytes(4), inside.getsockname())
        assert pod.recv(512) == b"\0\0\0\x80" + SITE.guest.encode(), "recursion is offered"


def test_who_is_inside_is_told_to_the_server() -> None:
    text = demo_fleet.files(demo_fleet.Ports())["fedns.yaml"]
    assert f"name: {SITE.member}, " in text
    assert f"clients: [{', '.join(SITE.clients)}]" in text


def test_the_same_question_by_hand() -> None:
    dns = values.Address("127.0.0.1", 5300)
    words = demo_pod.equivalent(SITE, dns, ["nslookup", "-type=aaaa", demo_fleet.SHORT])
    assert words[:5] == ["dig", "@127.0.0.1", "-p", "5300", "+subnet=10.13.0.99/32"]
    assert words[-1] == "nginx.mynamespace.myfederation.svc.cluster.local"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["mars-1a", "true"], codes.USAGE, "known: asia-east1-b, europe-west1-b, us-central1-b, us-east1-b"),
        (["us-east1-b", "no-such-command"], codes.USAGE, "no command 'no-such-command'"),
        (["--dns", "127.0.0.1:1", "us-east1-b", "true"], codes.UNREACHABLE, "no demo answers at 127.0.0.1:1"),
        (["--dns", "localhost", "us-east1-b", "true"], codes.USAGE, "'localhost' is not ADDRESS:PORT"),
    ],
)
def test_mistakes_are_explained(words: list[str], code: int, told: str) -> None:
    result = CliRunner().invoke(main.app, ["demo", "pod", *words])
    assert (result.exit_code, told in " ".join(result.stderr.split())) == (code, True), result.stderr
