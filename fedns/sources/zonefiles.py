"""Static zones: `*.zone` master files (RFC 1035) of the zones directories, read again when they change.

Law: a zone is what the library parsed without complaint, as a whole; a broken file is a problem with
file:line while the zone's last good version stays. The origin is the owner of the SOA; relative
names before any `$ORIGIN` belong to the name of the file (`acme.com.zone`).
"""

import asyncio
import os
from collections.abc import Iterable, Sequence

import dns.exception
import dns.name
import dns.zone
from msgspec import Struct

from fedns.errors import Problem
from fedns.sources import mailboxes, tree, watch, zonetext
from fedns.sources.change import ProblemsChange, Publish, ZoneFacts, ZonesChange

SUFFIX = ".zone"
SWEEP_S = 30.0
"""Seconds between looks at everything, in case the kernel dropped news."""
SEARCHED = 10_000
"""Lines of a zone at most in which the one at fault is searched for, when the library does not say."""
SHOWN = 80
"""Characters of a line at fault that a problem repeats."""
_DIRECTIVES = ("$TTL", "$ORIGIN", "$GENERATE")

mailboxes.learn()


class Reading(Struct, frozen=True):
    """One zone file as last looked at: its last good version, and what is wrong with it now."""

    facts: ZoneFacts | None
    problems: tuple[Problem, ...]
    stamps: dict[str, tree.Stamp | None]


class Zones:
    """The zones directories. `look` once, or `run` until cancelled.

    `known` are the zones of before a restart: the last good versions of files that are broken by now."""

    def __init__(self, paths: Sequence[str], watcher: watch.Watcher, known: Iterable[ZoneFacts] = ()) -> None:
        self._paths, self._watcher = tuple(paths), watcher
        self._trees = {path: tree.Tree(path, (SUFFIX,)) for path in paths}
        self._readings: dict[str, dict[str, Reading]] = {path: {} for path in paths}
        self._before = {one.path: Reading(one, (), {}) for one in known}
        self._unread = set(paths)
        self._told: ZonesChange | None = None
        self._problems: tuple[Problem, ...] | None = None

    async def run(self, publish: Publish) -> None:
        """Publish all zones at first, and again whenever one differs."""
        news = asyncio.Event()
        hints: dict[str, watch.Hints] = dict.fromkeys(self._paths)
        async with asyncio.TaskGroup() as group:
            for path in self._paths:
                group.create_task(self._hear(path, hints, news))
            while True:
                seen = hints.copy()
                hints.clear()
                news.clear()
                await self.look(publish, seen)
                await news.wait()

    async def _hear(self, path: str, hints: dict[str, watch.Hints], news: asyncio.Event) -> None:
        ear = self._watcher.listen(path)
        try:
            while True:
                heard = await ear.news(SWEEP_S)
                before = hints.get(path, frozenset())
                hints[path] = None if heard is None or before is None else heard | before
                news.set()
        finally:
            self._watcher.leave(ear)

    async def look(self, publish: Publish, hints: dict[str, watch.Hints] | None = None) -> None:
        """Look at the directories in `hints` (None: all) and publish what differs."""
        problems = []
        for path in self._paths if hints is None else hints:
            try:
                await self._look(path, (hints or {}).get(path))
            except OSError as error:
                what = f"the zones directory cannot be read: {error.strerror}"
                problems.append(Problem(path, what, "the last good zones stay in use"))
        zones = ZonesChange(self._merge(problems), whole=not self._unread)
        if zones != self._told:
            self._told = zones
            publish(zones)
        found = tuple(sorted(problems))
        if found != self._problems:
            self._problems = found
            publish(ProblemsChange("zones", found))

    async def _look(self, path: str, hints: watch.Hints) -> None:
        top, readings = self._trees[path], self._readings[path]
        top.look()
        self._unread.discard(path)
        for gone in readings.keys() - top.paths:
            del readings[gone]
        for file in sorted(top.paths):
            before = readings.get(file)
            if before is None or _differs(before, hints or frozenset()):
                last = before or self._before.get(file)
                readings[file] = await asyncio.to_thread(read, file, top.root, last)

    def _merge(self, problems: list[Problem]) -> dict[str, ZoneFacts]:
        zones: dict[str, ZoneFacts] = {}
        for readings in self._readings.values():
            for path, reading in sorted(readings.items()):
                problems += reading.problems
                if reading.facts is None:
                    continue
                origin = dns.name.from_wire(reading.facts.origin, 0)[0].to_text()
                first = zones.setdefault(origin, reading.facts)
                if first is not reading.facts:
                    what = f"the zone {origin} is in {first.path} too; that one is used"
                    problems.append(Problem(f"{path}:1", what, "remove one of them"))
        return zones


