"""The unit: systemd takes it, and what it may is little."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy import objects

UNIT = objects.DEPLOY / "systemd" / "fedns.service"
COMMAND = "/opt/fedns/bin/fedns"
EXPOSED = "20"
"""The most that `systemd-analyze security` may say, in tenths."""


def analyze(unit: Path, *words: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([found, *words, str(unit)], capture_output=True, text=True, timeout=60)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a command that exists on this machine."""
    moved = tmp_path / "fedns.service"
    moved.write_text(UNIT.read_text().replace(COMMAND, shutil.which("true") or COMMAND))
    return moved


def settings() -> dict[str, str]:
    lines = (line.partition("=") for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#")
    return {name: value for name, _, value in lines}


def test_it_has_one_right_and_one_place_to_write() -> None:
    found = settings()
    assert found["AmbientCapabilities"] == found["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"
    assert (found["ProtectSystem"], found["DynamicUser"], found["StateDirectory"]) == (
        "strict",
        "yes",
        "fedns",
    )
    assert found["ExecStart"] == f"{COMMAND} serve --config /etc/fedns/fedns.yaml"


def test_systemd_takes_it(unit: Path) -> None:
    done = analyze(unit, "verify", "--man=no")
    assert done.returncode == 0 and "fedns.service" not in done.stderr, done.stderr


def test_it_is_little_exposed(unit: Path) -> None:
    done = analyze(unit, "security", "--offline=yes", f"--threshold={EXPOSED}", "--no-pager")
    assert done.returncode == 0, done.stdout + done.stderr
