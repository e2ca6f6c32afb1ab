"""Failover as clients see it: real processes, members that die, hang and are drained under requests."""

from collections.abc import Iterator

import pytest

from tests.bench import crowd, herd, serving
from tests.scenarios import shops

EAST, WEST = ("127.1.1.1", "127.1.1.2", "127.1.1.3"), ("127.1.2.1", "127.1.2.2", "127.1.2.3")
RATE, CONNECTIONS = 200, 16


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

    def asking(self, seconds: float, target: str = "/") -> "crowd.Running":
        return crowd.asking(self.served.http, shops.HOST, RATE, CONNECTIONS, seconds, target=target)  # type: ignore[return-value]


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
    shown = stage.served.fedns("explain", shops.NAME).stdout
    assert "cannot reach 3 of 3 endpoints" in shown
    stage.herds["west"].start()
    stage.served.agrees("east", "west")  # seen without a request of anybody
