"""What is persisted: full disks, rot, and kills in the middle of a stream of changes."""

import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.edns
import dns.exception
import dns.rcode
import pytest

from fedns import tables
from tests.bench import serving
from tests.scenarios import load, world

PLACE = world.place("us-central1-a")
FRESH = "198.51.100.7"


@contextmanager
def _small_disk(path: Path, size: str) -> Iterator[None]:
    """A file system of `size` octets at `path`; skips where this user may mount none."""
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_full_disk_is_told_and_old_answers_go_on_until_there_is_space(tmp_path: Path) -> None:
    place = world.World(tmp_path)
    with _small_disk(tmp_path / "state", "8m"), world.settled(place) as served:
        filler = tmp_path / "state" / "filler"
        _fill(filler)
        _refused(served, "No space left on device")
        _replaced(served, serving.WORKER)
        _replaced(served, serving.CONTROL)
        served.shows(world.GLOBAL, world.records(world.SERVING), "from the successors")
        world.until(lambda: "cannot publish" in served.problems(), "the problem again")
        filler.unlink()
        _taken_up(served)


def test_a_file_that_may_not_grow_is_told_and_old_answers_go_on_until_it_may(tmp_path: Path) -> None:
    with world.settled(world.World(tmp_path)) as served:
        data = tmp_path / "state" / "tables" / "data.mdb"
        control, limit = served.child("control"), resource.RLIMIT_FSIZE
        usual = resource.prlimit(control, limit, (data.stat().st_size, resource.RLIM_INFINITY))
        _refused(served, "File too large")
        resource.prlimit(control, limit, usual)
        _taken_up(served)


def _refused(served: world.Served, why: str) -> None:
    """More is written than the pages that the tables already have can take: everybody is told why."""
    for number in range(400):
        served.world.write("us-central1-b", [f"10.0.{number >> 8}.{number & 255}"], name=f"s{number}")
    served.world.write("us-central1-a", [FRESH])
    world.until(lambda: "cannot publish" in served.problems(), "the problem")
    assert why in served.problems()
    assert served.answer(world.GLOBAL) == world.records(world.SERVING)
    assert served.answer(PLACE) == world.records([world.ADDRESSES["us-central1-a"]])
    assert why in served.fedns("status").stdout
    assert 'fedns_problems{source="state"} 1.0' in served.api("/metrics")
    assert served.world.log.count("nothing could be published") == 1


def _replaced(served: world.Served, module: str) -> None:
    """kill -9 of all that run `module`; others come, although nobody can write down who."""
    before = set(serving.role(served.process.pid, module))
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    def others() -> bool:
        with contextlib.suppress(FileNotFoundError):  # one that ends while it is looked at
            return len(set(serving.role(served.process.pid, module)) - before) == len(before)
        return False

    world.until(others, f"successors of {module}")
    assert served.process.poll() is None


def _taken_up(served: world.Served) -> None:
    served.shows(PLACE, world.records([FRESH]), "once there is space")
    world.until(lambda: not served.problems(), "no problem is left")
    assert tables.verify(str(served.state / "tables")) is None


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def _overwrite_middle(path: Path) -> None:
    """Every second page but the first four, which LMDB's meta pages and roots may be."""
    raw = bytearray(path.read_bytes())
    for at in range(4 * 4096, len(raw), 2 * 4096):
        raw[at : at + 4096] = random.Random(at).randbytes(4096)
    path.write_bytes(raw)


def _overwrite_in_place(path: Path) -> None:
    """As `_overwrite_middle`, under the processes that have the file mapped."""
    with path.open("r+b") as file:
        for at in range(4 * 4096, path.stat().st_size, 2 * 4096):
            file.seek(at)
            file.write(random.Random(at).randbytes(4096))


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 & ~4095)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(100_000))


def _flip(path: Path) -> None:
    """One bit of one address, which LMDB cannot see."""
    raw = bytearray(path.read_bytes())
    address = bytes(map(int, world.ADDRESSES["us-central1-b"].split(".")))
    at = raw.find(address)
    while at >= 0:
        raw[at + 3] ^= 1
        at = raw.find(address, at + 4)
    path.write_bytes(raw)


def _honest(served: world.Served) -> bool:
    """Whether a question gets the right answer now; until then, only the word that none is ready."""
    try:
        message = served.ask(world.GLOBAL, timeout=1.0)
    except (OSError, dns.exception.Timeout):
        return False
    if message.rcode() == dns.rcode.SERVFAIL:
        codes = [one.code for one in message.options if isinstance(one, dns.edns.EDEOption)]
        assert codes == [dns.edns.EDECode.NOT_READY]
        return False
    assert world.answer(message) == world.records(world.SERVING)
    return True


