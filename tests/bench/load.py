"""The load: dnsperf on a core of its own, and what it tells.

Law: the server is judged by its CPU time for the answers it gave, so the load may be the slower of the two.
"""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import peers

CORE = "1"
LEAST = 0.01  # of the clock: CPU time below which nothing is told
LOST = 1.0  # seconds that dnsperf waits for an answer


class Round(NamedTuple):
    """One run against one server: answers, those that never came, clock and CPU seconds."""

    answers: int
    lost: int
    clock: float
    cpu: float

    @property
    def per_cpu(self) -> float:
        """Answers per CPU-second of the server; 0 where it hardly worked: there is nothing to tell."""
        return self.answers / self.cpu if self.cpu >= LEAST * self.clock else 0.0

    @property
    def per_second(self) -> float:
        return self.answers / self.clock


class Manner(NamedTuple):
    """How questions are put: the file that holds them, to which port, and dnsperf's options."""

    file: Path
    port: int
    options: Sequence[str] = ()


def measure(server: peers.Server, manner: Manner, seconds: float) -> Round:
    """As fast as both can."""
    before = server.cpu()
    told = _finish(start(manner, seconds))
    return _round(told, server.cpu() - before)


def together(server: peers.Server, manner: Manner, seconds: float, cores: Sequence[str]) -> Round:
    """A dnsperf on each of the cores at the same time."""
    before = server.cpu()
    told = [_finish(each) for each in [start(manner, seconds, core) for core in cores]]
    used = server.cpu() - before
    rounds = [_round(each, used) for each in told]
    clock = max(each.clock for each in rounds)
    return Round(sum(each.answers for each in rounds), sum(each.lost for each in rounds), clock, used)


def latency(manner: Manner, seconds: float, rate: float) -> float:
    """The 99th percentile in microseconds at so many queries per second; lost ones count as LOST."""
    slower = manner._replace(options=(*manner.options, "-Q", str(int(rate)), "-v"))
    lines = [line for line in _finish(start(slower, seconds)).splitlines() if line.startswith("> ")]
    times = sorted(LOST if line.startswith("> T ") else float(line.rsplit(" ", 1)[1]) for line in lines)
    if not times:
        raise RuntimeError("dnsperf timed no answer")
    return times[int(len(times) * 0.99)] * 1e6


class Running(NamedTuple):
    """dnsperf at work. A file takes what it prints: from a pipe we would read while it measures."""

    process: "subprocess.Popen[bytes]"
    output: "tempfile._TemporaryFileWrapper[str]"


def start(manner: Manner, seconds: float, core: str = CORE) -> Running:
    output = tempfile.NamedTemporaryFile("w+", prefix="dnsperf-")  # noqa: SIM115
    command = ["taskset", "-c", core, "dnsperf", "-s", "127.0.0.1", "-p", str(manner.port), "-B"]
    command += ["-d", str(manner.file), "-t", str(LOST), "-l", str(seconds), *manner.options]
    return Running(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT), output)


def _finish(running: Running) -> str:
    running.process.wait()
    with running.output as output:
        output.seek(0)
        return output.read()


def _round(told: str, used: float) -> Round:
    answers, lost = (int(_found(rf"Queries {what}:\s+(\d+)", told)) for what in ("completed", "lost"))
    return Round(answers, lost, float(_found(r"Run time \(s\):\s+([\d.]+)", told)), used)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"dnsperf said: {text[-2000:]}")
    return match[1]
