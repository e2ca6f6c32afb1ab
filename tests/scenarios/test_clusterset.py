"""A cluster set of two members, served to `dig` by `fedns serve`: exports come and go, endpoints too."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios import world
from tests.scenarios.world import Served, World

TOP = "svc.clusterset.local"
WEB, DB = f"web.shop.{TOP}", f"db.shop.{TOP}"
SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{{spec}, ports: [{{name: http, port: {port}, targetPort: 8080}}]}}
{status}
"""
EXPORT = """---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {{name: {name}, namespace: shop, creationTimestamp: "{at}"}}
"""
SLICE = """---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: shop, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: http, port: 8080}}]
endpoints:
{rows}
"""
ROW = "- {{addresses: [{0}], hostname: {1}, conditions: {{ready: {2}}}}}"
IMPORT = """apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceImport
metadata: {name: web, namespace: shop}
spec: {type: ClusterSetIP, ips: [10.98.0.7], ports: [{name: http, port: 80}]}
"""
CALLED = """apiVersion: about.k8s.io/v1beta1
kind: ClusterProperty
metadata: {name: cluster.clusterset.k8s.io}
spec: {value: eu-1}
"""
OLD, NEW = "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"
MEMBERS = """
  - {name: us, region: us-east1, zones: [us-east1-b], manifests: members/us/, clients: [127.0.1.0/24]}
  - {name: eu, region: europe-west1, zones: [europe-west1-b], manifests: members/eu/, clients: [127.0.2.0/24]}
"""


def balanced(address: str, at: str, port: int = 80) -> str:
    """`web`, by a load balancer."""
    status = f"status: {{loadBalancer: {{ingress: [{{ip: {address}}}]}}}}"
    told = SERVICE.format(name="web", spec="type: LoadBalancer", port=port, status=status)
    rows = ROW.format("10.0.0.1", "w-0", "true")
    return told + (EXPORT.format(name="web", at=at) if at else "") + SLICE.format(name="web", rows=rows)


def headless(*rows: tuple[str, str, str], at: str = OLD) -> str:
    """`db`, by its endpoints."""
    told = SERVICE.format(name="db", spec="clusterIP: None", port=5432, status="")
    lines = "\n".join(ROW.format(*row) for row in rows)
    return told + EXPORT.format(name="db", at=at) + (SLICE.format(name="db", rows=lines) if rows else "")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = World(tmp_path_factory.mktemp("clusterset"))
    made.configure()
    text = made.config.read_text()
    head, _, rest = text.partition("members:")
    _, mark, tail = rest.partition("dns: {")
    made.put("fedns.yaml", f"{head}clusterset: {{domain: clusterset.local}}\nmembers:{MEMBERS}{mark}{tail}")
    made.put("members/us/web.yaml", balanced("192.0.2.1", OLD))
    made.put("members/eu/web.yaml", balanced("192.0.2.2", ""))
    made.put("members/us/db.yaml", headless(("10.1.0.5", "db-0", "true"), ("10.1.0.6", "db-1", "false")))
    made.put("members/eu/db.yaml", headless(("10.2.0.5", "db-0", "true")))
    made.put("members/eu/called.yaml", CALLED)
    with world.serve(made) as running:
        running.shows(WEB, world.records(["192.0.2.1"]))
        yield running


@pytest.fixture
def dig(served: Served, tool: Callable[[str], str]) -> Callable[..., list[str]]:
    """Asks from within a member; sorted lines, or the code where there are none."""
    program = tool("dig")

    def run(name: str, rtype: str = "A", inside: str = "us") -> list[str]:
        source = {"us": "127.0.1.1", "eu": "127.0.2.1"}[inside]
        words = [program, "-b", source, "@127.0.0.1", "-p", str(served.port), name, rtype, "+noall"]
        words += ["+answer", "+comments", "+tries=3", "+timeout=5"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=world.LONG, check=True)
        lines = done.stdout.splitlines()
        found = [line.split(maxsplit=4)[4] for line in lines if line and line[0] != ";"]
        status = next(line.split("status: ")[1].split(",")[0] for line in lines if "status: " in line)
        return sorted(found) or [status]

    return run


def test_one_address_for_all_or_that_of_the_import(served: Served, dig: Callable[..., list[str]]) -> None:
    assert dig(f"dns-version.{TOP.partition('.')[2]}", "TXT") == ['"1.0.0"']
    assert dig(WEB) == ["192.0.2.1"]
    assert dig(f"_http._tcp.{WEB}", "SRV") == [f"0 100 80 {WEB}."]
    assert dig(f"us.{WEB}") == dig(f"eu.{WEB}") == dig(f"other.shop.{TOP}") == ["NXDOMAIN"]
    made = served.world
    made.put("members/eu/import.yaml", IMPORT)
    world.until(lambda: dig(WEB, "A", "eu") == ["10.98.0.7"], "the clusterset IP")
    world.until(lambda: dig(WEB) == ["10.98.0.7"], "it is the same for all, as nobody has another")
    (made.root / "members/eu/import.yaml").unlink()
    served.shows(WEB, world.records(["192.0.2.1"]), "without the import")


