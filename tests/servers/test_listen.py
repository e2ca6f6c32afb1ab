"""The sockets DNS is served from."""

import socket
import sys

import pytest

from fedns.servers import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_free_port_is_the_same_for_both_transports(host: str) -> None:
    opened = listen.open_address((host, 0), 3)
    ports = {sock.getsockname()[1] for sock in (*opened.udp, opened.tcp)}
    assert ports == {opened.address[1]} and len(opened.udp) == 3
    opened.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the option is of Linux")
@pytest.mark.parametrize("host, option", [("127.0.0.1", (0, 10)), ("::1", (41, 23))])
def test_replies_are_never_split(host: str, option: tuple[int, int]) -> None:
    opened = listen.open_address((host, 0), 1)
    assert opened.udp[0].getsockopt(*option) == 3
    opened.close()


def test_a_port_in_use_is_refused_although_it_could_be_shared() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(listen.ListenError, match=f"127.0.0.1 port {port}"):
            listen.open_address(("127.0.0.1", port), 1)


def test_connections_alone_need_no_udp() -> None:
    opened = listen.open_stream(("127.0.0.1", 0))
    assert opened.udp == () and opened.tcp.getsockname() == opened.address
    with pytest.raises(listen.ListenError, match=f"port {opened.address[1]}"):
        listen.open_stream(opened.address)
    opened.close()


def test_a_foreign_address_is_a_clear_error() -> None:
    with pytest.raises(listen.ListenError, match=r"192\.0\.2\.1"):
        listen.open_address(("192.0.2.1", 0), 1)


def test_each_worker_has_a_listener_of_its_own() -> None:
    opened = listen.open_shared(("127.0.0.1", 0), 3)
    assert [sock.getsockname() for sock in opened.each] == [opened.address] * 3
    with pytest.raises(listen.ListenError, match=f"port {opened.address[1]}"):
        listen.open_shared(opened.address, 2)
    opened.close()
