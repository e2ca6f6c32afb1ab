"""Clients inside a member: known by the listener that they came to, and served by the member's own agent.

Law: real processes; the agent goes on without the rest of the fleet.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import dns.reversename
import dns.zone
import pytest

from tests.bench import serving
from tests.fakes import kubecluster
from tests.scenarios import test_registry as registry
from tests.scenarios import world
from tests.scenarios.world import GLOBAL, Served, World

NEAREST = """apiVersion: fedns.io/v1alpha1
kind: TrafficPolicy
metadata: {name: nginx, namespace: mynamespace}
spec: {targetRef: {kind: Service, name: nginx}, strategy: Nearest}
"""
A, B, ASIA, EUROPE = "gce-us-central1-a", "gce-us-central1-b", "gce-asia-east1-c", "gce-europe-west1-b"
OWN = {A: "104.197.117.10", B: "104.197.74.77", ASIA: "104.155.41.93"}
FAR = "far.mynamespace.myfederation.svc"
LEVELS = ("us-central1-a.us-central1.", "us-central1.", "")
MORE = """places: [{prefix: 198.51.100.0/24, region: us-central1}]
reverse: {prefixes: [104.196.0.0/15, 130.211.57.0/24], inside: [10.0.0.0/16]}
transfer: {allow: [127.0.0.1/32]}
"""
LOCAL = "10.0.171.239"
POD = (
    "nginx.mynamespace.myfederation.svc.cluster.local",
    "nginx.mynamespace.svc.cluster.local",
    f"{FAR}.cluster.local",
    "nginx.mynamespace.myfederation.default.svc.cluster.local",
)
"""What the search path of a pod makes of `SERVICE.NAMESPACE.FEDERATION`, and what it is sent on to."""


def near(root: Path) -> World:
    """The world whose service is served by nearness."""
    made = World(root)
    made.put("fleet/nginx.yaml", NEAREST)
    return made


def local(made: World) -> None:
    """Gives one member's service an address inside its cluster."""
    shard = world.shard([OWN[A]], "us-central1-a").replace("type:", f"clusterIP: {LOCAL}, type:")
    made.put(f"members/{A}/nginx.yaml", shard)


def told(
    served: Served, at: int, tcp: bool = False, subnet: str = "", name: str = GLOBAL, rtype: str = "A"
) -> tuple[tuple[str, ...], str]:
    """What the listener in this place of `serve.json` says of a name, and the scope."""
    host, port = served.told()["listen"][at]
    options = [dns.edns.ECSOption(subnet, 24)] if subnet else []
    query = dns.message.make_query(name, rtype, use_edns=0, payload=1232, options=options)
    reply = (dns.query.tcp if tcp else dns.query.udp)(query, host, timeout=world.LONG, port=port)
    scopes = [str(each.scopelen) for each in reply.options if isinstance(each, dns.edns.ECSOption)]
    return world.answer(reply), "".join(scopes)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = near(tmp_path_factory.mktemp("inside"))
    local(made)
    text = (made.root / "fedns.yaml").read_text()
    ports = [serving.free_port(f"127.0.0.{at}") for at in (2, 3)]
    rows = [
        f"{{listen: '127.0.0.{at}:{port}', member: {name}}}"
        for at, port, name in zip((2, 3), ports, (A, ASIA), strict=True)
    ]
    text = text.replace("dns: {", f"dns: {{inside: [{', '.join(rows)}], ")
    made.put("fedns.yaml", text + MORE)
    with world.serve(made) as running:
        running.shows(GLOBAL, world.records(world.SERVING))
        yield running


@pytest.mark.parametrize("tcp", [False, True])
def test_who_asks_at_a_listener_of_a_member_is_inside_of_it(served: Served, tcp: bool) -> None:
    assert served.told()["inside"] == ["", A, ASIA]
    world.until(lambda: told(served, 1, tcp)[0] == (f"A {OWN[A]}",), "the member's own shard")
    assert told(served, 2, tcp)[0] == (f"A {OWN[ASIA]}",)
    assert len(told(served, 0, tcp)[0]) == len(world.SERVING)
    assert told(served, 1, tcp, "203.0.113.0") == ((f"A {OWN[A]}",), "0")
    assert told(served, 2, tcp, "198.51.100.0") == ((f"A {OWN[ASIA]}",), "0")
    assert told(served, 0, tcp, "198.51.100.0")[1] == "24"