def test_headless_by_endpoints_and_members(dig: Callable[..., list[str]]) -> None:
    assert dig(DB) == ["10.1.0.5", "10.2.0.5"]
    assert dig(f"db-0.us.{DB}") == ["10.1.0.5"] and dig(f"db-0.eu-1.{DB}") == ["10.2.0.5"]
    assert dig(f"db-1.us.{DB}") == dig(f"db-0.eu.{DB}") == ["NXDOMAIN"]
    targets = [f"0 50 8080 db-0.eu-1.{DB}.", f"0 50 8080 db-0.us.{DB}."]
    assert dig(f"_http._tcp.{DB}", "SRV") == targets


def test_what_is_told_of_it(served: Served) -> None:
    told = served.fedns("explain", WEB).stdout
    assert "a service of the cluster set (one address), exported by us" in told and "192.0.2.1" in told
    told = served.fedns("explain", f"db-0.eu-1.{DB}").stdout
    assert "headless" in told and "us: 1 ready of 2 endpoints" in told and "eu: 1 ready of 1" in told
    assert "make a ServiceExport" in served.fedns("explain", f"other.shop.{TOP}").stdout
    dumped = served.fedns("zone", "dump", "clusterset.local").stdout.split("\n")
    assert f"db-0.eu-1.{DB}." in {line.split("\t")[0] for line in dumped if "10.2.0.5" in line}


def test_endpoints_come_and_go(served: Served, dig: Callable[..., list[str]]) -> None:
    made = served.world
    made.put("members/us/db.yaml", headless(("10.1.0.5", "db-0", "false"), ("10.1.0.6", "db-1", "true")))
    made.put("members/eu/db.yaml", headless())
    served.shows(DB, world.records(["10.1.0.6"]))
    assert dig(f"db-0.us.{DB}") == ["NXDOMAIN"] and dig(f"db-1.us.{DB}") == ["10.1.0.6"]
    made.put("members/us/db.yaml", headless(("10.1.0.5", "db-0", "false")))
    served.shows(DB, ("NXDOMAIN",), "no endpoint is ready")
    assert dig(f"_http._tcp.{DB}", "SRV") == dig(f"db-1.us.{DB}") == ["NXDOMAIN"]
    made.put("members/us/db.yaml", headless(("10.1.0.5", "db-0", "true"), ("10.1.0.6", "db-1", "false")))
    made.put("members/eu/db.yaml", headless(("10.2.0.5", "db-0", "true")))
    served.shows(DB, world.records(["10.1.0.5", "10.2.0.5"]))


def test_exports_that_disagree(served: Served, dig: Callable[..., list[str]]) -> None:
    made = served.world
    made.put("members/eu/web.yaml", balanced("192.0.2.2", NEW, port=8080))
    served.shows(WEB, world.records(["192.0.2.1", "192.0.2.2"]))
    assert dig(f"_http._tcp.{WEB}", "SRV") == [f"0 100 80 {WEB}."]
    world.until(lambda: "ServiceExport shop/web of member eu" in served.problems(), "the conflict is told")
    assert "port 'http' 8080/tcp, and us port 'http' 80/tcp" in served.problems()
    made.put("members/us/web.yaml", balanced("192.0.2.1", ""))
    served.shows(WEB, world.records(["192.0.2.2"]), "the older export is gone")
    assert dig(f"_http._tcp.{WEB}", "SRV") == [f"0 100 8080 {WEB}."]
    world.until(lambda: "ServiceExport" not in served.problems(), "nobody disagrees")
    made.put("members/eu/web.yaml", balanced("192.0.2.2", ""))
    served.shows(WEB, ("NXDOMAIN",), "nobody exports it")


def test_a_restart_serves_the_same_before_anything_is_read(served: Served, tmp_path: Path) -> None:
    """The state that control kept is that of the set, too: members that cannot be read have what they had."""
    made = World(tmp_path)
    made.put("fedns.yaml", served.world.config.read_text().replace(str(served.world.admin), str(made.admin)))
    shutil.copytree(served.world.root / "members/eu", tmp_path / "members/eu", dirs_exist_ok=True)
    shutil.copytree(served.world.root / "members/us", tmp_path / "members/us", dirs_exist_ok=True)
    shown = world.records(["10.1.0.5", "10.2.0.5"])
    with world.serve(made) as running:
        running.shows(DB, shown)
    shutil.rmtree(tmp_path / "members/eu")
    shutil.rmtree(tmp_path / "members/us")
    with world.serve(made) as running:
        world.until(lambda: "cannot be read" in running.problems(), "control has looked")
        running.shows(DB, shown, "after a restart without its members")
        assert running.answer(f"db-0.eu-1.{DB}") == ("A 10.2.0.5",)
