"""The copies of one kind in one member: as they are there, as they shall be, what is to do.

Law: only what bears our mark is watched, and of it only a few words are kept. A copy is as it should be when
applying it would change nothing; what an apply left is taken for that, however the server has put it. Nothing
is removed before all that is there is known. A copy that fails keeps only itself waiting.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from fedns.distribute import advice, delivery, docket, errand, glance, world
from fedns.errors import Problem
from fedns.kube import client, informer, kinds
from fedns.kube.failure import ApiError, Failure
from fedns.kube.resource import Resource
from fedns.placement import assignment, fitness, item, marks, merging, pod

SELECTOR = f"{marks.LABEL}=true"
HINT = advice.RIGHTS
FIGHTS = 3
"""So many times in a row what somebody else sets is taken back; then it is told instead."""
PEACE = 600.0
"""Seconds without one until that is forgotten."""
PACE = informer.Pace(life=600.0, refused=10.0)
"""A kind that is not there may be defined at any time; of what is there, watches of many kinds live long."""
FLIGHT = 5.0
"""Seconds for which a write may be on its way: what the watch shows meanwhile is judged with its reply."""
SCALED = b"-scaled"
"""Behind a digest: without the replicas."""

State = Literal["applied", "waiting", "drifted", "failing", "stopped", "removing", "leaving", "held"]
LEAVING: frozenset[State] = frozenset(("removing", "leaving", "held"))
"""Who waits for whom to go is a matter of time too."""


class Subject(NamedTuple):
    """A kind; `told`: the statuses of its copies are of interest."""

    api_version: str
    kind: str
    told: bool = False


class _Flight(NamedTuple):
    """A write: `until` when it is waited for (monotonic), and what the watch has shown last meanwhile (empty:
    that it is gone)."""

    until: float
    seen: dict[str, Any] | None = None


class Row(NamedTuple):
    """One copy as people are told of it. `fit`: whether one that is applied does what it is to do, by its
    own status; None: nobody knows."""

    what: item.Ref
    state: State
    policy: str
    words: str = ""
    fit: bool | None = None


class Holding:
    """Those of one member."""

    def __init__(self, subject: Subject, asked: world.World, pace: docket.Pace | None = None) -> None:
        self.subject, self._world, self.book = subject, asked, docket.Docket(pace)
        self.resource: Resource = kinds.named(subject.api_version, subject.kind)
        self.there: dict[item.Ref, glance.There] = {}
        self._suspects: set[item.Ref] = set()
        self._left: dict[item.Ref, tuple[bytes, bytes]] = {}
        """What was applied, and a fingerprint of what that left."""
        self.righted = 0
        """Copies that somebody changed and that were put right."""
        self._flying: dict[item.Ref, _Flight] = {}
        self._fights: dict[item.Ref, tuple[int, float]] = {}
        self._saying: set[item.Ref] = set()
        """Copies that only tell that clients are to leave, or no more."""
        self._drifts: set[item.Ref] = set()
        """Copies that are being put right."""
        self._words: dict[item.Ref, str] = {}
        self._feed: informer.Informer | None = None
        self._troubled = False

    @property
    def synced(self) -> bool:
        """Whether all that is there is known."""
        return self._feed is not None and self._feed.known

    @property
    def settled(self) -> bool:
        """Whether that is so, or nobody can know."""
        return self._feed is not None and self._feed.settled

    @property
    def off(self) -> str:
        return self._feed.off if self._feed is not None else ""

    def hurry(self, among: Collection[item.Ref] | None = None) -> None:
        """What was in the way (of these; None: of all, and of the kind) may be gone."""
        self.book.hurry(time.monotonic(), None if among is None else map(self._key, among))
        if among is None and self._feed is not None and (self._feed.off or self._feed.trouble):
            self._feed.hurry()

    def open(self, api: client.Client, news: Callable[[], None]) -> informer.Informer:
        """Begins to look at what is there, anew."""
        self.close()

        def hear(changes: informer.Changes) -> None:
            for key, value in changes:
                what = self._ref(key)
                if value is None and what in self._flying:
                    self._flying[what] = self._flying[what]._replace(seen={})
                self._take(what, value)
            news()

        async def admit() -> None:
            if feed.known:
                return
            self.resource = await kinds.find(api, self.subject.api_version, self.subject.kind)
            feed.subject = feed.subject._replace(resource=self.resource)

        subject = informer.Subject(self.resource, self._decode, SELECTOR)
        self._feed = feed = informer.Informer(api, subject, informer.Ears(hear, admit), PACE)
        self._suspects.update(what for what in self._world.refs() if self.has(what))
        return feed

    def close(self) -> None:
        """Forgets what is there; which may differ is not lost."""
        self._suspects |= self.there.keys()
        self._feed, gone = None, tuple(self.there)
        for table in (self.there, self._left, self._flying, self._fights, self._words, self._drifts):
            table.clear()
        self.book.clear()
        for what in gone:
            self._world.moved(what)

    def touch(self, objects: Iterable[item.Ref]) -> None:
        """Something else may be wanted of these."""
        self._suspects.update(objects)

    def due(self, now: float) -> docket.Looks:
        before, self._troubled = self._troubled, self._feed is not None and bool(self._feed.trouble)
        if before and not self._troubled:
            self.book.hurry(now)
        if not self.synced or self.book.closed(now):
            return iter(())
        return self.book.picked(self._due(now))

    def errand(self, key: informer.Key) -> errand.Task | None:
        what = self._ref(key)
        copy, there = self._world.copy(what), self.there.get(what)
        drifts = copy is not None and there is not None and there.last == self._token(what, copy)
        (self._drifts.add if drifts else self._drifts.discard)(what)
        step = self._step(what)
        says = step is not None and step.parting is not None
        (self._saying.add if says else self._saying.discard)(what)
        if step is not None and step.copy is not None:
            self._flying[what] = _Flight(time.monotonic() + FLIGHT)
        return step

    def wrote(self, key: informer.Key, there: Any) -> None:
        what = self._ref(key)
        flight = self._flying.pop(what, None)
        if self.book.wrote(key):
            self._world.healed()
        self._words.pop(what, None)
        found = None if there is None else self._whole(there)
        if found is None or not marks.ours(found):
            before = self.there.get(what)
            if before is None or not before.going:  # the watch tells when it is gone
                self._take(what, None)
            if found is None:
                self._world.removed(what)
            return
        copy = self._world.copy(what)
        if copy is not None and what not in self._saying:
            if what in self._drifts:
                self.righted += 1
                self._fight(what)
            self._left[what] = (self._token(what, copy), glance.fingerprint(found))
        seen, later = None if flight is None else flight.seen, errand.overtaken(self._feed, key, found)
        if seen is not None and (later or not seen):
            self._take(what, self._read(seen) if seen else None)
        elif later:
            self._suspects.add(what)  # the watch has shown what became of it since
        else:
            self._take(what, self._read(found))

    def failed(self, key: informer.Key, failure: Failure) -> None:
        what = self._ref(key)
        self._flying.pop(what, None)
        self._words[what] = str(failure)
        alone = isinstance(failure, ApiError) and delivery.alone(failure)
        self.book.failed(key, delivery.Refused(str(failure)) if alone else failure)
        self._suspects.add(what)
        self._world.moved(what)

    def problems(self, where: str) -> Iterator[Problem]:
        if self.book.refused:
            yield Problem(where, f"{self.resource.plural}: {self.book.refused}", HINT)
        elif self.off:
            yield Problem(where, f"{self.subject.kind}: {self.off}", HINT if "403" in self.off else "")
        else:
            for what, words in sorted(self._words.items())[: docket.SHOWN]:
                yield Problem(f"{where}: {what}", words, advice.of(words))

    def rows(self) -> Iterator[Row]:
        """How each stands."""
        wanted = {what for what in self._world.refs() if self.has(what)}
        for what in sorted(wanted | self.there.keys()):
            yield self._row(what)

    def row(self, what: item.Ref) -> Row | None:
        """How one stands; None: it is not there, and need not be."""
        return self._row(what) if what in self.there or self._world.copy(what) is not None else None

    @property
    def doubted(self) -> bool:
        """Whether any may not be as it shall be."""
        return bool(self._suspects)

    def doubts(self, what: item.Ref | None) -> bool:
        """Whether one may not be as it shall be."""
        return what in self._suspects

    def gone(self) -> frozenset[item.Ref]:
        """Copies that are to be removed."""
        found = (what for what in self._suspects if self._world.copy(what) is None)
        return frozenset(what for what in found if _goes(self._step(what)))

    def _row(self, what: item.Ref) -> Row:
        copy, there, words = self._world.copy(what), self.there.get(what), self._words.get(what, "")
        state: State
        if there is not None and there.going:
            return Row(what, "removing" if copy is None else "waiting", there.told.policy, there.going)
        if copy is None:
            assert there is not None
            step, fated = self._step(what), self._world.fate(what, there.told)
            waits = self._world.waits(what, True) if _goes(step) else ""
            state = "stopped" if step is None else "held" if waits else "removing"
            if step is not None and step.release:
                state = "leaving"
            return Row(what, state, there.told.policy, words or waits or "; ".join(fated.why))
        if copy.stopped:
            return Row(what, "stopped", copy.policy, copy.stopped)
        token = self._token(what, copy)
        if there is not None and there.settled == token:
            return Row(what, "applied", copy.policy, fit=there.fit)
        if words:
            return Row(what, "failing", copy.policy, words)
        if there is not None and there.last == token:
            return Row(what, "drifted", copy.policy)
        state = "failing" if "403" in self.off else "waiting"
        return Row(what, state, copy.policy, self.off or self._world.waits(what, False))

    def _due(self, now: float) -> docket.Looks:
        for what in tuple(self._suspects):
            step = self._step(what)
            key = self._key(what)
            if step is None:
                self._suspects.discard(what)
                self._words.pop(what, None)
                self.book.settled(key)
                yield None
                continue
            if self._world.waits(what, step.removes):
                continue
            if self.book.ready(key, now):
                yield docket.Due(step.removes, key)

    def _step(self, what: item.Ref) -> delivery.Delivery | None:
        """What is to be done of one, if anything."""
        copy, there = self._world.copy(what), self.there.get(what)
        if there is not None and there.going:
            return None  # it is the member's own matter by now
        bare = delivery.Delivery(self._served(copy), what.namespace, what.name)
        if copy is None:
            action = "" if there is None else self._world.fate(what, there.told).action
            if action in ("", "refuse"):
                return None
            parts = self._world.parts(what)
            if action == "delete" and parts and not self.there[what].told.parting:
                return bare._replace(parting=parts, known=True)
            return bare._replace(release=action == "orphan", known=True)
        token = self._token(what, copy)
        if copy.stopped:
            return None
        if there is not None and there.settled == token:
            parts = self._world.parts(what)
            return (
                bare._replace(parting=parts, known=True) if bool(parts) != bool(there.told.parting) else None
            )
        last = b"" if there is None else there.last.removesuffix(SCALED)
        drifted = last in (b"", copy.digest) and self._fights.get(what, (0, 0.0))[0] < FIGHTS
        return bare._replace(
            copy=copy, known=there is not None, scaled=token.endswith(SCALED), drifted=drifted
        )

    def _served(self, copy: assignment.Copy | None) -> Resource:
        """In the version that a copy is written in."""
        told = str(copy.item.get("apiVersion") or "") if copy is not None else ""
        return self.resource._replace(version=told.rpartition("/")[2]) if told else self.resource

    def _fight(self, what: item.Ref) -> None:
        now = time.monotonic()
        count, at = self._fights.get(what, (0, now))
        self._fights[what] = (count + 1 if now - at < PEACE else 1, now)

    def _token(self, what: item.Ref, copy: assignment.Copy) -> bytes:
        field = pod.REPLICAS.get((what.group, what.kind))
        return copy.digest + SCALED if field and self._world.scaled(what) else copy.digest

    def _read(self, found: dict[str, Any]) -> glance.There:
        what = item.ref(found)
        copy, before, meta = self._world.copy(what), self.there.get(what), item.metadata(found)
        flies = copy is not None and bool(copy.digest) and self._flies(what, found)
        settled = self._settled(what, copy, found) if copy is not None and copy.digest and not flies else b""
        last = settled or (b"" if before is None else before.settled or before.last)
        return glance.There(
            str(meta.get("uid", "")),
            marks.told(found),
            settled,
            last,
            glance.going(meta),
            item.at(found, "spec", pod.REPLICAS.get((what.group, what.kind), "")),
            copy.generation if copy is not None and settled else 0,
            glance.status(found) if self.subject.told else None,
            fitness.fit(found),
            str(meta.get("resourceVersion", "")) if flies else "",
        )

    def _flies(self, what: item.Ref, found: dict[str, Any]) -> bool:
        """Whether a write of it is on its way; then this is what was seen last."""
        flight = self._flying.get(what)
        if flight is None or time.monotonic() > flight.until:
            return False
        self._flying[what] = flight._replace(seen=found)
        return True

    def _settled(self, what: item.Ref, copy: assignment.Copy, found: dict[str, Any]) -> bytes:
        token = self._token(what, copy)
        if what in self._left and self._left[what] == (token, glance.fingerprint(found)):
            return token
        scaled = token.endswith(SCALED)
        sent = assignment.without_replicas(copy.item) if scaled else copy.item
        if merging.stands(found, sent):
            return token
        return token if merging.tidy(merging.merged(found, sent)) == merging.tidy(found) else b""

    def _whole(self, found: dict[str, Any]) -> dict[str, Any]:
        """Items of lists do not say what they are."""
        return {"apiVersion": self.resource.api_version, "kind": self.subject.kind, **found}

    def _decode(self, data: informer.Data) -> informer.Item:
        found = self._whole(client.decoded(_object, data))
        meta = item.metadata(found)
        value = self._read(found) if marks.ours(found) else None
        return informer.Item(self._key(item.ref(found)), value, "", str(meta.get("resourceVersion", "")))

    def _take(self, what: item.Ref, value: glance.There | None) -> None:
        if value is None:
            self.there.pop(what, None)
            self._left.pop(what, None)
            self._words.pop(what, None)
            self.book.forget(self._key(what))
        else:
            self.there[what] = value
            self.book.hurry(time.monotonic(), (self._key(what),))
        self._suspects.add(what)
        self._world.moved(what)

    def has(self, what: item.Ref) -> bool:
        return (what.group, what.kind) == (self.resource.group, self.subject.kind)

    def _ref(self, key: informer.Key) -> item.Ref:
        return item.Ref(self.resource.group, *key)

    def _key(self, what: item.Ref) -> informer.Key:
        return what.kind, what.namespace, what.name


_object = msgspec.json.Decoder(dict[str, Any])


def _goes(step: delivery.Delivery | None) -> bool:
    """Whether a copy is to be removed, be it after its clients have left."""
    return step is not None and step.copy is None and not step.release
