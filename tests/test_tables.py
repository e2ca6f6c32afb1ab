"""The table store: generations, digests, and what damage looks like to those who read it."""

import os
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from fedns import tables
from fedns.errors import StateError


def _verify(path: Path) -> int:
    command = [sys.executable, "-m", "fedns.tables", "verify", str(path)]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode


def _filled(path: Path, count: int = 2000) -> None:
    writer = tables.Writer(str(path))
    writer.publish({"dns": {b"name%06d" % i: b"value%d" % i * 9 for i in range(count)}}, 1.0)
    writer.close()


def test_a_publication_is_one_generation(tmp_path: Path) -> None:
    writer = tables.Writer(str(tmp_path / "t"))
    assert writer.generation() == 0
    assert writer.publish({"dns": {b"a": b"1", b"b": b"2"}, "state": {b"s": b"x"}}, 10.5) == 1
    view = writer.view()
    assert view.published() == (1, 10.5)
    assert writer.publish({"dns": {b"a": None, b"b": b"3"}}, 11.0) == 2
    assert (view.get(b"a"), view.get(b"b"), view.generation) == (b"1", b"2", 1)
    view.close()
    assert (writer.get("dns", b"a"), writer.get("dns", b"b")) == (None, b"3")
    assert list(writer.items("state")) == [(b"s", b"x")]
    writer.close()
    assert tables.verify(str(tmp_path / "t")) is None


def test_equal_values_publish_nothing(tmp_path: Path) -> None:
    writer = tables.Writer(str(tmp_path))
    assert writer.publish({"dns": {b"a": b"1"}}, 1.0) == 1
    assert writer.publish({"dns": {b"a": b"1", b"gone": None}}, 2.0) == 1
    assert writer.view().published() == (1, 1.0)
    writer.close()


def test_a_head_goes_with_names_that_differ_and_only_with_them(tmp_path: Path) -> None:
    writer = tables.Writer(str(tmp_path))

    def head(generation: int, _replaced: object) -> tables.Changes:
        return {"dns": {b"serial": b"%d" % generation}, "state": {b"last": b"%d" % generation}}

    assert writer.renew({"dns": {b"a": b"1", b"b": b"2"}}, 1.0, head) == (1, 2)
    assert writer.renew({"dns": {b"a": b"1"}, "state": {b"s": b"x"}}, 2.0, head) == (2, 0)
    assert writer.get("dns", b"serial") == b"1"
    assert writer.renew({"dns": {b"a": None, b"b": b"2"}, "state": {b"s": b"x"}}, 3.0, head) == (3, 1)
    assert (writer.get("dns", b"serial"), writer.get("state", b"last")) == (b"3", b"3")
    assert writer.renew({"dns": {b"b": b"2"}}, 4.0, head) == (3, 0)
    writer.close()
    assert tables.verify(str(tmp_path)) is None


def test_the_digest_follows_changes_and_a_new_writer_goes_on(tmp_path: Path) -> None:
    for turn in range(3):
        writer = tables.Writer(str(tmp_path))
        writer.publish({"dns": {b"k%d" % i: b"%d" % (i * turn) for i in range(50)}}, float(turn))
        writer.publish({"dns": {b"k%d" % turn: None}, "state": {b"t": b"%d" % turn}}, float(turn))
        writer.close()
        assert tables.verify(str(tmp_path)) is None
    reader = tables.Reader(str(tmp_path))
    assert reader.view().generation == 6
    reader.close()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    writer = tables.Writer(str(tmp_path))
    with pytest.raises(StateError, match="another fedns"):
        tables.Writer(str(tmp_path))
    writer.close()
    tables.Writer(str(tmp_path)).close()


def test_absent_tables_are_a_state_error(tmp_path: Path) -> None:
    with pytest.raises(StateError):
        tables.Reader(str(tmp_path / "none"))


def test_a_full_store_keeps_the_last_generation(tmp_path: Path) -> None:
    writer = tables.Writer(str(tmp_path), map_size=1 << 20)
    writer.publish({"dns": {b"a": b"1"}}, 1.0)
    with pytest.raises(StateError, match="cannot publish"):
        writer.publish({"dns": {b"%d" % i: b"x" * 1000 for i in range(5000)}}, 2.0)
    assert (writer.generation(), writer.get("dns", b"a")) == (1, b"1")
    assert writer.publish({"dns": {b"a": b"2"}}, 3.0) == 2
    writer.close()
    assert tables.verify(str(tmp_path)) is None


_FULL_DISK = """
import os, resource, signal, sys
from fedns import errors, tables
path = sys.argv[1]
writer = tables.Writer(path)
writer.publish({"dns": {b"a": b"1"}}, 1.0)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(path + "/data.mdb"), hard))
try:
    writer.publish({"dns": {b"%d" % i: b"x" * 500 for i in range(5000)}}, 2.0)
except errors.StateError as error:
    assert "cannot publish" in str(error)
    assert (writer.generation(), writer.get("dns", b"a")) == (1, b"1")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert writer.publish({"dns": {b"a": b"2"}}, 3.0) == 2
    sys.exit(7)
"""


def test_a_full_disk_keeps_the_last_generation(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _FULL_DISK, str(tmp_path)], check=False)
    assert done.returncode == 7
    assert tables.verify(str(tmp_path)) is None


def test_a_reader_that_died_reading_leaves_no_slot(tmp_path: Path) -> None:
    _filled(tmp_path, 10)
    code = (
        "import os, signal, sys; from fedns import tables\n"
        "view = tables.Reader(sys.argv[1]).view(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    tables.Reader(str(tmp_path)).close()
    with lmdb.open(str(tmp_path), readonly=True, max_dbs=4) as env:
        assert str(os.getpid()) not in env.readers() and env.reader_check() == 0


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    _filled(tmp_path)
    assert _verify(tmp_path) == 0
    data = tmp_path / "data.mdb"
    raw = bytearray(data.read_bytes())
    raw[raw.rindex(b"value1234") + 3] ^= 0x10
    data.write_bytes(raw)
    assert _verify(tmp_path) == tables.CORRUPT_EXIT


@pytest.mark.parametrize("keep", [0, 1000, 8192, 50_000])
def test_a_truncated_file_is_found(tmp_path: Path, keep: int) -> None:
    _filled(tmp_path)
    os.truncate(tmp_path / "data.mdb", keep)
    assert _verify(tmp_path) != 0


def test_quarantine_moves_the_tables_aside(tmp_path: Path) -> None:
    path = tmp_path / "tables"
    _filled(path, 10)
    before = tables.identity(str(path))
    first = tables.quarantine(str(path), 5.0)
    assert not path.exists() and Path(first).exists()
    _filled(path, 10)
    assert tables.identity(str(path)) != before
    assert tables.quarantine(str(path), 5.0) != first


def test_a_writer_notices_that_its_tables_were_moved_aside(tmp_path: Path) -> None:
    path = str(tmp_path / "tables")
    writer = tables.Writer(path)
    writer.publish({"dns": {b"a": b"1"}}, 1.0)
    assert not writer.moved()
    tables.quarantine(path, 2.0)
    assert writer.moved()
    successor = tables.Writer(path)
    assert writer.moved() and not successor.moved()
    successor.close()
    writer.close()


def test_nobody_else_may_read(tmp_path: Path) -> None:
    tables.Writer(str(tmp_path)).close()
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("*.mdb")} == {0}
