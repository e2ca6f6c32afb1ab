"""Pods ask by the short name, through their search path, with the resolvers that people have."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios import inside, pods, world
from tests.scenarios.inside import ALL, INNER, OUTER, SHORT

HERE = Path(__file__).parent
NOT_HERE = "nosuch.mynamespace.myfederation"
STEPS = ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local")
FAR = "far.mynamespace.myfederation"
CACHE = "169.254.20.10"
UNBOUND = f"""\
server:
  interface: {CACHE}
  access-control: 0.0.0.0/0 allow
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
remote-control:
  control-enable: no
stub-zone:
  name: cluster.local
  stub-addr: {pods.SERVICE[0]}
stub-zone:
  name: example.com
  stub-addr: {pods.SERVICE[0]}
"""


RESOLVED = f"""\
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/resolved.conf.d
printf '[Resolve]\\nDNS={pods.SERVICE[0]}\\nDomains=~.\\nLLMNR=no\\nMulticastDNS=no\\nDNSSEC=no\\n' \\
    > /run/systemd/resolved.conf.d/fedns.conf
{{ grep -v ^systemd-resolve: /etc/passwd; echo systemd-resolve:x:996:996::/:/bin/false; }} > /run/passwd
{{ grep -v ^systemd-resolve: /etc/group; echo systemd-resolve:x:996:; }} > /run/group
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
exec "$0"
"""
"""systemd-resolved without systemd: a runtime directory of its own, and the user that its package makes."""


@pytest.fixture(scope="module")
def readers(tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> list[inside.Reader]:
    """C libraries and others; the C ones are programs of ours, compiled here."""
    home = tmp_path_factory.mktemp("readers")
    built = []
    for name, compiler, source, options in (
        ("glibc", "gcc", "getaddrinfo.c", ()),
        ("musl", "musl-gcc", "getaddrinfo.c", ()),
        ("c-ares", "gcc", "cares.c", ("-lcares",)),
    ):
        words = [tool(compiler), "-o", str(home / name), str(HERE / source), *options]
        subprocess.run(words, check=True, capture_output=True)
        built.append(inside.Reader(name, (str(home / name),)))
    return [*built, inside.Reader("getent", (tool("getent"), "ahosts"))]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]) -> Iterator[inside.Fleet]:
    if reason := pods.obstacle():
        pytest.skip(reason)
    tool("dig"), tool("unbound")
    with inside.served(tmp_path_factory.mktemp("pods")) as running:
        yield running


def test_the_local_cluster_comes_first(fleet: inside.Fleet, readers: list[inside.Reader]) -> None:
    for reader in readers:
        for member in ("us", "eu"):
            assert reader.ask(fleet.pods[member], SHORT) == INNER[member], (reader.name, member)


def test_who_has_no_such_service_is_led_to_the_nearest(
    fleet: inside.Fleet, readers: list[inside.Reader]
) -> None:
    for reader in readers:
        assert reader.ask(fleet.pods["us"], FAR) == tuple(sorted(OUTER["eu"])), reader.name
        assert reader.ask(fleet.pods["eu"], FAR) == INNER["eu"], reader.name


def test_who_is_in_no_member_is_led_to_the_global_name(
    fleet: inside.Fleet, readers: list[inside.Reader]
) -> None:
    for reader in readers:
        assert reader.ask(fleet.pods["outside"], SHORT) == ALL, reader.name


def test_who_is_in_no_member_may_be_told_to_be(fleet: inside.Fleet, readers: list[inside.Reader]) -> None:
    """By the client subnet that it sends, or by the listener that it asks."""
    name = f"{SHORT}.svc.cluster.local"
    local = tuple(sorted(("nginx.mynamespace.svc.cluster.local.", *INNER["us"])))
    assert inside.dig(fleet.pods["outside"], name, "+subnet=10.64.1.0/24") == local
    pod = fleet.pod("told", "10.64.9.10", [pods.LISTENER])
    for reader in readers:
        assert reader.ask(pod, SHORT) == INNER["us"], reader.name


def test_dig_walks_the_search_path(fleet: inside.Fleet) -> None:
    local = ("nginx.mynamespace.svc.cluster.local.", *INNER["us"])
    assert inside.dig(fleet.pods["us"], SHORT, "+search") == tuple(sorted(local))
    led = inside.dig(fleet.pods["us"], FAR, "+search")
    assert led == tuple(
        sorted(
            (
                *(f"{FAR}.svc.{each}example.com." for each in ("us-east1-b.us-east1.", "us-east1.", "")),
                *OUTER["eu"][:1],
            )
        )
    )


class Walks:
    """What a pod is answered, as the wire has it."""

    def __init__(self, pod: pods.Pod, told: Callable[[], list[str]]) -> None:
        self.pod, self._told = pod, told

    def during(self, reader: inside.Reader, name: str) -> list[str]:
        """Lines of the tap while the reader looks up a name."""
        before, last = len(self._told()), "marker.example.com"
        reader.ask(self.pod, name)
        self.pod.run("dig", "+tries=1", f"@{pods.SERVICE[0]}", last)
        world.until(
            lambda: any(last in line for line in self._told()[before:]), "the tap has all before this"
        )
        return [line for line in self._told()[before:] if last not in line]

    def steps(self, reader: inside.Reader, name: str) -> set[str]:
        """`STEP TYPE RCODE`; the step is what follows the name."""
        rows = [line.split() for line in self.during(reader, name)]
        return {f"{row[1].removeprefix(name).strip('.')} {row[2]} {row[3]}" for row in rows}


@pytest.fixture(scope="module")
def tap(fleet: inside.Fleet) -> Iterator[Callable[[], list[str]]]:
    with inside.tapped(fleet) as told:
        yield told


def both(step: str, rcode: str) -> set[str]:
    return {f"{step} {kind} {rcode}" for kind in ("A", "AAAA")}


def test_the_walk_goes_on_at_each_step(
    fleet: inside.Fleet, readers: list[inside.Reader], tap: Callable[[], list[str]]
) -> None:
    """A name that is there at the second step, at the third, and nowhere; for both types."""
    first, second, third = (both(step, "NXDOMAIN") for step in STEPS)
    walks = Walks(fleet.pods["us"], tap)
    for reader in readers:
        assert walks.steps(reader, SHORT) == first | both(STEPS[1], "NOERROR"), reader.name
        assert walks.steps(reader, f"{SHORT}.svc") == first | second | both(STEPS[2], "NOERROR"), reader.name
        assert walks.steps(reader, NOT_HERE) >= first | second | third | both("", "REFUSED"), reader.name


def test_an_address_of_the_other_family_is_no_data(fleet: inside.Fleet) -> None:
    """Not NXDOMAIN, at which musl would give up the address that there is."""
    for name in (f"{SHORT}.{STEPS[1]}", f"nginx.mynamespace.{STEPS[1]}"):
        told = fleet.pods["us"].run("dig", "+noall", "+comments", "+authority", name, "AAAA").text
        assert "status: NOERROR" in told and "SOA" in told, told


def test_a_failover_is_seen_by_all(fleet: inside.Fleet, readers: list[inside.Reader]) -> None:
    pod = fleet.pods["us"]
    for ready, addresses in ((False, OUTER["central"]), (True, INNER["us"])):
        fleet.write("us", ready)
        world.until(lambda to=addresses: {each.ask(pod, SHORT) for each in readers} == {to}, str(addresses))


def kept(pod: pods.Pod, readers: list[inside.Reader], tap: Callable[[], list[str]]) -> None:
    """All readers see the same of an answer that lasts; once one has asked, it is asked for no more."""
    walks = Walks(pod, tap)
    first = walks.during(readers[0], FAR)
    assert any(f" {FAR}.svc.cluster.local A " in line for line in first), first
    later = [line for reader in readers for line in walks.during(reader, FAR)]
    assert {reader.ask(pod, FAR) for reader in readers} == {tuple(sorted(OUTER["eu"]))}
    assert not [line for line in later if f" {FAR}.svc.cluster.local A " in line], later


def test_a_cache_on_the_node_keeps_answers_for_their_time(
    fleet: inside.Fleet, readers: list[inside.Reader], tap: Callable[[], list[str]], tmp_path: Path
) -> None:
    """unbound on the node of a pod: many questions of the pod are one of its own; failovers are seen."""
    pod = fleet.pod("cached", "10.64.1.20", [CACHE])
    pod.run("ip", "address", "add", CACHE, "dev", "lo")
    (tmp_path / "unbound.conf").write_text(UNBOUND)
    with pods.at_work(pod, tmp_path / "log", "unbound", "-d", "-c", str(tmp_path / "unbound.conf")):
        world.until(lambda: readers[0].ask(pod, SHORT) == INNER["us"], "unbound answers")
        kept(pod, readers, tap)
        fleet.write("us", ready=False)
        world.until(lambda: readers[0].ask(pod, SHORT) == OUTER["central"], "the cache follows")
        fleet.write("us")
        world.until(lambda: readers[0].ask(pod, SHORT) == INNER["us"], "and back")


def test_systemd_resolved_keeps_answers_for_their_time(
    fleet: inside.Fleet,
    readers: list[inside.Reader],
    tap: Callable[[], list[str]],
    tool: Callable[[str], str],
    tmp_path: Path,
) -> None:
    pod = fleet.pod("resolved", "10.64.1.30", ["127.0.0.53"])
    words = ("sh", "-ec", RESOLVED, tool("systemd-resolved"))
    with pods.at_work(pod, tmp_path / "log", *words):
        world.until(lambda: readers[0].ask(pod, SHORT) == INNER["us"], "systemd-resolved answers")
        kept(pod, readers, tap)
