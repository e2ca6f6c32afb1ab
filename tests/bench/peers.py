"""Servers under test, running: builds of fedns and the peers, all with the same zone.

Law: a server is started whole, kept to its cores, and judged by the CPU time of all its processes and
threads as the kernel accounts it. Of fedns that is the supervisor with its workers (`--role dns`); control
runs beside it, as it does where replicas share a state directory.
"""

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import estate
import recipes
import serving

START = 60.0  # seconds a server may take to load the zone
APEX_SOA = b"\0\1\0\0\0\1\0\0\0\0\0\0\7example\3com\0\0\6\0\1"


@dataclass(frozen=True)
class Variant:
    """One build of fedns: the environment that chooses it; `missing` says why it cannot run here, or ''."""

    name: str
    title: str
    environment: Mapping[str, str] = field(default_factory=dict)
    missing: Callable[[], str] = lambda: ""

    def lacks(self, features: frozenset[str]) -> str:
        """What it cannot do of these; empty where nothing."""
        return ", ".join(f"not yet: {each}" for each in sorted(features - estate.FEATURES))


def _uncompiled() -> str:
    return "" if importlib.util.find_spec("fedns.servers._core") else "not compiled: make core"


OURS = (
    Variant("fedns", "fedns", {"FEDNS_CORE": "off"}),
    Variant("core", "fedns, compiled core", missing=_uncompiled),
)


class Setup(NamedTuple):
    """What a scenario asks of each server: `cores` as taskset lists them."""

    features: frozenset[str] = frozenset()
    workers: int = 1
    cores: str = "0"


@dataclass(frozen=True)
class Server:
    """A running one. `ports`: feature (recipes.TLS) -> the port where it is to be had; "" for plain DNS."""

    name: str
    ports: Mapping[str, int]
    pid: int

    @property
    def port(self) -> int:
        return self.ports[""]

    def cpu(self) -> float:
        """CPU seconds used so far by the whole server."""
        return sum(serving.busy(pid) for pid in (self.pid, *serving.children(self.pid)))


Participant = Variant | recipes.Recipe


def running(
    who: Participant, setup: Setup, place: estate.Estate, home: Path
) -> AbstractContextManager[Server]:
    """One server with an empty directory `home` to itself."""
    return (_ours if isinstance(who, Variant) else _peer)(who, setup, place, home)  # type: ignore[operator]


@contextmanager
def _ours(variant: Variant, setup: Setup, place: estate.Estate, home: Path) -> Iterator[Server]:
    """The supervisor with DNS workers over the estate's state directory."""
    ports = _ports()
    config = place.configure(home, setup.features, setup.workers, ports)
    command = [*serving.SERVE, str(config), "--role", "dns"]
    with _running(Server(variant.name, ports, 0), command, setup, home, variant.environment) as server:
        yield server


@contextmanager
def _peer(recipe: recipes.Recipe, setup: Setup, place: estate.Estate, home: Path) -> Iterator[Server]:
    ports = _ports()
    zone = place.signed if recipes.SIGNED in setup.features else place.zone
    if recipe.name == "gdnsd":
        (home / "zones").mkdir()
        shutil.copy(zone, home / "zones" / "example.com")
    files = {"home": home, "config": home / "config", "zone": zone}
    secrets = {"certificate": place.certificate, "key": place.key}
    numbers = {"port": ports[""], "tls_port": ports[recipes.TLS], "workers": setup.workers}
    fields = {name: str(value) for name, value in (files | secrets | numbers).items()}
    wanted = setup.features | {f"{each}_listen" for each in setup.features}
    lines = {name: text.format(**fields) for name, text in recipe.features.items() if name in wanted}
    config = recipe.config.format_map(_Blank({**fields, **lines}))
    (home / "config").write_text(config)
    command = [str(recipe.path()), *(each.format(**fields) for each in recipe.arguments)]
    environment = {name: value.format(**fields) for name, value in recipe.environment.items()}
    with _running(Server(recipe.name, ports, 0), command, setup, home, environment) as server:
        yield server


class _Blank(dict[str, str]):
    """Features that are not wanted leave nothing."""

    def __missing__(self, key: str) -> str:
        return ""


@contextmanager
def _running(
    server: Server, command: list[str], setup: Setup, home: Path, environment: Mapping[str, str]
) -> Iterator[Server]:
    around = {**os.environ, "PYTHONPATH": str(recipes.ROOT), **environment}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            ["taskset", "-c", setup.cores, *command], stdout=log, stderr=log, env=around, cwd=home
        )
    try:
        _await_answer(server, process, home / "log")
        yield Server(server.name, server.ports, process.pid)
    finally:
        serving.stop(process)


def ask(port: int, packet: bytes, seconds: float = 1.0) -> bytes | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        sock.connect(("127.0.0.1", port))
        try:
            sock.send(packet)
            return sock.recv(65535)
        except (TimeoutError, ConnectionError):
            return None


def _await_answer(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START
    while True:
        reply = ask(server.port, APEX_SOA, 0.2)
        if reply is not None and reply[3] & 15 == 0:
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{server.name} does not answer: {log.read_text()[-2000:]}")
        time.sleep(0.1)


def _ports() -> dict[str, int]:
    return {"": serving.free_port(), recipes.TLS: serving.free_port()}
