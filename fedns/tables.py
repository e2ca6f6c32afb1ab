"""The table store: what the control process publishes and every worker reads (LMDB, bytes in, bytes out).

Law: one writer; one transaction publishes one generation; readers see a whole generation or none.
Every commit is synced, so a crash leaves the last generation. Each database carries an additive digest
of its entries, kept by `publish` and checked by `verify`: LMDB itself has no checksums, and a flipped
bit must never become an answer. Knows no DNS: keys that begin with 0xff are the store's own business.
"""

import contextlib
import fcntl
import mmap
import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

import lmdb

from fedns.errors import StateError

META = b"\xffmeta"  # db "dns": generation and publication time, written by publish itself
ZONES = b"\xffzones"
READY = b"\xffready"  # absent until the first sync is done
SERVER = b"\xffserver"  # how workers answer for themselves
SIGNING = b"\xffsigning"  # what signs which zones; absent where nothing does
DATABASES = ("dns", "state", "journal", "gateway")
MAP_SIZE = 1 << 35  # address space, not disk: the file stays as small as its pages
OWNER_ONLY = 0o600  # workers run as the same user; secrets of DNS cookies go through here
READERS = 1024  # reader slots: workers, command line tools and those that died without leaving
CORRUPT_EXIT = 65  # EX_DATAERR: what a process says when its table is damaged
DAMAGE = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.PanicError, lmdb.InvalidError, lmdb.BadTxnError)

_META = struct.Struct(">Qd")
_DIGEST = struct.Struct(">QQ")
_MASK = (1 << 64) - 1
_META_PAGE = struct.Struct("<16sII16xI")  # page header, magic, version; map's address and size; page size
_META_KNOWN = (0xBEEFC0DE, 1)  # LMDB 0.9
_META_TXN = 18  # word of a meta page: the transaction that wrote it
_BULK = 100_000  # changes from which on LMDB's cache of dirty pages is worth giving back
GONE = lmdb.Error  # what a reading meets whose tables were closed


class Damaged(StateError):
    """What is in the store contradicts itself: it is to be set aside and rebuilt."""


Entries = Mapping[bytes, bytes | None]
Changes = Mapping[str, Entries | Iterator[Entries]]
"""By db; an iterator gives them in parts, made while they are written, for a fleet's are too many to be held
at once. No key is in two parts."""
Replaced = list[tuple[bytes, bytes | None, bytes | None]]
"""Key, value before and after (None: none)."""
Head = Callable[[int, Replaced | None], Changes]
"""The number of a new generation, and what differs in db "dns" (None: too much to tell) -> entries that go
with it whatever it is about."""
TOLD = 20_000  # entries that differ, up to which they are told


class Published(NamedTuple):
    """The generation that is served now, and how many entries of db "dns" were given another value for it."""

    generation: int
    differing: int


def fingerprint(key: bytes, value: bytes) -> int:
    """One entry's term of the additive digest."""
    return zlib.crc32(value, zlib.crc32(key))


class View:
    """One generation, as of one read transaction; `get` is the bound lookup in the db asked for.

    `stamp` is cheaper than `generation`, and another one for each generation of the same tables.
    """

    __slots__ = ("close", "get", "stamp")

    def __init__(self, txn: lmdb.Transaction) -> None:
        self.get: Callable[[bytes], bytes | None] = txn.get  # type: ignore[assignment]
        self.close = txn.abort
        self.stamp: Callable[[], int] = txn.id

    @property
    def generation(self) -> int:
        return self.published()[0]

    def published(self) -> tuple[int, float]:
        """Generation and unix time of its publication; (0, 0.0) for an empty store."""
        raw = self.get(META)
        return _META.unpack(raw) if raw else (0, 0.0)


class Snapshot(View):
    """A generation that is read for longer: as a whole, and with the journal that leads to it."""

    __slots__ = ("_journal", "_txn")

    def __init__(self, txn: lmdb.Transaction, journal: Any) -> None:
        super().__init__(txn)
        self._txn, self._journal = txn, journal

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All of db "dns"."""
        yield from cast("Iterator[tuple[bytes, bytes]]", self._txn.cursor())

    def journal(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Entries of db "journal" whose key begins so, the last first."""
        if self._journal is None:
            return
        cursor: Any = self._txn.cursor(db=self._journal)
        found = cursor.prev() if cursor.set_range(prefix + b"\xff" * 9) else cursor.last()
        while found and cursor.key().startswith(prefix):
            yield cursor.item()
            found = cursor.prev()

    def step(self, key: bytes) -> bytes | None:
        """One entry of db "journal"."""
        return cast("bytes | None", self._txn.get(key, db=self._journal))


