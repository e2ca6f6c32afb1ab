"""Docs execute: what README.md and docs/ tell a reader to type works as printed.

Law: in a fenced `console` block a line `$ COMMAND` is run in a shell beside a freshly started demo
(its ports moved aside), and the lines below it must be lines of its output, `...` standing for anything;
spaces count as one, order does not count, and a `+short` answer has no other lines than those.
`make` commands are checked for their target; `fedns serve` and `demo start` run until stopped, so they
stand in `sh` blocks; `shell-session` blocks belong to a test of their page alone. A fenced `yaml` block that
begins a configuration must load, and so must a policy; one that begins with `# PATH` is that file for the
commands of its page.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from fedns import config
from fedns.model import policy
from fedns.sources import change, policies, watch
from tests.bench import serving

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w./-]+/[\w.-]+\.yaml)\n")
DEMO = [sys.executable, "-m", "fedns.cli.main", "demo", "start"]
PATIENCE = 30.0
"""Seconds in which a documented effect must show: probes and damping take their time."""


class Step(NamedTuple):
    """One `$` line and what must be seen after it."""

    command: str
    expected: tuple[str, ...]


class Ports(NamedTuple):
    """Where the demo runs instead of at 5300, 9053 and 8080."""

    dns: int
    admin: int
    backend: int

    def move(self, text: str) -> str:
        here = {"5300": self.dns, "9053": self.admin, "8080": self.backend}
        text = re.sub("|".join(here), lambda usual: str(here[usual[0]]), text)
        text = text.replace(".venv/bin/fedns", "fedns")
        text = text.replace(
            "fedns demo pod", f"fedns demo pod --dns 127.0.0.1:{self.dns} --port {self.backend}"
        )
        return re.sub(r"(fedns demo (?:fail|heal) \S+)", rf"\1 --port {self.backend}", text)


def blocks(page: Path, language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(page.read_text()) if kind == language]


def steps(page: Path) -> list[Step]:
    return [step for body in blocks(page, "console") for step in typed(body)]


def typed(body: str) -> list[Step]:
    """The steps of one block."""
    found: list[tuple[str, list[str]]] = []
    for line in body.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append((line[2:].split("  #")[0].strip(), []))
        elif found and line.strip():
            found[-1][1].append(line)
    return [Step(command, tuple(expected)) for command, expected in found]


def plain(lines: list[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines if line.strip()]


def matches(step: Step, output: str) -> bool:
    """Every expected line is a line of the output; a `+short` answer has no others."""
    lines, wanted = plain(output.splitlines()), plain(list(step.expected))
    if "+short" in step.command and wanted:
        return sorted(lines) == sorted(wanted)
    patterns = (re.escape(line).replace(r"\.\.\.", ".*") for line in wanted)
    return all(any(re.fullmatch(pattern, line) for line in lines) for pattern in patterns)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return shell(tmp_path)


def shell(folder: Path) -> dict[str, str]:
    """A shell's environment in which `fedns` is this checkout's."""
    shim = folder / "bin" / "fedns"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fedns.cli.main "$@"\n')
    shim.chmod(0o755)
    path = os.pathsep.join([str(shim.parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture
def demo(tmp_path: Path, environment: dict[str, str]) -> Iterator[Ports]:
    """The demo fleet, able to answer."""
    ports = Ports(*(serving.free_port() for _ in range(3)))
    environment["FEDNS_ADMIN"] = f"127.0.0.1:{ports.admin}"
    options = ["--dns", f"127.0.0.1:{ports.dns}", "--admin", f"127.0.0.1:{ports.admin}"]
    options += ["--port", str(ports.backend), "--dir", str(tmp_path / "demo")]
    with (tmp_path / "demo.log").open("w") as log:
        process = subprocess.Popen(DEMO + options, env=environment, cwd=tmp_path, stdout=log, stderr=log)
        try:
            ready = Step("fedns status", ())
            perform(ready, tmp_path, environment)
            yield ports
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def run(command: str, folder: Path, environment: dict[str, str], longest: float = 20) -> tuple[int, str]:
    """Exit status and output; a command that watches is stopped after a moment, which is no failure."""
    watches = "--watch" in command
    started = subprocess.Popen(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = started.communicate(timeout=3 if watches else longest)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)  # the shell and what it started
        output, _ = started.communicate()
        return (0 if watches else 124), output
    return started.returncode, output


def perform(step: Step, folder: Path, environment: dict[str, str], longest: float = 20) -> str:
    """Runs the step until it shows what it must, and its output; fails when it does not within PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while True:
        status, output = run(step.command, folder, environment, longest)
        if status == 0 and matches(step, output):
            return output
        if time.monotonic() > deadline:
            wanted = "\n".join(step.expected)
            pytest.fail(
                f"$ {step.command}\nexit {status}, printed:\n{output}\nwanted:\n{wanted}", pytrace=False
            )
        time.sleep(0.2)


def write(page: Path, folder: Path) -> None:
    """The files that a page shows."""
    for body in blocks(page, "yaml"):
        named = FILE.match(body)
        if named:
            path = folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)


def has_steps(page: Path) -> bool:
    return page.exists() and any(not step.command.startswith("make") for step in steps(page))


@pytest.mark.parametrize("page", [p for p in PAGES if has_steps(p)], ids=lambda p: p.name)
def test_every_command_works_as_printed(
    page: Path, demo: Ports, tmp_path: Path, environment: dict[str, str], tool: Callable[[str], str]
) -> None:
    tool("dig")
    write(page, tmp_path)
    for step in steps(page):
        if step.command.startswith("make"):
            continue
        moved = Step(demo.move(step.command), tuple(demo.move(line) for line in step.expected))
        perform(moved, tmp_path, environment)


def test_every_make_target_named_in_the_docs_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        (page.name, target)
        for page in PAGES
        if page.exists()
        for target in re.findall(r"(?:`|^\$ |^)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    missing = {(page, target) for page, target in named if target not in targets}
    assert not missing, missing


def test_every_configuration_in_the_docs_loads() -> None:
    for page in (page for page in PAGES if page.exists()):
        for body in blocks(page, "yaml"):
            if re.search(r"^federation:", body, re.MULTILINE):
                loaded = config.parse(body.encode(), str(page))
                assert loaded.config is not None, [str(problem) for problem in loaded.problems]


def test_policies_in_the_docs_are_sound_and_show_every_field(tmp_path: Path) -> None:
    shown = [body for page in PAGES for body in blocks(page, "yaml") if "kind: TrafficPolicy" in body]
    heard: list[change.Change] = []
    for number, body in enumerate(shown):
        (tmp_path / f"{number}.yaml").write_text(body)
    defaults = policy.TrafficPolicy()
    policies.Fleet(str(tmp_path), watch.Watcher(), defaults, policy.ProbeSpec()).look(None, heard.append)
    news, problems = heard
    assert isinstance(news, change.PolicyChange) and news.policies
    assert isinstance(problems, change.ProblemsChange) and problems.problems == ()
    shapes = (policy.TrafficPolicy, policy.ProbeSpec, policy.HealthSettings, policy.Ttl)
    fields = {field for shape in shapes for field in shape.__struct_encode_fields__} - {"passive_age"}
    camel = {re.sub("_(.)", lambda found: found[1].upper(), field) for field in fields}
    assert not {field for field in camel if not re.search(rf"\b{field}:", "".join(shown))}


def test_every_link_between_pages_leads_somewhere() -> None:
    dead = [
        f"{page.name}: {target}"
        for page in PAGES
        if page.exists()
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not dead, dead
