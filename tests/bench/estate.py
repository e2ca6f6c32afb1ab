"""What all servers of a bench serve: a fleet on disk, its control process, the zone as a file.

Law: one source for all. Control compiles the fleet into the tables that every build of fedns reads; the zone
file for the peers is what `fedns zone dump` writes of the same generation.
"""

import random
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import fleet
import recipes
import serving

MEMBERS = 7  # in five regions, each member a zone of its own
DOWN = 0.3  # share of the shards that cannot serve
START = 60.0  # seconds that control may take
FEATURES = frozenset((recipes.COOKIES, recipes.SIGNED, recipes.TLS))  # what fedns can
ALGORITHM = "ECDSAP256SHA256"


class Estate:
    """A fleet under `root`, signed by fedns or not; `dump` writes `zone`, and `sign` writes `signed`."""

    def __init__(self, root: Path, services: int, signed: bool = False, block: int = 0) -> None:
        self.root, self.services = root, services
        self.fleet = fleet.Fleet(root, fleet.Shape(MEMBERS, services, down=_down(services), block=block))
        self.zone, self.signed = root / "example.com.zone", root / "example.com.signed"
        self.certificate, self.key = root / "certificate.pem", root / "key.pem"
        self._admin, self._signs = serving.free_port(), signed

    def write(self) -> None:
        self.root.mkdir()
        self.fleet.write(serving.free_port(), self._admin)
        serving.certify(self.certificate, self.key, "-subj", "/CN=ns1.example.com")

    def names(self) -> list[str]:
        """Every global, region and zone name, each once."""
        found = {
            name: None
            for service in range(self.services)
            for member in range(MEMBERS)
            for name in fleet.names(member, service)
        }
        return list(found)

    def configure(self, home: Path, features: frozenset[str], workers: int, ports: Mapping[str, int]) -> Path:
        """The configuration of one server that shares this estate's state directory."""
        path = home / "fedns.yaml"
        dns: dict[str, object] = {"listen": [f"127.0.0.1:{ports['']}"], "workers": workers}
        if recipes.TLS in features:
            listen = [f"127.0.0.1:{ports[recipes.TLS]}"]
            dns["tls"] = {"listen": listen, "certificate": str(self.certificate), "key": str(self.key)}
        if self._signs:
            dns["dnssec"] = {"zones": [fleet.DOMAIN]}
        self.fleet.configure(path, dns, self._admin)
        return path

    @contextmanager
    def control(self) -> Iterator[int]:
        """Control at work, the tables complete; yields its process id."""
        self.write()
        home = self.root / "control"
        home.mkdir()
        config = self.configure(home, frozenset(), 1, {"": serving.free_port()})
        with serving.serve(config, ("--role", "control")) as pid:
            self._await_ready(home)
            yield pid

    def _await_ready(self, home: Path) -> None:
        deadline = time.monotonic() + START
        while not _ready(f"http://127.0.0.1:{self._admin}/readyz"):
            if time.monotonic() > deadline:
                raise RuntimeError((home / "serve.log").read_text()[-2000:])
            time.sleep(0.1)

    def dump(self) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._admin}/api/v1/zone", timeout=30) as reply:
            self.zone.write_bytes(reply.read())

    def sign(self) -> None:
        """The zone file with ECDSA P-256 signatures and NSEC, for the peers that serve ready ones."""
        keys = self.root / "keys"
        keys.mkdir()
        for flag in ((), ("-f", "KSK")):
            generate = ["dnssec-keygen", "-q", "-K", str(keys), "-a", ALGORITHM, *flag, fleet.DOMAIN]
            subprocess.run(generate, check=True, capture_output=True)
        command = ["dnssec-signzone", "-q", "-S", "-K", str(keys), "-d", str(self.root), "-o", fleet.DOMAIN]
        subprocess.run([*command, "-f", str(self.signed), str(self.zone)], check=True, capture_output=True)


def _down(services: int) -> frozenset[tuple[int, int]]:
    chance = random.Random(20)
    shards = ((member, service) for service in range(services) for member in range(MEMBERS))
    return frozenset(shard for shard in shards if chance.random() < DOWN)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