def test_addresses_are_called_by_the_names_of_their_services(served: Served) -> None:
    for address in (*world.SERVING - {OWN[ASIA]}, world.ADDRESSES["europe-west1-b"]):
        owner = dns.reversename.from_address(address)
        assert served.answer(str(owner), "PTR") == (f"PTR {GLOBAL}.",)
    assert served.answer(str(dns.reversename.from_address("104.197.0.1")), "PTR") == ("NXDOMAIN",)
    assert served.answer(str(dns.reversename.from_address("9.9.9.9")), "PTR") == ("REFUSED",)
    assert told(served, 1, name=str(dns.reversename.from_address(LOCAL)), rtype="PTR")[0] == (
        "PTR nginx.mynamespace.svc.cluster.local.",
    )
    assert served.answer(str(dns.reversename.from_address(LOCAL)), "PTR") == ("NXDOMAIN",)
    copied = dns.zone.from_xfr(dns.query.xfr("127.0.0.1", "197.104.in-addr.arpa", port=served.port))
    assert len(list(copied.iterate_rdatasets("PTR"))) == 3
    steps = served.fedns("explain", "10.117.197.104.in-addr.arpa", "PTR").stdout
    assert GLOBAL in steps


def test_explain_asks_as_if_from_inside(served: Served) -> None:
    done = served.fedns("explain", GLOBAL, "--member", ASIA)
    assert (
        "the client is inside member gce-asia-east1-c, in zone asia-east1-c of region asia-east1"
        in done.stdout
    )
    assert f"A {OWN[ASIA]}" in done.stdout and OWN[A] not in done.stdout.split("Reply")[1]
    nobody = served.fedns("explain", GLOBAL, "--member", EUROPE)
    assert (
        nobody.returncode and "nobody is inside member 'gce-europe-west1-b'" in nobody.stderr + nobody.stdout
    )


def test_a_members_agent_goes_on_without_the_fleet(tmp_path: Path) -> None:
    """Started anew with every source gone, it answers as before: its own service, and the nearest shard."""
    made = near(tmp_path)
    local(made)
    made.put(f"members/{ASIA}/far.yaml", world.shard(["192.0.2.9"], "asia-east1-c", name="far"))
    with world.serve(made, "--member", A) as running:
        running.shows(GLOBAL, (f"A {OWN[A]}",))
        before = [running.answer(name) for name in POD]
        assert before == [
            ("CNAME nginx.mynamespace.svc.cluster.local.", f"A {LOCAL}"),
            (f"A {LOCAL}",),
            world.records(["192.0.2.9"], *(f"{FAR}.{level}example.com" for level in LEVELS)),
            ("NXDOMAIN",),
        ]
        assert "inside member gce-us-central1-a" in running.fedns("explain", GLOBAL).stdout
    for gone in ("members", "fleet", "zones"):
        shutil.move(made.root / gone, made.root / f"{gone}.gone")
    with world.serve(made, "--member", A) as running:
        running.shows(GLOBAL, (f"A {OWN[A]}",))
        world.until(running.up, "control")
        world.until(lambda: "members/gce-us-central1-a" in running.problems(), "a problem of the sources")
        for name, answer in zip(POD, before, strict=True):
            running.shows(name, answer)
        running.shows(GLOBAL, (f"A {OWN[A]}",))
        assert running.answer("www.acme.com") == ("A 192.0.2.80",)


def test_an_agent_cut_off_from_all_api_servers_begins_with_what_it_knew(tmp_path: Path) -> None:
    """Its member is one that the fleet registers: who that is, and how to reach it, is known too."""
    nginx = kubecluster.service("nginx", world.ADDRESSES[registry.ZONE])
    nginx["spec"]["clusterIP"] = LOCAL
    own = (f"CNAME {POD[1]}.", f"A {LOCAL}")
    with registry.estate(tmp_path) as found:
        found.fleet.put(registry.NEAREST)
        found.member.put(nginx)
        found.join()
        with world.serve(found.place, "--member", registry.NAME) as running:
            running.shows(POD[0], own)
            nearest = running.answer(GLOBAL)
            assert nearest == world.records([world.ADDRESSES[registry.ZONE]])
        found.fleet.stop()
        found.member.stop()
        with world.serve(found.place, "--member", registry.NAME) as running:
            running.shows(POD[0], own)
            world.until(lambda: running.problems().count("cannot be reached") > 1, "told", registry.TOLD)
            running.shows(POD[0], own)
            assert running.answer(GLOBAL) == nearest


def test_an_agent_of_nobody_does_not_start(tmp_path: Path) -> None:
    made = near(tmp_path)
    text = (made.root / "fedns.yaml").read_text()
    made.put("fedns.yaml", text.replace("fleet: {manifests: fleet/}\n", ""))
    command = [*world.FEDNS, "serve", "--config", str(made.config), "--member", "gce-mars"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=world.LONG, check=False)
    assert done.returncode == 1
    assert "--member: no member is called 'gce-mars' (the members are gce-us-central1-a, " in done.stderr
    made.put("fedns.yaml", text)  # with a fleet, an object of it may be called so
    with world.serve(made, "--member", "gce-mars") as running:
        said = "member: listeners are said to be inside member gce-mars: no member is called so"
        world.until(lambda: said in running.problems(), "a problem")
