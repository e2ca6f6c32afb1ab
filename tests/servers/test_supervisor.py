"""Processes that die, tables that rot, signals: the data plane goes on."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fedns.servers import batch, counters
from tests.scenarios import load
from tests.servers import running

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = (sys.executable, "-c", "import time; time.sleep(1e6)")


def _under_load(serve: running.Running, victim: str) -> load.Load:
    with load.asking(serve.port, ["name.example.com"], 1000) as asking:
        old = serve.child(victim)
        os.kill(old, signal.SIGKILL)
        serve.replaced(victim, old)
        seen = asking.answered
        running.until(lambda: asking.answered > seen + 500, "answers afterwards")
        asking.stop()
        return asking


def test_a_killed_control_is_replaced_and_no_query_is_lost(tmp_path: Path) -> None:
    running.publish(tmp_path)
    with running.serving(tmp_path, control=SLEEPER) as serve:
        asking = _under_load(serve, "control")
        assert asking.missing == []
        assert asking.answered == asking.asked


def test_a_killed_worker_is_replaced_and_its_queue_survives(tmp_path: Path) -> None:
    running.publish(tmp_path)
    with running.serving(tmp_path, workers=1) as serve:
        asking = _under_load(serve, "dns worker 0")
        assert len(asking.missing) <= batch.SIZE  # what was in its hands
        total = counters.total(counters.read_all(str(tmp_path / "counters")).values())
        counted = total.queries["udp", "A", "NOERROR"]
        assert asking.answered - batch.SIZE <= counted <= asking.asked  # it is counted once it is sent


def test_damaged_tables_are_moved_aside_and_rebuilt(tmp_path: Path) -> None:
    running.publish(tmp_path)
    data = tmp_path / "tables" / "data.mdb"
    raw = bytearray(data.read_bytes())
    raw[raw.rindex(running.OLD) + 3] ^= 0xFF
    data.write_bytes(raw)
    control = (sys.executable, "-c", running.PUBLISHER, str(tmp_path / "tables"), str(ROOT))
    with running.serving(tmp_path, control=control) as serve:
        running.until(lambda: serve.ask(running.query())[3] & 15 == 0, "answers from rebuilt tables")
        assert running.NEW in serve.ask(running.query())
        assert list(tmp_path.glob("tables.corrupt-*"))


def test_tables_cut_under_the_workers_are_found_and_rebuilt(tmp_path: Path) -> None:
    running.publish(tmp_path)
    control = (sys.executable, "-c", running.PUBLISHER, str(tmp_path / "tables"), str(ROOT))
    with running.serving(tmp_path, control=control) as serve:
        running.until(lambda: running.NEW in serve.ask(running.query()), "the published answer")
        os.truncate(tmp_path / "tables" / "data.mdb", 0)
        running.until(lambda: list(tmp_path.glob("tables.corrupt-*")), "quarantine")
        running.until(lambda: running.NEW in serve.ask(running.query()), "answers from rebuilt tables")


def test_rot_that_nobody_died_of_is_found_and_rebuilt(tmp_path: Path) -> None:
    control = (sys.executable, "-c", running.PUBLISHER, str(tmp_path / "tables"), str(ROOT))
    with running.serving(tmp_path, control=control, verify=0.5) as serve:
        running.until(lambda: running.NEW in serve.ask(running.query()), "the published answer")
        with (tmp_path / "tables" / "data.mdb").open("r+b") as file:
            raw = file.read()
            file.seek(raw.rindex(running.NEW))
            file.write(running.OLD)
        running.until(lambda: list(tmp_path.glob("tables.corrupt-*")), "quarantine")
        running.until(lambda: running.NEW in serve.ask(running.query()), "answers from rebuilt tables")


def test_without_tables_the_answer_is_not_ready_until_they_come(tmp_path: Path) -> None:
    with running.serving(tmp_path) as serve:
        reply = serve.ask(running.query())
        assert reply[3] & 15 == 2
        assert b"\x00\x0f\x00\x02\x00\x0e" in reply  # EDE 14
        running.publish(tmp_path)
        running.until(lambda: running.OLD in serve.ask(running.query()), "the published answer")


def test_hangup_reaches_control_and_terminate_stops_in_order(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    code = (
        "import signal, sys, time\n"
        f"say = lambda text: open({str(marks)!r}, 'a').write(text)\n"
        "signal.signal(signal.SIGHUP, lambda *_: say('hup '))\n"
        "signal.signal(signal.SIGTERM, lambda *_: (say('term'), sys.exit(0)))\n"
        "say('up ')\n"
        "while True: time.sleep(1)\n"
    )
    with running.serving(tmp_path, workers=2, control=(sys.executable, "-c", code)) as serve:
        running.until(lambda: marks.exists() and marks.read_text() == "up ", "control")
        serve.process.send_signal(signal.SIGHUP)
        running.until(lambda: marks.read_text() == "up hup ", "the hangup")
        workers = [serve.child(f"dns worker {index}") for index in range(2)]
        serve.process.send_signal(signal.SIGINT)
        assert serve.process.wait(running.LONG) == 0
        assert marks.read_text() == "up hup term"
        assert not (tmp_path / "serve.json").exists()
        for pid in workers:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


def test_children_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    with running.serving(tmp_path) as serve:
        worker = serve.child("dns worker 0")
        running.until(lambda: serve.ask(running.query()), "an answer")
        serve.process.kill()
        running.until(lambda: not _exists(worker), "the worker's end")


def test_a_second_control_is_refused(tmp_path: Path) -> None:
    with running.serving(tmp_path, control=SLEEPER):
        code = (
            "from fedns.servers import supervisor as s\n"
            f"s.Supervisor(s.Plan((('127.0.0.1', 0),), 1, {str(tmp_path)!r}, ('sleep', '9'))).run()"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode and "another fedns serves" in done.stderr


def test_every_address_is_served(tmp_path: Path) -> None:
    running.publish(tmp_path)
    with running.serving(tmp_path, workers=2, hosts=("127.0.0.1", "::1")) as serve:
        for host, port in serve.told()["listen"]:
            assert running.OLD in serve.ask(running.query(), host, port)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_gateway_workers_are_replaced_and_who_connects_meanwhile_waits(tmp_path: Path) -> None:
    running.publish(tmp_path)
    with running.serving(tmp_path, gateway=2) as serve:
        host, port = serve.told()["gateway"][0]
        asked = b"GET / HTTP/1.1\r\nHost: nobody\r\nConnection: close\r\n\r\n"
        for name in ("gateway worker 0", "gateway worker 1"):
            old = serve.replaced(name, 0)
            os.kill(old, signal.SIGKILL)
            for _ in range(8):  # some of them come to the listener of the one that died
                with socket.create_connection((host, port), running.LONG) as sock:
                    sock.sendall(asked)
                    assert sock.recv(100).startswith(b"HTTP/1.1 503 ")  # these tables have no routes
            serve.replaced(name, old)
        assert {"gateway-0.traffic", "gateway-1.seen"} <= set(os.listdir(tmp_path / "counters"))
