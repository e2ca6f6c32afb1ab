"""All sources are gone at a restart: what was served is served, at once, with its age, and not withdrawn."""

import time
from pathlib import Path

import dns.message
import pytest

from tests.bench import ask, serving
from tests.scenarios import world

PLACE = world.place("us-central1-a")
FRESH = "198.51.100.7"
PATIENCE = 10.0
"""Seconds after which nothing may have been withdrawn; tombstones of this world end much sooner."""
LIMIT, TRIES = 1.0, 3
"""Seconds for the first answer; restarts at most, as the machine is another's at times."""


def _everything(served: world.Served) -> dict[str, list[str]]:
    """All that clients may ask for, with its TTLs."""
    names = [world.GLOBAL, "eu.nginx.acme.com", "www.acme.com", "no.acme.com", "example.com"]
    names += [world.place(place) for zone in world.ADDRESSES for place in (zone, zone[:-2])]
    asked = [(name, rtype) for name in names for rtype in ("A", "AAAA", "NS")]
    asked += [(f"_http._tcp.{name}", "SRV") for name in names]
    return {f"{name} {rtype}": _text(served.ask(name, rtype)) for name, rtype in asked}


def _text(message: dns.message.Message) -> list[str]:
    """Rcode, answer and the authority's owner: the SOA's serial moves with each generation."""
    records = sorted(line for rrset in message.answer for line in rrset.to_text().splitlines())
    return [str(message.rcode()), *records, *(str(rrset.name) for rrset in message.authority)]


def _first_answer(served: world.Served, addresses: frozenset[str]) -> tuple[float, float]:
    """Seconds from the process' start to the first right answer: of the clock, and of its CPU."""
    asker = ask.Asker(served.port, sockets=1, timeout=0.05)
    try:
        deadline = served.begun + world.LONG
        while not ((found := asker.ask(world.GLOBAL)) and found.addresses == addresses):
            assert time.monotonic() < deadline, found
        return time.monotonic() - served.begun, _spent(served)
    finally:
        asker.close()


@pytest.mark.alone
def test_without_any_source_a_restart_serves_what_was_served(tmp_path: Path) -> None:
    place = world.World(tmp_path)
    place.configure("tombstone: 2s\n")
    left = world.SERVING - {world.ADDRESSES["us-central1-f"]}
    with world.settled(place) as served:
        assert served.fedns("drain", "gce-us-central1-f", "--for", "1h").returncode == 0
        served.shows(world.GLOBAL, world.records(left), "without the drained member")
        before = _everything(served)
        assert any(" 180 IN A " in line for line in before[f"{world.GLOBAL} A"]), before
    for name in ("members", "fleet", "zones"):
        (tmp_path / name).rename(tmp_path / f"{name}.away")
    took = [_restarted(place, left)]
    while took[-1] > LIMIT and len(took) < TRIES:
        took.append(_restarted(place, left))
    assert took[-1] <= LIMIT, took
    with world.serve(place) as served:
        since = time.monotonic()
        while time.monotonic() < since + PATIENCE:
            assert _everything(served) == before
        _ages_show(served)
        for name in ("members", "fleet", "zones"):
            (tmp_path / f"{name}.away").rename(tmp_path / name)
        place.write("us-central1-a", [FRESH])
        place.put("zones/acme.com.zone", world.ZONE.replace("192.0.2.80", "192.0.2.81"))
        served.shows(PLACE, world.records([FRESH]), "once the members are back")
        served.shows("www.acme.com", ("A 192.0.2.81",), "once the zones are back")
        world.until(lambda: not served.problems(), "no problem is left")


def _restarted(place: world.World, addresses: frozenset[str]) -> float:
    """Seconds until the first right answer; where others use the machine, what it would take alone counts."""
    with world.serve(place) as served:
        elapsed, spent = _first_answer(served, addresses)
        print(f"first answer after {elapsed:.3f} s, {spent:.3f} s of CPU")
        return min(elapsed, spent)


def _spent(served: world.Served) -> float:
    """CPU seconds of the supervisor, its finished children and its workers."""
    workers = [served.child(f"dns worker {index}") for index in range(2)]
    times = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in workers if pid)
    own = Path(f"/proc/{served.process.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(map(int, own[11:15])) + sum(int(each) for row in times for each in row[11:13])
    return ticks / serving.TICK


def _ages_show(served: world.Served) -> None:
    """Members are unreachable, and everybody is told how old their facts are."""
    members = served.api("/api/v1/members")["items"]
    assert {one["api"] for one in members} == {"unreachable"} and len(members) == len(world.ADDRESSES)
    assert all(one["age"] >= PATIENCE for one in members)
    assert 'fedns_member_api{api="unreachable",member="gce-us-central1-a"} 1.0' in served.api("/metrics")
    status = served.fedns("status")
    assert status.returncode == 0, status.stdout + status.stderr
    assert "unreachable" in status.stdout
    told = served.fedns("explain", PLACE)
    assert told.returncode == 0, told.stderr
    assert "unreachable" in told.stdout, told.stdout
    for name in ("members", "fleet", "zones"):
        assert f"{served.world.root}/{name}" in served.problems()
