"""Batches of datagrams: order, gaps, peers, and the address a reply leaves from."""

import socket
from collections.abc import Callable

import pytest

from fedns.dns import client
from fedns.servers import batch
from tests.servers import running

Maker = Callable[[socket.socket, client.Host], batch.Datagrams]
HOST = client.Host(client.Server())
KINDS = pytest.mark.parametrize("kind", [batch.Batch, batch.Plain])


def _bound(family: int, address: str) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, 0))
    return sock


def _client(family: int, address: str, server: socket.socket) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(2)
    sock.connect((address, server.getsockname()[1]))
    return sock


@KINDS
@pytest.mark.parametrize(
    ("family", "bound", "asked"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0", "127.1.2.3"),
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::", "::1"),
    ],
)
def test_replies_reach_their_askers_from_the_asked_address(
    kind: Maker, family: int, bound: str, asked: str
) -> None:
    with _bound(family, bound) as server:
        datagrams = kind(server, HOST)
        clients = [_client(family, asked, server) for _ in range(5)]
        for turn in range(3):
            for i, asker in enumerate(clients):
                asker.send(b"%d asks %d" % (i, turn) + b"." * i)
            packets = datagrams.receive()
            assert [each.address() for each in datagrams.senders[:5]] == [
                socket.inet_pton(family, each.getsockname()[0]) for each in clients
            ]
            assert packets == [b"%d asks %d" % (i, turn) + b"." * i for i in range(5)]
            assert datagrams.reply([b"to " + packet * 3 for packet in packets]) == 5
            for i, asker in enumerate(clients):
                assert asker.recv(999) == b"to " + packets[i] * 3
        for asker in clients:
            asker.close()


@KINDS
def test_packets_without_an_answer_leave_no_gap(kind: Maker) -> None:
    with running.sockets() as (server, client):
        datagrams = kind(server, HOST)
        for i in range(8):
            client.send(b"%d" % i)
        packets = datagrams.receive()
        assert datagrams.reply([None if p in b"0347" else p for p in packets]) == 4
        assert [client.recv(99) for _ in range(4)] == [b"1", b"2", b"5", b"6"]


@KINDS
def test_nothing_queued_is_an_empty_batch(kind: Maker) -> None:
    with _bound(socket.AF_INET, "127.0.0.1") as server:
        assert kind(server, HOST).receive() == []


@KINDS
def test_a_batch_is_bounded_and_the_rest_comes_next(kind: Maker) -> None:
    with running.sockets() as (server, client):
        datagrams = kind(server, HOST)
        for i in range(batch.SIZE + 3):
            client.send(b"%d" % i)
        assert len(datagrams.receive()) == batch.SIZE
        assert len(datagrams.receive()) == 3


@KINDS
def test_a_reply_the_kernel_refuses_is_left_out(kind: Maker) -> None:
    with running.sockets() as (server, client):
        datagrams = kind(server, HOST)
        for i in range(4):
            client.send(b"%d" % i)
        packets = datagrams.receive()
        packets[1] = b"x" * 65530  # more than a datagram holds: EMSGSIZE
        assert datagrams.reply(packets) == 3
        assert [client.recv(99) for _ in range(3)] == [b"0", b"2", b"3"]


@KINDS
def test_an_oversized_query_is_cut_not_fatal(kind: Maker) -> None:
    with running.sockets() as (server, client):
        datagrams = kind(server, HOST)
        client.send(b"y" * 9000)
        assert datagrams.receive() == [b"y" * batch.SLOT]
