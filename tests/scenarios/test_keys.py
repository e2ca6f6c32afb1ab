"""Keys roll while validators watch: unbound with caches that last as long as they may, and delv with none."""

import contextlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from tests.fakes import resolver
from tests.scenarios import world

CACHED = 2
"""Seconds that anything is kept by the validator, which is what the keys are told below."""
SPAN = 10.0
"""Seconds that the longest of the exchanges below takes by what the keys are told, however fast the machine:
two steps, each of a TTL and the propagation."""
DNSSEC = (
    "dnssec: {zones: [com, example.com], keys: KEYS, algorithm: ALGORITHM, validity: 20s, key_ttl: 2s,"
    " max_ttl: 2s, parent_ttl: 2s, propagation: 3s, zsk_lifetime: 9s}"
)
PARENT = """$TTL 2
@ SOA ns1.example.com. hostmaster.example.com. 1 3600 900 86400 2
@ NS ns1.example.com.
example NS ns1.example.com.
ns1.example A 127.0.0.1
www A 192.0.2.80
"""
ASKED = (
    (world.GLOBAL, "A"),
    (world.place("europe-west1-b"), "A"),
    (f"no.{world.GLOBAL}", "A"),
    ("example.com", "DNSKEY"),
    ("www.com", "A"),
)


class Place(world.World):
    """A signed parent, and below it a signed child that it has no DS of yet."""

    def __init__(self, root: Path, keys: str) -> None:
        super().__init__(root)
        self.put("zones/com.zone", PARENT)
        self.plain = self.config.read_text()
        self.sign(keys, "ecdsap256sha256")

    def sign(self, keys: str, algorithm: str) -> None:
        told = DNSSEC.replace("KEYS", keys).replace("ALGORITHM", algorithm)
        self.put("fedns.yaml", self.plain.replace("workers: 2", f"workers: 2, {told}"))

    def key(self, *words: str) -> str:
        """What `fedns key` prints."""
        command = [*world.FEDNS, "key", *words, "--config", str(self.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=world.LONG, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def held(self, zone: str = "example.com") -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = json.loads(self.key("list", zone, "-o", "json"))["zones"][0]["keys"]
        return told

    def states(self) -> list[tuple[str, str]]:
        return [(key["role"], key["state"]) for key in self.held()]

    def comes(self, reached: Callable[[], object], what: str) -> None:
        """Waits for something about the keys. They are listed whenever their account is another one: all the
        time, that alone would keep a small machine from what is waited for."""
        account, seen = self.root / "state/keys/example.com.json", 0

        def looked() -> bool:
            nonlocal seen
            before, seen = seen, account.stat().st_mtime_ns
            return seen != before and bool(reached())

        world.until(looked, what, SPAN + world.LONG)

    def reaches(self, *states: tuple[str, str]) -> None:
        self.comes(lambda: self.states() == list(states), str(states))

    def hand_over(self, served: world.Served) -> None:
        """What a registrar does: the DS goes into the parent zone, and when it is there somebody says so."""
        records = self.key("ds", "example.com")
        self.put("zones/com.zone", PARENT + records)
        digests = {line.split()[-1].lower() for line in records.splitlines()}
        world.until(lambda: all(_digests(served) == digests for _ in range(world.PORTS)), "the DS everywhere")
        self.key("seen", "example.com")


def _digests(served: world.Served) -> set[str]:
    reply = served.ask("example.com", "DS")
    return {record.digest.hex() for rrset in reply.answer for record in rrset}


@contextlib.contextmanager
def watched(unbound: resolver.Resolver) -> Iterator[list[str]]:
    """Asks all the while; at the end every answer must have been valid."""
    bad: list[str] = []
    counted: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            for name, rtype in ASKED:
                reply = unbound.ask(name, rtype)
                good = reply.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) and reply.flags & dns.flags.AD
                (counted if good else bad).append(f"{name} {rtype}: {reply}")

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield bad
    finally:
        done.set()
        thread.join()
    assert not bad, f"{len(bad)} of {len(counted) + len(bad)}: {bad[0]}"
    assert len(counted) > 100


def delved(delv: str, served: world.Served, anchor: str, folder: Path) -> None:
    """delv, which keeps nothing, finds the chain from the anchor to the global name."""
    _, _, _, _, tag, algorithm, kind, digest = anchor.split()
    file = folder / "anchor.keys"
    file.write_text(f'trust-anchors {{ com. static-ds {tag} {algorithm} {kind} "{digest}"; }};')
    command = [delv, "@127.0.0.1", "-p", str(served.port), "-a", str(file), "+root=com", world.GLOBAL, "A"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=world.LONG, check=False)
    assert "fully validated" in done.stdout, done.stdout + done.stderr


@contextlib.contextmanager
def running(
    place: Place, tool: Callable[[str], str], folder: Path
) -> Iterator[tuple[world.Served, Callable[[], None]]]:
    """Served and watched, with a chain from the parent to the child; and what delv has to say now."""
    unbound, delv = tool("unbound"), tool("delv")
    with world.settled(place) as served:
        world.until(lambda: (place.root / "state/keys/example.com.json").exists(), "keys")
        place.comes(lambda: place.held()[0]["state"] == "ready", "the first key is ready")
        place.hand_over(served)
        place.comes(lambda: place.held()[0]["state"] == "active", "the chain is closed")
        anchor = place.key("ds", "com").strip()
        with (
            resolver.validating(unbound, folder, {"com.": served.port}, [anchor], CACHED) as asked,
            watched(asked),
        ):
            yield served, lambda: delved(delv, served, anchor, folder)


@pytest.mark.timeout(300)
def test_a_single_key_and_then_the_algorithm_are_exchanged_unnoticed(
    tmp_path: Path, tool: Callable[[str], str]
) -> None:
    place = Place(tmp_path / "w", "csk")
    with running(place, tool, tmp_path / "u") as (served, delve):
        delve()
        first = place.held()[0]["tag"]
        place.key("roll", "example.com")
        place.reaches(("csk", "active"), ("csk", "ready"))
        delve()
        place.hand_over(served)
        place.reaches(("csk", "active"))
        delve()
        assert place.held()[0]["tag"] != first

        place.sign("csk", "ed25519")
        place.comes(lambda: ("csk", "ready") in place.states(), "the other algorithm is ready")
        delve()
        place.hand_over(served)
        place.reaches(("csk", "active"))
        delve()
        assert {key["algorithm"] for key in place.held()} == {"ED25519"}


@pytest.mark.timeout(300)
def test_two_keys_roll_each_in_its_own_way_unnoticed(tmp_path: Path, tool: Callable[[str], str]) -> None:
    place = Place(tmp_path / "w", "ksk+zsk")
    with running(place, tool, tmp_path / "u") as (served, delve):
        ksk, zsk = (key["tag"] for key in place.held() if key["state"] == "active")
        place.key("roll", "example.com", "--role", "ksk")
        place.comes(lambda: ("ksk", "ready") in place.states(), "a second KSK is ready")
        delve()
        place.hand_over(served)
        place.comes(lambda: ksk not in {key["tag"] for key in place.held()}, "the first KSK is gone")
        place.comes(lambda: zsk not in {key["tag"] for key in place.held()}, "the first ZSK is gone")
        delve()
