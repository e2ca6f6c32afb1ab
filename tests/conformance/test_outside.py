"""Tools that others wrote for operators, over a small Internet of our own: Zonemaster, DNSViz, zone checkers.

The same is asked of the peers that serve our zones: what a tool says of fedns it says of them.
"""

import json
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import field, internet, peers, probes
from tests.scenarios import world

PEERS = tuple(peer.name for peer in peers.PEERS)
GRAVE = ("WARNING", "ERROR", "CRITICAL")
UNSIGNED = {"NEITHER_DNSKEY_NOR_DS", "NOT_SIGNED"}
NOTICES = {
    "example.com": {
        "REFRESH_MINIMUM_VALUE_LOWER",  # answers move with health: secondaries look every minute
        "RETRY_MINIMUM_VALUE_LOWER",
        "SOA_DEFAULT_TTL_MAXIMUM_VALUE_LOWER",  # a service that is declared must not be denied for minutes
        "Z09_MISSING_MAIL_TARGET",  # no mail goes to a federation, nor to its SOA's mail name
        "RNAME_MAIL_DOMAIN_INVALID",
    },
    "acme.com": {
        "REFRESH_MINIMUM_VALUE_LOWER",
        "RETRY_MINIMUM_VALUE_LOWER",
    },
}
ASKED = (
    "example.com nginx.mynamespace.myfederation.svc.example.com "
    "nginx.mynamespace.myfederation.svc.europe-west1.example.com no.example.com acme.com eu.nginx.acme.com "
    "a.pages.acme.com er.pages.acme.com nginx.mynamespace.apps.acme.com no.acme.com"
)
PATIENCE = 180.0  # seconds
pytestmark = pytest.mark.timeout(2 * PATIENCE)
CUT = "-----"
SHIM = Path(__file__).parent / "dnsviz_shim.py"


