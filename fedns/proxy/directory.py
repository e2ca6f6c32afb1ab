"""The route table and the pools as this worker has them: read from the tables when they change.

Law: routes are decoded once per change, pools when somebody asks for them; equal bytes are the same object
still. A look costs two words of shared memory. Before there are tables everything is answered 503; what
was read last stays good while they are replaced.
"""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from time import monotonic

from fedns import logs
from fedns.gateway import balance, route, terms
from fedns.gateway.terms import Terms
from fedns.proxy import budget
from fedns.proxy.bench import Bench
from fedns.servers.current import Current

DB = "gateway"
COLD = 0.1  # of its share: what an endpoint begins with that warms up
UNKNOWN = route.Table(default=route.Location(b"", b"/", b""))
"""Before there are routes: a pool that nobody serves in."""

_log = logging.getLogger("fedns.gateway")


class Service:
    """One pool as this worker has it. `active` counts what is under way, `busy` by endpoint's
    tag where that matters. One that no route leads to any more (`raw` is None) stays as it was: who asks for
    it was decided on before."""

    __slots__ = ("_born", "active", "balancer", "bench", "budget", "busy", "key", "pool", "raw", "seen")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.raw: bytes | None = None
        self.pool = route.Pool()
        self.bench, self.budget = Bench(), budget.Budget()
        self.busy: Counter[bytes] = Counter()
        self.active = 0
        self.seen = -1
        self._born: dict[bytes, float] | None = None
        self.arrange()

    def take(self, raw: bytes | None) -> None:
        if raw != self.raw:
            before = self.raw is not None and self.pool
            self.raw = raw
            if raw is None:
                self.bench.keep(route.Pool(), monotonic())
                self.arrange()
                return
            self.pool = route.pool(raw)
            if self._born is not None and before:
                self._born = _grown(self._born, before, self.pool)
            self.bench.keep(self.pool, monotonic())
            self.arrange()

    def warmth(self, endpoint: route.Endpoint, span: float, now: float) -> float:
        """How much of its share an endpoint is to have that came less than `span` seconds ago. Ages are known
        of those who came after somebody asked for the first time."""
        if self._born is None:
            self._born = {}
        came = self._born.get(endpoint.tag)
        return 1.0 if came is None else max((now - came) / span, COLD)

    def arrange(self) -> None:
        """Without those who sit out; rounds do not begin at the same place in all workers."""
        self.balancer = balance.prepare(self.pool, self.bench.out.keys())
        self.balancer.turns = random.random()

    def held_against(self, endpoint: route.Endpoint, taken: bool, now: float) -> bool:
        """It failed; `taken`: after it could be reached. Whether it sits out now."""
        if self.raw is None:
            return False
        if taken:
            sits = self.bench.stumbled(endpoint, now)
        else:
            sits = self.bench.missed(endpoint, self.pool, now)
        if sits:
            self.arrange()
        return sits

    def sickened(self, endpoint: route.Endpoint, now: float) -> bool:
        """It answered that it cannot serve. Whether it sits out now."""
        if self.raw is None or not self.bench.sickened(endpoint, self.pool, now):
            return False
        self.arrange()
        return True


def _grown(born: dict[bytes, float], before: route.Pool, after: route.Pool) -> dict[bytes, float]:
    """When those came that were not there before."""
    known, now = set(_tags(before)), monotonic()
    found = {tag: born.get(tag) if tag in known else now for tag in _tags(after)}
    return {tag: came for tag, came in found.items() if came is not None}


def _tags(pool: route.Pool) -> Iterator[bytes]:
    return (each.tag for tier in pool.tiers for part in tier.parts for each in part.endpoints)


class Directory:
    """What `tables` at a path say now. `age` counts the changes that were seen."""

    def __init__(self, path: str) -> None:
        self._current = Current(path, _log)
        self._marks: memoryview | None = None
        self._first = self._second = 0
        self._services: dict[bytes, Service] = {}
        self._raw: bytes | None = None
        self.table = UNKNOWN
        self.terms = Terms()
        self.age = 0
        self._remembered = 0.0
        self.ready = False
        self.open()

    def open(self) -> None:
        """Opens the tables when they appear or were replaced."""
        if not self._current.look(again=not self.ready):
            return
        self._marks = self._current.marks
        self._renew()

    def look(self) -> route.Table:
        """The routes as of now."""
        marks = self._marks
        if marks is None or marks[0] != self._first or marks[1] != self._second:
            self._renew()
        return self.table

    def _renew(self) -> None:
        reader = self._current.reader
        if reader is None:
            return
        if self._marks is not None:  # before the view: what comes between is looked at again
            self._first, self._second = self._marks[0], self._marks[1]
        try:
            view = reader.view(DB)
        except KeyError:  # tables of an earlier version, or that are being made: they are opened again
            return
        try:
            raw = view.get(route.ROUTES)
            self.terms = terms.decode(view.get(terms.TERMS))
        finally:
            view.close()
        self.ready = raw is not None
        self.age += 1
        if raw != self._raw:
            began = monotonic()
            self.table = route.table(raw) if raw else UNKNOWN
            self._raw = raw
            _log.info("routes", extra=logs.fields(octets=len(raw or b""), seconds=monotonic() - began))

    def service(self, key: bytes) -> Service:
        """The pool of this key, empty where there is none."""
        found = self._services.get(key)
        if found is None:
            found = self._services[key] = Service(key)
        if found.seen != self.age:
            found.take(self.get(route.SERVICE + key))
            found.seen = self.age
        return found

    def alive(self, key: bytes) -> bool:
        """Whether a pool has endpoints."""
        return bool(self.service(key).balancer.levels)

    def certificate(self, name: bytes) -> route.Certificate | None:
        """The one of this name (empty: the default one)."""
        raw = self.get(route.CERTIFICATE + name)
        return route.certificate(raw) if raw else None

    def get(self, key: bytes) -> bytes | None:
        """One entry."""
        reader = self._current.reader
        if reader is None:
            return None
        view = reader.view(DB)
        try:
            return view.get(key)
        finally:
            view.close()

    def remember(self, tries: Callable[[bytes], int], now: float) -> None:
        """Keeps in mind how much was asked of each pool by now, every now and then."""
        if now - self._remembered < budget.WINDOW:
            return
        self._remembered = now
        for key, service in self._services.items():
            service.budget.note(tries(key))

    def benched(self) -> Iterator[Service]:
        """Pools of which somebody sits out."""
        return (each for each in self._services.values() if each.bench.busy)

    def forget(self) -> None:
        """Lets go of pools that are gone and that nobody uses."""
        gone = [
            key
            for key, each in self._services.items()
            if each.raw is None and not (each.active or each.bench.busy)
        ]
        for key in gone:
            del self._services[key]
