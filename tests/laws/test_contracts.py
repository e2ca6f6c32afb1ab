"""The import contracts of pyproject.toml hold, and each of them bites when it is broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"

TAMPERINGS = [
    ("fedns/model/health.py", "import asyncio", "Only the edges touch the world"),
    ("fedns/servers/dns_udp.py", "from fedns.model import facts", "a worker never loads the model"),
    (
        "fedns/dns/respond.py",
        "from fedns.dns import federation",
        "The DNS hot path stands on the table alone",
    ),
    ("fedns/sources/manifests.py", "from fedns.dns import names", "What comes in knows nothing"),
    ("fedns/sources/manifests.py", "from fedns.gateway import annotations", "What comes in knows nothing"),
    (
        "fedns/gateway/canary.py",
        "from fedns.gateway import site",
        "The gateway's data path stands on",
    ),
    ("fedns/gateway/balance.py", "from fedns.model import facts", "The gateway's data path knows no model"),
    ("fedns/gateway/endpoints.py", "import time", "Only the edges touch the world"),
    ("fedns/gateway/head.py", "from fedns.dns import wire", "Data flows one way"),
    ("fedns/servers/dns_udp.py", "from fedns.servers import dns_tcp", "Listeners do not know each other"),
    ("fedns/dns/zones.py", "from fedns.kube import access", "API servers are the sources' business"),
    ("fedns/distribute/rights.py", "from fedns.dns import names", "What goes out knows API servers"),
    ("fedns/utils.py", "", "Data flows one way"),
]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("path", "line", "contract"), TAMPERINGS)
def test_a_broken_law_is_caught(tmp_path: Path, path: str, line: str, contract: str) -> None:
    shutil.copytree(ROOT / "fedns", tmp_path / "fedns", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / path).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint(tmp_path)
    assert done.returncode != 0
    broken = [row for row in done.stdout.splitlines() if row.endswith("BROKEN") or contract in row]
    assert any(contract in row for row in broken), done.stdout
