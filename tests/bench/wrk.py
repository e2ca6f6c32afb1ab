"""The load on a gateway, on a core of its own: wrk as fast as both can, h2load at a given rate.

Law: the server is judged by the CPU time that the kernel says it used, so the load may be the slower of the
two. Answers that are none are a failure of the bench, not a figure.
"""

import re
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

CORE = "1"
CONNECTIONS = 64
MIB = 1 << 20
PATIENCE = 60.0  # seconds; a run that takes longer is none


class Round(NamedTuple):
    """One run against one server: answers, clock and CPU seconds."""

    answers: int
    clock: float
    cpu: float

    @property
    def per_cpu(self) -> float:
        return self.answers / self.cpu

    @property
    def per_second(self) -> float:
        return self.answers / self.clock


class Manner(NamedTuple):
    """How requests are put. `scripted`: lines of Lua."""

    url: str
    host: str
    scripted: str = ""
    connections: int = CONNECTIONS
    close: bool = False


def measure(manner: Manner, seconds: float, cpu: Callable[[], float]) -> Round:
    command = ["wrk", "-t1", f"-c{manner.connections}", f"-d{seconds:g}s", "-H", f"Host: {manner.host}"]
    if manner.close:
        command += ["-H", "Connection: close"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(manner.scripted)
        script.flush()
        if manner.scripted:
            command += ["-s", script.name]
        before = cpu()
        told = _run([*command, manner.url])
        used = cpu() - before
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    found = re.search(r"(\d+) requests in ([\d.]+)(m?s)", told)
    if wrong or not found or not int(found[1]):
        raise RuntimeError(f"{manner.url}: wrk says: {told[-2000:]}")
    return Round(int(found[1]), float(found[2]) / (1000 if found[3] == "ms" else 1), used)


def requests(names: Sequence[str], prefixes: Sequence[str], count: int = 4096) -> str:
    """A script that asks all hosts and paths in turn, far from each other."""
    wanted = (
        (names[at * 7919 % len(names)], prefixes[at * 104729 // 7 % len(prefixes)]) for at in range(count)
    )
    lines = ",\n".join(
        f'"GET {prefix}/items?id=1 HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n"' for name, prefix in wanted
    )
    return f"local all, at = {{{lines}}}, 0\nfunction request() at = at % #all + 1 return all[at] end\n"


UPLOAD = f'wrk.method = "POST"\nwrk.body = string.rep("x", {MIB})\n'


def latency(manner: Manner, seconds: float, rate: float) -> float:
    """The 99th percentile in microseconds at so many requests a second."""
    clients = 32
    with tempfile.TemporaryDirectory(prefix="fedns-h2load-") as home:
        log = Path(home) / "log"
        command = ["h2load", "--h1", f"-c{clients}", f"-n{int(rate * seconds)}", f"--rps={rate / clients:g}"]
        there, target = manner.url.removeprefix("http://").split("/", 1)
        command += [f"--log-file={log}", f"--connect-to={there}", f"http://{manner.host}/{target}"]
        told = _run(command)
        rows = [line.split("\t") for line in log.read_text().splitlines()]
    times = sorted(int(row[2]) for row in rows if row[1] == "200")
    if len(times) < len(rows) or len(times) < 0.8 * rate * seconds:
        raise RuntimeError(f"h2load had {len(times)} answers: {told[-2000:]}")
    return float(times[int(len(times) * 0.99)])


def middle(values: Sequence[float]) -> float:
    return statistics.median(values)


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(["taskset", "-c", CORE, *command], capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout + done.stderr
