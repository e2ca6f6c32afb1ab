"""`fedns serve` as a bench drives it: started whole, measured from outside through /proc."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVE = [sys.executable, "-c", "from fedns.cli.main import app; app()", "serve", "--config"]
TICK = os.sysconf("SC_CLK_TCK")
CONTROL, WORKER = "fedns.app", "fedns.servers.dns_worker"
"""How a process is known: the module that its command line names."""
PORTS = range(10_000, 32_768)
"""None that a client gets without asking: it would keep out who is to listen there a moment later."""

_chance = random.SystemRandom()


def free_port(host: str = "127.0.0.1") -> int:
    """A port of `host` that is free for UDP and TCP now."""
    for _ in range(50):
        port = _chance.choice(PORTS)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((host, port))
                udp.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError("no free port")


@contextmanager
def serve(config: Path, options: Sequence[str] = ()) -> Iterator[int]:
    """Runs `fedns serve` and yields its process id; its log is `serve.log` beside the configuration."""
    with (config.parent / "serve.log").open("w") as log:
        process = subprocess.Popen([*SERVE, str(config), *options], cwd=ROOT, stdout=log, stderr=log)
        try:
            yield process.pid
        finally:
            stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def certify(certificate: Path, key: Path, *subject: str) -> None:
    """A new P-256 key and its own certificate. `subject`: more of what `openssl req` takes."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "9", "-keyout", str(key), "-out", str(certificate), *subject]
    subprocess.run(command, check=True, capture_output=True)


def children(pid: int) -> list[int]:
    """All descendants of `pid`."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *children(int(child))]
    return found


def role(pid: int, module: str) -> list[int]:
    """Processes under `pid` that run `module`."""
    wanted = module.encode()
    return [child for child in children(pid) if wanted in Path(f"/proc/{child}/cmdline").read_bytes()]


def cpu(pid: int) -> float:
    """CPU seconds that `pid` has used, user and system, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def busy(pid: int) -> float:
    """The same to the nanosecond, of the threads that are still alive."""
    ran = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            ran += int((task / "schedstat").read_text().split()[0])
    return ran / 1e9


def memory(pid: int) -> dict[str, float]:
    """MiB from smaps_rollup. `private` is USS; `anonymous` leaves out mapped files (the table store)."""
    rows = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        key, value, _ = line.split()
        rows[key.rstrip(":")] = int(value) / 1024
    return {
        "resident": rows["Rss"],
        "proportional": rows["Pss"],
        "private": rows["Private_Clean"] + rows["Private_Dirty"],
        "anonymous": rows["Anonymous"],
    }


def percentile(values: list[float], share: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