@pytest.mark.parametrize("damage", [_overwrite_middle, _cut, _empty, _garbage, _flip])
def test_tables_damaged_while_down_are_set_aside_and_rebuilt(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    place = world.World(tmp_path)
    with world.settled(place) as served:
        before = _serial(served)
    damage(tmp_path / "state" / "tables" / "data.mdb")
    with world.serve(place) as served:
        world.until(lambda: _honest(served), "the right answer")
        served.shows(world.GLOBAL, world.records(world.SERVING), "from every worker")
        assert _serial(served) > before
        assert list((tmp_path / "state").glob("tables.corrupt-*"))
        assert "the tables are damaged" in place.log
        assert tables.verify(str(tmp_path / "state" / "tables")) is None


@pytest.mark.parametrize("damage", [_cut, _empty, _overwrite_in_place])
def test_tables_damaged_while_serving_are_set_aside_and_rebuilt(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    place = world.World(tmp_path)
    with world.settled(place) as served:
        before = _serial(served)
        damage(tmp_path / "state" / "tables" / "data.mdb")
        world.until(
            lambda: _honest(served) and list((tmp_path / "state").glob("tables.corrupt-*")), "new tables"
        )
        place.write("us-central1-a", [FRESH])
        served.shows(PLACE, world.records([FRESH]), "a change afterwards")
        assert _serial(served) > before
        assert "the tables are damaged" in place.log


def _serial(served: world.Served) -> int:
    return int(served.ask("example.com", "SOA").answer[0][0].serial)


KILLS = 20
CHANGED = "10.{0}.{1}.{2}"


def _generation(number: int) -> list[str]:
    """Three addresses that carry the number of their change."""
    return [CHANGED.format(number >> 8, number & 255, last) for last in (1, 2, 3)]


class Stream(threading.Thread):
    """Changes one shard again and again, until `stop`."""

    def __init__(self, place: world.World) -> None:
        super().__init__(daemon=True)
        self.number = 0
        self._place, self._over = place, threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.005):
            self.number += 1
            self._place.write("us-central1-a", _generation(self.number))

    def stop(self) -> None:
        self._over.set()
        self.join()


def test_kills_amid_changes_leave_whole_generations(tmp_path: Path) -> None:
    place, chance = world.World(tmp_path), random.Random(7)
    place.write("us-central1-a", _generation(0))
    path = str(tmp_path / "state" / "tables")
    control = [sys.executable, "-m", "fedns.app", "--config", str(place.config)]
    generations = []
    with world.serve(place, "--role", "dns") as served, (tmp_path / "control.log").open("w") as log:
        stream = Stream(place)
        stream.start()
        for turn in range(KILLS):
            process = subprocess.Popen(control, cwd=serving.ROOT, stdout=log, stderr=log)
            if turn:
                world.until(lambda: _stored(path) > generations[-1], "a new generation")
            else:
                world.until(lambda: _all_carry(served), "the first answers")
                asking = load.Load(served.port, [PLACE, world.GLOBAL])
                asking.start()
            pause = chance.uniform(0, 0.2)
            world.until(_after(pause), "a random moment")
            process.kill()
            process.wait()
            assert tables.verify(path) is None
            generations.append(_stored(path))
        stream.stop()
        asking.stop()
        asking.close()
        print(asking, f"{stream.number} changes, generations {generations}")
        assert generations == sorted(set(generations))
        assert asking.missing == []
        _whole(asking)


def _all_carry(served: world.Served) -> bool:
    return all(len(served.answer(PLACE)) == 3 for _ in range(world.PORTS))


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _stored(path: str) -> int:
    reader = tables.Reader(path)
    view = reader.view()
    try:
        return view.generation
    finally:
        view.close()
        reader.close()


def _whole(asking: load.Load) -> None:
    """Every answer is one generation: its three addresses carry one number, and others stay as they are."""
    others = world.SERVING - {world.ADDRESSES["us-central1-a"]}
    for name, rcode, found in asking.seen:
        moving = found - others
        numbers = {tuple(address.split(".")[1:3]) for address in moving}
        assert (rcode, len(moving), len(numbers)) == (0, 3, 1), (name, found)
        assert found - moving == (others if name == world.GLOBAL else set())