class Writer:
    """The one writer. A second one on the same directory is refused with StateError."""

    def __init__(self, path: str, map_size: int = MAP_SIZE) -> None:
        self.path, self._map_size = path, map_size
        self._lock = _lock(path)
        try:
            self._open()
        except (lmdb.Error, OSError) as error:
            os.close(self._lock)
            kind = Damaged if isinstance(error, DAMAGE) else StateError
            raise kind(f"{path}: cannot open the tables: {error}") from error

    def _open(self) -> None:
        options: dict[str, Any] = {"max_dbs": 8, "max_readers": READERS, "mode": OWNER_ONLY}
        # a machine that loses its power may lose the last generation with it, but no other and no integrity
        self._env = lmdb.open(self.path, map_size=self._map_size, metasync=False, **options)
        self._env.reader_check()
        self._dbs = {name: self._env.open_db(name.encode()) for name in DATABASES}
        self._digests = self._env.open_db(b"digest")
        self._identity = identity(self.path)

    def generation(self) -> int:
        raw = self.get("dns", META)
        return int(_META.unpack(raw)[0]) if raw else 0

    def moved(self) -> bool:
        """Whether somebody set these tables aside: what is written now, nobody reads."""
        try:
            return identity(self.path) != self._identity
        except OSError:
            return True

    def get(self, db: str, key: bytes) -> bytes | None:
        with self._env.begin(self._dbs[db]) as txn:
            value: bytes | None = txn.get(key)
            return value

    def items(self, db: str) -> Iterator[tuple[bytes, bytes]]:
        with self._env.begin(self._dbs[db]) as txn:
            yield from txn.cursor()

    def view(self) -> View:
        """For the writer's own process; LMDB allows an environment only once per process."""
        return View(self._env.begin(self._dbs["dns"]))

    def publish(self, changes: Changes, now: float) -> int:
        """One generation: None deletes, equal values are skipped, no difference means no commit.

        Raises StateError (disk full, map full) or Damaged; readers then keep the previous generation.
        """
        return self.renew(changes, now, lambda _generation, _replaced: {}).generation

    def renew(self, changes: Changes, now: float, head: Head) -> Published:
        """`publish`, and with a generation whose entries of db "dns" differ also what `head` says of it."""
        try:
            return self._publish(changes, now, head)
        except DAMAGE as error:
            raise Damaged(f"{self.path}: {error}") from error
        except (lmdb.Error, OSError) as error:
            self._reopen()
            raise StateError(f"{self.path}: cannot publish: {error}") from error

    def _publish(self, changes: Changes, now: float, head: Head) -> Published:
        txn = self._env.begin(write=True)
        try:
            raw = txn.get(META, db=self._dbs["dns"])
            generation = int(_META.unpack(raw)[0]) if raw else 0
            told: Replaced = []
            counts = {name: self._write(txn, name, entries, told) for name, entries in changes.items()}
            differing, touched = counts.get("dns", 0), sum(counts.values())
            if not touched:
                txn.abort()
                return Published(generation, 0)
            few = told if len(told) < TOLD else None
            for name, entries in head(generation + 1, few).items() if differing else ():
                self._write(txn, name, entries, [])
            self._apply(txn, "dns", {META: _META.pack(generation + 1, now)}, [])
            txn.commit()
        except BaseException:
            txn.abort()
            raise
        if touched >= _BULK:
            self._reopen()
        return Published(generation + 1, differing)

    def _write(
        self, txn: lmdb.Transaction, name: str, entries: Entries | Iterator[Entries], told: Replaced
    ) -> int:
        parts = iter((entries,)) if isinstance(entries, Mapping) else entries
        return sum(self._apply(txn, name, part, told) for part in parts)

    def _apply(self, txn: lmdb.Transaction, name: str, entries: Entries, told: Replaced) -> int:
        """How many entries differ; those of db "dns" are told, the first of them."""
        db = self._dbs[name]
        quiet = name != "dns"
        digest = count = touched = 0
        for key in sorted(entries):
            old: Any = txn.get(key, db=db)
            new = entries[key]
            if old == new:
                continue
            touched += 1
            if not quiet and len(told) < TOLD:
                told.append((key, old, new))
            start = zlib.crc32(key)
            if old is not None:
                digest -= zlib.crc32(old, start)
                count -= 1
            if new is None:
                txn.delete(key, db=db)
            else:
                txn.put(key, new, db=db)
                digest += zlib.crc32(new, start)
                count += 1
        if touched:
            self._account(txn, name, digest, count)
        return touched

    def _account(self, txn: lmdb.Transaction, name: str, digest: int, count: int) -> None:
        key = name.encode()
        raw = txn.get(key, db=self._digests)
        old = _DIGEST.unpack(raw) if raw else (0, 0)
        txn.put(key, _DIGEST.pack((old[0] + digest) & _MASK, old[1] + count), db=self._digests)

    def _reopen(self) -> None:
        """After trouble (LMDB panics for good on a failed meta write) or a bulk load (frees its pages)."""
        self._env.close()
        try:
            self._open()
        except (lmdb.Error, OSError) as error:
            raise StateError(f"{self.path}: cannot reopen the tables: {error}") from error

    def close(self) -> None:
        self._env.close()
        os.close(self._lock)


