"""Where code may live and what a process loads: the run-time half of the import contracts."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMELESS = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}

WORKER_MAY_LOAD = {
    "fedns",
    "fedns.dns",
    "fedns.dns.content",
    "fedns.dns.difference",
    "fedns.dns.journal",
    "fedns.dns.permit",
    "fedns.dns.transfer",
    "fedns.dns.tsig",
    "fedns.dns.edns",
    "fedns.dns.lookup",
    "fedns.dns.message",
    "fedns.dns.client",
    "fedns.dns.cookie",
    "fedns.dns.denial",
    "fedns.dns.sealed",
    "fedns.dns.signing",
    "fedns.dns.node",
    "fedns.dns.opt",
    "fedns.dns.padding",
    "fedns.dns.places",
    "fedns.dns.query",
    "fedns.dns.rate",
    "fedns.dns.resolve",
    "fedns.dns.respond",
    "fedns.dns.wire",
    "fedns.errors",
    "fedns.logs",
    "fedns.servers",
    "fedns.servers.batch",
    "fedns.servers.copied",
    "fedns.servers.counters",
    "fedns.servers.crowd",
    "fedns.servers.dns_copy",
    "fedns.servers.dns_tcp",
    "fedns.servers.dns_udp",
    "fedns.servers.current",
    "fedns.servers.dns_worker",
    "fedns.servers.geodata",
    "fedns.servers._core",
    "fedns.servers._gate",
    "fedns.servers.errands",
    "fedns.servers.prompt",
    "fedns.servers.tls",
    "fedns.stamps",
    "fedns.tables",
}
GATEWAY_MAY_LOAD = {
    "fedns",
    "fedns.errors",
    "fedns.gateway",
    "fedns.gateway.access",
    "fedns.gateway.affinity",
    "fedns.gateway.answer",
    "fedns.gateway.balance",
    "fedns.gateway.canary",
    "fedns.gateway.cors",
    "fedns.gateway.decide",
    "fedns.gateway.fields",
    "fedns.gateway.head",
    "fedns.gateway.matching",
    "fedns.gateway.normal",
    "fedns.gateway.options",
    "fedns.gateway.rewrite",
    "fedns.gateway.ring",
    "fedns.gateway.route",
    "fedns.gateway.terms",
    "fedns.gateway.variables",
    "fedns.logs",
    "fedns.proxy",
    "fedns.proxy._swift",
    "fedns.proxy.accesslog",
    "fedns.proxy.admission",
    "fedns.proxy.allowance",
    "fedns.proxy.aside",
    "fedns.proxy.bench",
    "fedns.proxy.blame",
    "fedns.proxy.braid",
    "fedns.proxy.budget",
    "fedns.proxy.credential",
    "fedns.proxy.crossing",
    "fedns.proxy.depot",
    "fedns.proxy.directory",
    "fedns.proxy.doorman",
    "fedns.proxy.dressing",
    "fedns.proxy.exchange",
    "fedns.proxy.external",
    "fedns.proxy.fitting",
    "fedns.proxy.framing",
    "fedns.proxy.hall",
    "fedns.proxy.hello",
    "fedns.proxy.identity",
    "fedns.proxy.inbound",
    "fedns.proxy.journey",
    "fedns.proxy.manner",
    "fedns.proxy.mirrors",
    "fedns.proxy.onward",
    "fedns.proxy.outbound",
    "fedns.proxy.pace",
    "fedns.proxy.pacing",
    "fedns.proxy.passwords",
    "fedns.proxy.plain",
    "fedns.proxy.reading",
    "fedns.proxy.relay",
    "fedns.proxy.request",
    "fedns.proxy.seals",
    "fedns.proxy.strand",
    "fedns.proxy.substitute",
    "fedns.proxy.swift",
    "fedns.proxy.throttle",
    "fedns.proxy.trunk",
    "fedns.proxy.tunnel",
    "fedns.proxy.visits",
    "fedns.proxy.weave",
    "fedns.proxy.worker",
    "fedns.servers",
    "fedns.servers.current",
    "fedns.servers.ledger",
    "fedns.servers.tally",
    "fedns.tables",
}
WORKER_NEVER_LOADS = {
    "yaml",
    "dnslib",
    "dns",
    "aiohttp",
    "kubernetes",
    "typer",
    "rich",
    "watchfiles",
    "cryptography",
}


def loaded_by(module: str) -> set[str]:
    """Names of all modules that a fresh interpreter holds after importing `module`."""
    code = f"import sys; import {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    return set(done.stdout.split())


def test_a_worker_loads_tables_and_the_hot_path_only() -> None:
    loaded = loaded_by("fedns.servers.dns_worker")
    ours = {name for name in loaded if name == "fedns" or name.startswith("fedns.")}
    assert ours <= WORKER_MAY_LOAD, sorted(ours - WORKER_MAY_LOAD)
    assert not loaded & WORKER_NEVER_LOADS, sorted(loaded & WORKER_NEVER_LOADS)


def test_a_gateway_worker_loads_tables_and_the_hot_path_only() -> None:
    loaded = loaded_by("fedns.proxy.worker")
    ours = {name for name in loaded if name == "fedns" or name.startswith("fedns.")}
    assert ours <= GATEWAY_MAY_LOAD, sorted(ours - GATEWAY_MAY_LOAD)
    assert not loaded & WORKER_NEVER_LOADS, sorted(loaded & WORKER_NEVER_LOADS)


def test_the_kubernetes_library_is_loaded_only_by_who_reads_a_kubeconfig() -> None:
    loaded = loaded_by("fedns.kube.informer")
    assert "fedns.kube.access" in loaded and "kubernetes" not in loaded


def test_a_command_that_serves_waits_for_no_other_to_load() -> None:
    """Each load here is time until a restart answers."""
    late = {
        "aiohttp",
        "jsonpatch",
        "fedns.app",
        "fedns.cli.examine",
        "fedns.cli.prospect",
        "fedns.kube.client",
    }
    loaded = loaded_by("fedns.cli.main")
    assert "fedns.cli.serve" in loaded and not loaded & late, sorted(loaded & late)


def test_init_files_are_empty() -> None:
    full = [path for path in (ROOT / "fedns").rglob("__init__.py") if path.read_text().strip()]
    assert not full, full


def test_every_folder_of_code_is_a_package() -> None:
    bare = {p.parent for p in (ROOT / "fedns").rglob("*.py") if not (p.parent / "__init__.py").exists()}
    assert not bare, bare


def test_no_room_has_a_name_that_says_nothing() -> None:
    vague = [path for path in (ROOT / "fedns").rglob("*") if path.stem in NAMELESS]
    assert not vague, vague
