"""The demo's backends fail and heal when told, and never outlive who started them."""

import http.client

import pytest

from fedns.cli import demo, demo_backends, demo_fleet
from tests.bench import serving


def status(address: str, port: int) -> int:
    connection = http.client.HTTPConnection(address, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


def test_one_backend_fails_and_heals_and_the_others_do_not() -> None:
    port = serving.free_port("127.0.0.11")
    child = demo_backends.spawn(port)
    try:
        europe, asia = demo_fleet.site("gce-europe-west1"), demo_fleet.site("gce-asia-east1")
        assert status(europe.address, port) == 200
        demo.fail("gce-europe-west1", port)
        assert (status(europe.address, port), status(asia.address, port)) == (503, 200)
        demo.heal("gce-europe-west1", port)
        assert status(europe.address, port) == 200
        with pytest.raises(OSError, match="cannot listen on"):
            demo_backends.spawn(port)
    finally:
        demo_backends.stop(child)
    assert child.returncode == 0
    with pytest.raises(OSError, match="refused"):
        status(europe.address, port)