class Reader:
    """A reader in a process of its own (workers, command line). StateError when absent or damaged."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.identity = identity(path)
            self._env = lmdb.open(
                path, map_size=0, readonly=True, create=False, max_dbs=8, max_readers=READERS
            )
            self._dbs = dict(_opened(self._env, DATABASES))
            if not self._dbs.keys() >= {"dns", "state"}:
                raise lmdb.NotFoundError("no generation was published yet")
        except (lmdb.Error, OSError) as error:
            raise StateError(f"{path}: cannot read the tables: {error}") from error

    def view(self, db: str = "dns") -> View:
        """A new read transaction (about 1 us); close it soon, it keeps old pages from being reused.
        KeyError where the tables are of an earlier version, which had no such db."""
        return View(self._env.begin(self._dbs[db]))

    def snapshot(self) -> Snapshot:
        """A read transaction for a longer reading: bound its time, for the same reason."""
        return Snapshot(self._env.begin(self._dbs["dns"]), self._dbs.get("journal"))

    def marks(self) -> memoryview | None:
        """Two words, the larger of which is another number for each generation, to be had without any call:
        LMDB's two meta pages have them. None where the format is not the one known here."""
        with open(os.path.join(self.path, "data.mdb"), "rb") as file:
            head = file.read(_META_PAGE.size)
            _, magic, version, page = _META_PAGE.unpack(head)
            if (magic, version) != _META_KNOWN:
                return None
            pages = mmap.mmap(file.fileno(), 2 * page, access=mmap.ACCESS_READ)
        return memoryview(pages).cast("B").cast("Q")[_META_TXN :: page // 8]

    def items(self, db: str) -> Iterator[tuple[bytes, bytes]]:
        with self._env.begin(self._dbs[db]) as txn:
            yield from txn.cursor()

    def close(self) -> None:
        self._env.close()


def _opened(env: lmdb.Environment, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """The databases that are there: tables of an earlier version lack the later ones."""
    for name in names:
        with contextlib.suppress(lmdb.NotFoundError):
            yield name, env.open_db(name.encode(), create=False)


def identity(path: str) -> tuple[int, int]:
    """Which file the tables are now: it differs after quarantine and rebuild. OSError when absent."""
    status = os.stat(os.path.join(path, "data.mdb"))
    return status.st_dev, status.st_ino


def verify(path: str) -> str | None:
    """The reason why the tables are damaged, or None when sound. May die of SIGBUS: run it in a child."""
    try:
        with lmdb.open(path, map_size=0, readonly=True, create=False, max_dbs=8, max_readers=READERS) as env:
            wanted = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
            size = os.path.getsize(os.path.join(path, "data.mdb"))  # afterwards: a writer may be at work
            if size < wanted:
                return f"data.mdb is {size} bytes long, its pages need {wanted}"
            return _digests(env)
    except (lmdb.Error, OSError) as error:
        return str(error)


def _digests(env: lmdb.Environment) -> str | None:
    dbs = dict(_opened(env, (*DATABASES, "digest")))
    if not dbs.keys() >= {"dns", "state", "digest"}:
        return "a database is missing"
    with env.begin() as txn:
        for name in dbs.keys() - {"digest"}:
            raw = txn.get(name.encode(), db=dbs["digest"])
            wanted = _DIGEST.unpack(raw) if raw else (0, 0)
            total = count = 0
            for key, value in txn.cursor(dbs[name]):
                total += fingerprint(key, value)
                count += 1
            if (total & _MASK, count) != wanted:
                return f"db {name}: {count} entries do not match the digest of {wanted[1]}"
    return None


def quarantine(path: str, now: float) -> str:
    """Moves damaged tables aside and says where; whoever still has them open keeps the old file."""
    target = f"{path}.corrupt-{int(now)}"
    while os.path.exists(target):
        target += "x"
    os.rename(path, target)
    return target


def _lock(path: str) -> int:
    try:
        os.makedirs(path, exist_ok=True)
        fd = os.open(os.path.join(path, "writer.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise StateError(f"{path}: another fedns writes these tables") from error
    return fd


def main(arguments: list[str]) -> int:
    """`python -m fedns.tables verify PATH`: 0 sound, 65 damaged."""
    if len(arguments) != 2 or arguments[0] != "verify":
        print("usage: python -m fedns.tables verify PATH", file=sys.stderr)
        return 64
    reason = verify(arguments[1])
    if reason:
        print(reason, file=sys.stderr)
    return CORRUPT_EXIT if reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