@pytest.fixture(scope="module")
def alone(tool: Callable[[str], str]) -> str:
    """`unshare`, where this user may have a network of his own."""
    path = tool("unshare")
    tool("ip")
    tried = subprocess.run([path, "-rn", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no namespaces here: {tried.stderr.strip()}")
    return path


def _there(alone: str, server: str, command: str) -> str:
    """What the shell command prints on that Internet, with `server` at both of our zones."""
    words = [alone, "-rn", sys.executable, "-m", "tests.conformance.internet", server, "sh", "-c", command]
    done = subprocess.run(
        words, cwd=field.ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def _zonemaster(alone: str, server: str) -> dict[str, list[dict[str, Any]]]:
    """Zone -> messages from NOTICE up."""
    commands = []
    for zone in internet.ZONES:
        servers = [f"--ns {host}.{zone}/{each}" for host, pair in internet.SERVERS.items() for each in pair]
        undelegated = "" if server == internet.SIGNED else " ".join(servers)  # a DS set is the parent's
        commands.append(
            f"zonemaster-cli --json --level NOTICE --no-progress --hints {{hints}} {undelegated} {zone}"
        )
    printed = _there(alone, server, " && ".join(commands)).splitlines()
    found = [json.loads(line) for line in printed if line.startswith("[")]
    assert len(found) == len(internet.ZONES), printed
    return dict(zip(internet.ZONES, found, strict=True))


def _said(messages: list[dict[str, Any]]) -> Counter[str]:
    return Counter(
        json.dumps([one["level"], one["tag"], one.get("args")], sort_keys=True) for one in messages
    )


@pytest.fixture(scope="module")
def judged(alone: str, tool: Callable[[str], str]) -> dict[str, list[dict[str, Any]]]:
    tool("zonemaster-cli")
    tool("nsd")  # the zones above ours
    return _zonemaster(alone, internet.PLAIN)


def test_zonemaster_finds_nothing_wrong(judged: dict[str, list[dict[str, Any]]]) -> None:
    for zone, messages in judged.items():
        assert [one for one in messages if one["level"] in GRAVE] == []
        assert {one["tag"] for one in messages} == NOTICES[zone] | UNSIGNED


def test_zonemaster_finds_nothing_wrong_with_signed_zones(alone: str, tool: Callable[[str], str]) -> None:
    tool("zonemaster-cli")
    tool("nsd")
    for zone, messages in _zonemaster(alone, internet.SIGNED).items():
        assert [one for one in messages if one["level"] in GRAVE] == []
        assert {one["tag"] for one in messages} == NOTICES[zone]


@pytest.mark.parametrize("server", PEERS)
def test_zonemaster_says_the_same_of_a_peer(
    judged: dict[str, list[dict[str, Any]]], alone: str, tool: Callable[[str], str], server: str
) -> None:
    tool(next(peer.program for peer in peers.PEERS if peer.name == server))
    theirs = _zonemaster(alone, server)
    assert {zone: _said(told) for zone, told in judged.items()} == {
        zone: _said(told) for zone, told in theirs.items()
    }


@pytest.mark.parametrize("server", [internet.PLAIN, internet.SIGNED, *PEERS])
def test_dnsviz_is_content(alone: str, tool: Callable[[str], str], server: str) -> None:
    """No error, no warning: answers, aliases, wildcards, empty names, denials, EDNS of the future."""
    program = tool("dnsviz")
    python = Path(program).read_text().splitlines()[0].removeprefix("#!")
    dnsviz = f"env -u PYTHONPATH {python} {SHIM} {program}"
    signed = server == internet.SIGNED
    trust = "-t {home}/anchors" if signed else ""
    probe = f"{dnsviz} probe -d 0 -A -E -a . -x .:{internet.ROOT}={internet.ROOTS[0]} {ASKED}"
    grok = f"{dnsviz} grok {trust} -r {{home}}/probed -l"
    found, everything = _there(
        alone, server, f"{probe} > {{home}}/probed && {grok} warning && echo {CUT} && {grok} info"
    ).split(CUT)
    assert _complaints(json.loads(found or "{}")) == []
    seen = json.loads(everything)
    assert {f"{name}." for name in ASKED.split()} <= set(seen)
    status = {name: told.get("delegation", {}).get("status") for name, told in seen.items()}
    assert [status[f"{zone}."] for zone in internet.ZONES] == ["SECURE" if signed else "INSECURE"] * 2


def _complaints(found: Any, where: str = "") -> list[str]:
    if isinstance(found, list):
        return [one for each in found for one in _complaints(each, where)]
    if not isinstance(found, dict):
        return []
    here = [f"{where}: {each}" for key in ("errors", "warnings") for each in found.get(key, ())]
    return here + [one for key, value in found.items() for one in _complaints(value, f"{where}/{key}")]


CHECKERS = (
    ("named-checkzone", "named-checkzone -i local {origin} {file}"),
    ("nsd-checkzone", "nsd-checkzone {origin} {file}"),
    ("kzonecheck", "kzonecheck -o {origin} {file}"),
    ("ldns-read-zone", "ldns-read-zone {file}"),
    ("validns", "validns -z {origin} {file}"),
)
UNREAD = {("validns", "acme.com")}  # it is older than CAA and HTTPS


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Origin -> `fedns zone dump`."""
    place = world.World(tmp_path_factory.mktemp("dumped"))
    place.put("zones/acme.com.zone", field.STATIC["acme.com."].read_text())
    with world.settled(place) as served:
        return {zone: served.fedns("zone", "dump", zone).stdout for zone in internet.ZONES}


@pytest.mark.parametrize(("program", "command"), CHECKERS)
def test_zone_checkers_accept_what_is_dumped(
    program: str, command: str, dumped: dict[str, str], tmp_path: Path, tool: Callable[[str], str]
) -> None:
    path = tool(program)
    for origin in sorted(set(internet.ZONES) - {zone for one, zone in UNREAD if one == program}):
        file = tmp_path / origin
        file.write_text(dumped[origin])
        words = command.format(origin=origin, file=file).split()
        done = subprocess.run([path, *words[1:]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{origin}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize(("peer", "failing"), [("Knot", []), ("NSD", []), ("BIND", ["8.1.3.1 cd"])])
def test_rfc8906_probes_of_the_peers(
    peer: str, failing: list[str], tmp_path: Path, tool: Callable[[str], str]
) -> None:
    """What docs/conformance.md says of them; ours must pass all (test_probes.py)."""
    kind = next(each for each in peers.PEERS if each.name == peer)
    with peers.serving(kind, tool(kind.program), tmp_path, {probes.ORIGIN: probes.ZONE}) as port:
        exchange = probes.over_socket("127.0.0.1", port, 5.0)
        found = [each.id for each in probes.RFC8906 if probes.judge(each, exchange(each.packet, each.stream))]
    assert found == failing
