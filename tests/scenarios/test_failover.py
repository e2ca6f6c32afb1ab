"""Failover as clients see it: real processes, members that die, hang and are drained under requests."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

import pytest

from tests.bench import crowd, herd, serving
from tests.scenarios import shops, world

EAST, WEST = ("127.1.1.1", "127.1.1.2", "127.1.1.3"), ("127.1.2.1", "127.1.2.2", "127.1.2.3")
EASTERN = ("east-1", "east-2", "east-3")
RATE, CONNECTIONS = 200, 16
TRIES = "fedns_gateway_tries_total"
ASK = b"GET %b HTTP/1.1\r\nHost: shop.example.com\r\n%b\r\n"
DOWNLOAD = ASK % (b"/download", b"Connection: close\r\n")
WEBSOCKET = ASK % (
    b"/",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
)


class Stage:
    """A fleet of two members under `fedns serve`, with all replicas up."""

    def __init__(self, fleet: shops.Shops, served: shops.Served, herds: dict[str, herd.Herd]) -> None:
        self.fleet, self.served, self.herds = fleet, served, herds
        self.whole()

    def whole(self) -> None:
        """All as it was at first."""
        for each in self.herds.values():
            if each.process is None:
                each.start()
        self.fleet.serves("east", EAST)
        self.fleet.serves("west", WEST)
        self.served.agrees("east", "west")

    def sees(self, requests: int) -> None:
        """Until so many more have come."""
        before = self.served.metric(TRIES)
        world.until(lambda: self.served.metric(TRIES) > before + requests, "requests")

    def asking(self, seconds: float, target: str = "/") -> AbstractContextManager[crowd.Running]:
        return crowd.asking(self.served.http, shops.HOST, RATE, CONNECTIONS, seconds, target=target)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    port = serving.free_port()
    fleet = shops.Shops(tmp_path_factory.mktemp("failover"), ("east", "west"), port)
    fleet.routes("shop")
    with herd.running(port, east=EAST, west=WEST) as herds, shops.serve(fleet) as served:
        yield Stage(fleet, served, herds)


def test_a_member_that_cannot_be_reached_leaves_dns_too(stage: Stage) -> None:
    stage.whole()
    stage.herds["west"].kill()  # no probe, and readiness stays as it was
    assert stage.served.members(50) == {"east": 50}
    stage.served.agrees("east")
    shown = stage.served.explained()
    assert "cannot reach 3 of 3 endpoints" in shown
    stage.herds["west"].start()
    stage.served.agrees("east", "west")  # seen without a request of anybody


def test_no_request_fails_while_a_member_is_drained_and_comes_back(stage: Stage) -> None:
    stage.whole()
    with stage.asking(5) as clients:
        assert stage.served.fedns("drain", "west", "--reason", "maintenance").returncode == 0
        stage.served.agrees("east")
        drained = time.monotonic()
        outcomes = clients.outcomes()
    assert stage.served.fedns("undrain", "west").returncode == 0
    stage.served.agrees("east", "west")
    assert [each for each in outcomes if not each.good] == []
    assert {each.member for each in outcomes if each.begun > drained} == {"east"}


def test_no_request_fails_when_endpoints_change(stage: Stage) -> None:
    stage.whole()
    with stage.asking(4) as clients:
        stage.fleet.serves("west", WEST[:1])
        world.until(lambda: set(stage.served.who(30)) == {*EASTERN, "west-1"}, "one replica in the west")
        stage.fleet.serves("west", WEST[1:])
        world.until(lambda: set(stage.served.who(30)) == {*EASTERN, "west-2", "west-3"}, "the other two")
        outcomes = clients.outcomes()
    assert [each for each in outcomes if not each.good] == []


def test_no_request_fails_when_all_backends_of_a_member_die_at_once(stage: Stage) -> None:
    stage.whole()
    with stage.asking(4, "/slow") as clients:
        stage.sees(100)
        stage.herds["west"].kill()
        killed = time.monotonic()
        outcomes = clients.outcomes()
    assert [each for each in outcomes if not each.good] == []
    after = [each for each in outcomes if each.begun > killed]
    assert after and {each.member for each in after} == {"east"}


def test_members_that_keep_silent_are_waited_for_once_and_left_alone(stage: Stage) -> None:
    stage.whole()
    stage.fleet.routes("shop", proxy_read_timeout="1")
    with stage.asking(6) as clients:
        stage.sees(100)
        stage.herds["west"].signal(signal.SIGSTOP)
        outcomes = clients.outcomes()
        stage.herds["west"].signal(signal.SIGCONT)
    stage.fleet.routes("shop")
    stage.fleet.serves("west", (), WEST)
    stage.served.agrees("east")  # and what was seen is forgotten when they are ready again
    assert [each for each in outcomes if not each.good] == []
    late = [each for each in outcomes if each.ended - each.begun > 0.9]
    assert 0 < len(late) < len(outcomes) / 4


def test_one_replica_of_three_that_dies_leaves_alone(stage: Stage) -> None:
    stage.whole()
    with herd.running(stage.fleet.port, lone=("127.1.3.1",)) as others:
        stage.fleet.serves("west", (*WEST[:2], "127.1.3.1"))
        world.until(lambda: "lone-1" in stage.served.who(30), "the third replica")
        others["lone"].kill()
        assert set(stage.served.who(60)) == {*EASTERN, "west-1", "west-2"}
        world.until(lambda: "cannot reach 1 of 3" in stage.served.explained(), "told")
    stage.served.agrees("east", "west")


def test_a_change_of_configuration_cuts_nothing_that_is_open(stage: Stage) -> None:
    stage.whole()
    port = stage.served.http
    sockets = [opened(port, WEBSOCKET) for _ in range(20)]
    downloads = [opened(port, DOWNLOAD) for _ in range(10)]
    for each in sockets:
        assert each.readline().split()[1] == b"101"
        while each.readline().strip():
            pass
    control = stage.served.child("control")
    stage.fleet.routes("shop", host="other.example.com", proxy_read_timeout="30")
    stage.fleet.routes("again")
    stage.fleet.policy(strategy="PrimarySecondary", order=["west"])
    stage.fleet.configure(shops.QUICK.replace("0.1s}", "0.2s}"))
    world.until(lambda: set(stage.served.members(20)) == {"west"}, "the policy")
    world.until(lambda: stage.served.members(5, host="other.example.com") == {"west": 5}, "the route")
    world.until(lambda: "starting anew" in stage.fleet.log, "the configuration")
    assert stage.served.child("control") == control  # the same process, begun anew
    for each in sockets:
        each.write(b"still there?")
        each.flush()
        assert each.read(12) == b"still there?"
        each.close()
    for each in downloads:
        head, _, body = each.read().partition(b"\r\n\r\n")
        assert b" 200 " in head and len(body) == len(herd.PIECE) * herd.PIECES
        each.close()
    stage.fleet.without("fleet/again.yaml", "fleet/policy-shop.yaml")
    stage.fleet.routes("shop")


def opened(port: int, request: bytes) -> BinaryIO:
    """A connection with this request sent."""
    with socket.create_connection(("127.0.0.1", port), world.LONG) as sock:
        sock.sendall(request)
        return sock.makefile("rwb")


def test_when_every_member_fails_dns_keeps_the_last_that_were_good(stage: Stage) -> None:
    stage.whole()
    for each in stage.herds.values():
        each.kill()
    gone = "passive      down     gateways cannot reach 3 of 3"

    def down() -> bool:
        return set(stage.served.who(5)) == {"502"} and stage.served.explained().count(gone) == 2

    world.until(down, "both members are down")
    stage.served.shows(shops.NAME, world.records(map(shops.address, ("east", "west"))))
    stage.herds["east"].start()
    stage.served.agrees("east")
    stage.herds["west"].start()
    stage.served.agrees("east", "west")
