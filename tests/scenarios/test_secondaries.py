"""Other name servers copy our zones, follow a thousand health changes by IXFR, and answer as we do."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import dns.message
import dns.name
import dns.query
import dns.tsig
import dns.zone
import pytest

from tests.scenarios import secondary, world

FEDERATED, STATIC, CATALOG = "example.com.", "acme.com.", "catalog.invalid."
CHANGES, SAMPLES = 1000, 20
TYPES = ("A", "AAAA", "CNAME", "NS", "SRV", "TXT")
MORE = "health: {hold: 0s, hold_max: 0s}\n"
CLOSED = """apiVersion: fedns.io/v1alpha1
kind: TrafficPolicy
metadata: {name: closed, namespace: mynamespace}
spec: {targetRef: {kind: Service, name: closed}, onAllUnhealthy: closed, ttl: {min: 7s, max: 9s}}
"""
HERE = ("us-central1-a", "asia-east1-c")
"""Where the service `closed` is."""


def _primary(root: Path, ports: list[int], names: tuple[str, ...], catalog: str) -> world.World:
    place = world.World(root)
    place.put("fleet/closed.yaml", CLOSED)
    for zone in HERE:
        place.write(zone, [world.ADDRESSES[zone], "2001:db8::1"], name="closed")
    keyed = names != ("powerdns",)  # it asks for the members of a catalog without a key
    place.configure(MORE + secondary.settings(ports, catalog.rstrip("."), keyed))
    return place


@contextmanager
def _secondaries(
    root: Path, names: tuple[str, ...], catalog: str = ""
) -> Iterator[tuple[world.Served, list[secondary.Secondary]]]:
    ports = secondary.free(len(names))
    place = _primary(root, ports, names, catalog)
    origins = () if catalog else (FEDERATED, STATIC)
    with world.settled(place) as served, ExitStack() as stack:
        found = [
            stack.enter_context(secondary.running(name, root / name, (port, served.port), origins, catalog))
            for name, port in zip(names, ports, strict=True)
        ]
        yield served, found


def _need(tool: Callable[[str], str], names: tuple[str, ...]) -> None:
    for name in names:
        tool(secondary.PEERS[name].program)


def _followed(served: world.Served, copies: list[secondary.Secondary], origin: str) -> None:
    """Waits until all have our serial of now."""
    wanted = _serial(served, origin)
    for copy in copies:
        what = f"{copy.name}: {origin} {wanted}"
        try:
            world.until(lambda copy=copy: copy.serial(origin) == wanted, what, secondary.PATIENCE)  # type: ignore[misc]
        except AssertionError as error:
            raise AssertionError(f"{error}\nhas {copy.serial(origin)}\n{copy.log()[-3000:]}") from None


def _serial(served: world.Served, origin: str) -> int:
    return int(served.ask(origin, "SOA").answer[0][0].serial)


def _names(served: world.Served, origin: str) -> set[str]:
    """All that exists in our zone, and some that does not."""
    zone = dns.zone.Zone(origin, relativize=False)
    asked, _ = dns.xfr.make_query(
        zone, keyring={dns.name.from_text(secondary.KEY): _key()}, keyname=secondary.KEY
    )
    dns.query.inbound_xfr("127.0.0.1", zone, asked, served.port)
    apex = dns.name.from_text(origin)
    found = {name for name in zone.nodes if b"_explain" not in name.labels}
    for name in list(found):
        while name != apex:
            name = name.parent()
            found.add(name)
    beside = {f"nope.{name}" for name in list(found)[::7]}
    return {str(name) for name in found} | beside


def _key() -> dns.tsig.Key:
    return dns.tsig.Key(secondary.KEY, secondary.SECRET, secondary.ALGORITHM)


def _same(served: world.Served, copies: list[secondary.Secondary], origin: str) -> int:
    """Every name of every type is answered alike; how many questions that were."""
    names, serial = _names(served, origin), _serial(served, origin)
    with closing(secondary.Secondary("fedns", served.state, served.port)) as ours:
        for name in sorted(names):
            types = (*TYPES, "SOA") if name == origin else TYPES
            packets = [secondary.query(name, rtype) for rtype in types]
            for each in (ours, *copies):
                each.send(packets)
            wanted, *found = (
                [secondary.said(reply, origin, serial) for reply in each.replies(packets)]
                for each in (ours, *copies)
            )
            for copy, told in zip(copies, found, strict=True):
                assert told == wanted, f"{copy.name}: {name}"
    return len(names) * len(TYPES)


def _flap(place: world.World, number: int) -> None:
    """One health change: a shard's endpoints become ready, or cease to be."""
    spots = [("nginx", zone) for zone in world.ADDRESSES] + [("closed", zone) for zone in HERE]
    name, zone = spots[number % len(spots)]
    first = name == "closed" or zone != "europe-west1-b"
    ready = first == bool(number // len(spots) % 2)
    addresses = [world.ADDRESSES[zone]] + (["2001:db8::1"] if name == "closed" else [])
    place.write(zone, addresses, ready=ready, name=name)


def _counted(served: world.Served, kind: str) -> int:
    lines = served.api("/metrics").splitlines()
    name = f'fedns_transfers_total{{kind="{kind}"}}'
    return sum(int(float(each.split()[-1])) for each in lines if each.startswith(name))


def _behind(served: world.Served) -> set[tuple[str, int]]:
    return {(one["zone"], one["behind"]) for one in served.api("/api/v1/status")["secondaries"]}


def _wholes(copies: list[secondary.Secondary]) -> Iterator[str]:
    """What they say of zones that they copied whole."""
    for copy in copies:
        yield from (f"{copy.name}: {line}" for line in copy.log().splitlines() if "axfr" in line.lower())


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_all_follow_a_thousand_health_changes_and_answer_as_we_do(
    tmp_path: Path, tool: Callable[[str], str]
) -> None:
    names = tuple(secondary.PEERS)
    _need(tool, names)
    with _secondaries(tmp_path, names) as (served, copies):
        for origin in (FEDERATED, STATIC):
            _followed(served, copies, origin)
            _same(served, copies, origin)
        whole, asked = _counted(served, "axfr"), 0
        for number in range(CHANGES):
            before = _serial(served, FEDERATED)
            _flap(served.world, number)
            world.until(lambda before=before: _serial(served, FEDERATED) != before, f"change {number}")  # type: ignore[misc]
            if (number + 1) % (CHANGES // SAMPLES) == 0:
                _followed(served, copies, FEDERATED)
                asked += _same(served, copies, FEDERATED)
        print(f"{asked} questions, {_counted(served, 'ixfr')} differences")
        world.until(lambda: _behind(served) == {(FEDERATED, 0), (STATIC, 0)}, "the status: all follow")
        copied = _counted(served, "axfr") - whole - SAMPLES  # our own looks at the names
        mistaken = sum(secondary.mistaken(copy.log()) for copy in copies if copy.name == "nsd")
        assert copied <= mistaken, "\n".join(_wholes(copies))
        assert _counted(served, "whole") == 0, "who asks for the difference gets no more"
        assert _counted(served, "ixfr") >= len(copies) * SAMPLES


@pytest.mark.parametrize("name", ["knot", "bind", "powerdns"])
def test_a_catalog_is_enough(tmp_path: Path, tool: Callable[[str], str], name: str) -> None:
    _need(tool, (name,))
    with _secondaries(tmp_path, (name,), CATALOG) as (served, copies):
        for origin in (FEDERATED, STATIC):
            _followed(served, copies, origin)
        served.world.put("zones/acme.org.zone", world.ZONE)
        world.until(lambda: served.ask("acme.org.", "SOA").answer, "the new zone here")
        _followed(served, copies, "acme.org.")
        _same(served, copies, "acme.org.")