def read(path: str, root: str, before: Reading | None = None) -> Reading:
    """Read one zone file; includes are confined to `root`. Keeps what `before` knew if it is broken."""
    laying = zonetext.Laying(root)
    facts = before.facts if before else None
    problems: tuple[Problem, ...] = ()
    try:
        laying.lay(path, _file_origin(path))
        facts = _parse(path, laying.flat)
    except zonetext.Bad as bad:
        problems = (Problem(bad.where, bad.what, _hint(facts)),)
    except OSError as error:
        problems = (Problem(f"{path}:1", f"cannot be read: {error.strerror}", _hint(facts)),)
    return Reading(facts, problems, {one: tree.stamp(one) for one in laying.flat.paths})


def _hint(last: ZoneFacts | None) -> str:
    return "the last good version stays in use" if last else "the zone is not served"


def _differs(reading: Reading, hints: frozenset[str]) -> bool:
    return any(path in hints or tree.stamp(path) != stamp for path, stamp in reading.stamps.items())


def _file_origin(path: str) -> dns.name.Name:
    text = os.path.basename(path).removesuffix(SUFFIX)
    try:
        return dns.name.from_text(text)
    except (dns.exception.DNSException, ValueError) as error:
        raise zonetext.Bad(f"{path}:1", f"the file's name is no domain name: {error}") from None


def _parse(path: str, flat: zonetext.Flat) -> ZoneFacts:
    if flat.top is None:
        raise zonetext.Bad(f"{path}:1", "a zone begins with an SOA record; here is none")
    found = _zone(flat.lines, flat.top)
    if isinstance(found, _Complaint):
        at = _line(found, flat) - 1
        line = " ".join(flat.lines[at].split())[:SHOWN]
        text = "".join(each if each.isprintable() else "?" for each in line)
        raise zonetext.Bad(flat.places[at], f"{found.what.rstrip('.')}: `{text}`" if text else found.what)
    return _facts(path, found)


class _Complaint(Struct):
    """What the library said, and the line where it stood then (0: nowhere)."""

    line: int
    what: str


def _zone(lines: list[str], origin: dns.name.Name) -> dns.zone.Zone | _Complaint:
    text = "\n".join(lines)
    try:
        return dns.zone.from_text(
            text, origin, relativize=False, check_origin=False, filename="-", allow_directives=_DIRECTIVES
        )
    except dns.exception.DNSException as error:
        message = str(error) or type(error).__name__
        number, colon, what = message.removeprefix("-:").partition(": ")
        if message.startswith("-:") and colon and number.isdigit():
            return _Complaint(int(number), what)
        return _Complaint(0, message)
    except (ValueError, ArithmeticError, LookupError, TypeError, AssertionError, RecursionError) as error:
        # what the library lets through for some malformed records
        return _Complaint(0, f"{type(error).__name__}: {error}")


def _line(complaint: _Complaint, flat: zonetext.Flat) -> int:
    """The flat line at fault: the library may have read on to the next before it complained."""
    if not complaint.line:
        return _search(flat)
    line = min(complaint.line, len(flat.lines))
    if line + flat.generated > SEARCHED:
        return line
    earlier = _zone(flat.lines[: line - 1], flat.top or dns.name.root)
    return line - 1 if line > 1 and isinstance(earlier, _Complaint) else line


def _search(flat: zonetext.Flat) -> int:
    """The last line of the shortest part that is complained about; 1 where a search would take long."""
    if len(flat.lines) + flat.generated > SEARCHED:
        return 1
    good, bad = 0, len(flat.lines)
    while bad - good > 1:
        middle = (good + bad) // 2
        found = _zone(flat.lines[:middle], flat.top or dns.name.root)
        good, bad = (good, middle) if isinstance(found, _Complaint) else (middle, bad)
    return bad


def _facts(path: str, zone: dns.zone.Zone) -> ZoneFacts:
    rrsets = []
    for name, rdataset in zone.iterate_rdatasets():
        rdatas = tuple(dict.fromkeys(rdata.to_wire() or b"" for rdata in rdataset))
        rrsets.append((_key(name), int(rdataset.rdtype), int(rdataset.ttl), rdatas))
    return ZoneFacts(_key(zone.origin or dns.name.root), tuple(sorted(rrsets)), path)


def _key(name: dns.name.Name) -> bytes:
    return name.canonicalize().to_wire() or b""
