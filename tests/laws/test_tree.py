"""What may lie in the repository: the agreed rooms, and nothing that belongs to one machine."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP = {
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "constraints.txt",
    "deploy",
    "docs",
    "fedns",
    "pyproject.toml",
    "setup.py",
    "tests",
    "zones",
}
ELSEWHERE = re.compile(r"--(extra-)?index-url|--find-links|--trusted-host|/(work|home|root)/[a-z]")


def tracked() -> list[str]:
    try:
        listing = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return listing.stdout.split("\n")[:-1]


def test_the_top_level_is_the_agreed_one() -> None:
    found = {name.split("/")[0] for name in tracked()}
    strange = {name for name in found if not name.startswith(".")} - TOP
    assert not strange, strange


def test_nothing_points_at_one_machine_or_one_package_index() -> None:
    marks = []
    for name in tracked():
        path = ROOT / name
        if (
            path.suffix in (".py", ".md", ".toml", ".txt", ".yaml", "")
            and path.is_file()
            and name[:6] != "tests/"
        ):
            marks += [f"{name}: {found[0]}" for found in [ELSEWHERE.search(path.read_text())] if found]
    assert not marks, marks


def test_no_unfinished_marks() -> None:
    left = [
        name
        for name in tracked()
        if name.startswith("fedns/") and name.endswith(".py") and (ROOT / name).is_file()
        if re.search(r"\b(TODO|FIXME|XXX)\b", (ROOT / name).read_text())
    ]
    assert not left, left
