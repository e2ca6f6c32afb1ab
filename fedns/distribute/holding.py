"""The copies of one kind in one member: as they are there, as they shall be, what is to do.

Law: only what bears our mark is watched, and of it only a few words are kept. A copy is as it should be when
applying it would change nothing; what an apply left is taken for that, however the server has put it. Nothing
is removed before all that is there is known. A copy that fails keeps only itself waiting.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from fedns.distribute import delivery, docket, errand
from fedns.errors import Problem
from fedns.kube import client, informer, kinds
from fedns.kube.failure import ApiError, Failure
from fedns.kube.resource import Resource
from fedns.placement import assignment, fate, item, marks, merging, pod

SELECTOR = f"{marks.LABEL}=true"
HINT = "`fedns rbac --for-policies` prints the rights it takes"
FIGHTS = 3
"""So many times in a row what somebody else sets is taken back; then it is told instead."""
PEACE = 600.0
"""Seconds without one until that is forgotten."""
FORBIDDEN = " cannot "
"""In what RBAC says; an admission webhook that refuses one object has other words for the same 403."""
PACE = informer.Pace(refused=10.0)
"""A kind that is not there may be defined at any time."""
VOLATILE = ("managedFields", "resourceVersion", "generation")
SCALED = b"-scaled"
"""Behind a digest: without the replicas."""

State = Literal["applied", "waiting", "drifted", "failing", "stopped", "removing", "leaving", "held"]


class World(Protocol):
    """What one member is to have, and when."""

    def refs(self) -> Iterable[item.Ref]: ...

    def copy(self, what: item.Ref) -> assignment.Copy | None: ...

    def fate(self, what: item.Ref, told: marks.Told) -> fate.Fate: ...

    def scaled(self, what: item.Ref) -> bool: ...

    def waits(self, what: item.Ref, goes: bool) -> str:
        """Why an object is not made (or removed, `goes`) now; empty: it may be."""

    def moved(self, what: item.Ref) -> None:
        """One came, differs, or went."""

    def removed(self, what: item.Ref) -> None:
        """We removed one."""


class Subject(NamedTuple):
    """A kind; `told`: the statuses of its copies are of interest."""

    api_version: str
    kind: str
    told: bool = False


class There(NamedTuple):
    """A copy as it is. `settled`: the digest of what it is as, empty: it differs; `last`: the last such."""

    uid: str
    told: marks.Told
    settled: bytes
    last: bytes
    going: bool
    replicas: int | None
    generation: int
    status: Any = None


class Row(NamedTuple):
    """One copy as people are told of it."""

    what: item.Ref
    state: State
    policy: str
    words: str = ""


class Holding:
    """Those of one member."""

    def __init__(self, subject: Subject, world: World, pace: docket.Pace | None = None) -> None:
        self.subject, self._world, self.book = subject, world, docket.Docket(pace)
        self.resource: Resource = kinds.named(subject.api_version, subject.kind)
        self.there: dict[item.Ref, There] = {}
        self._suspects: set[item.Ref] = set()
        self._left: dict[item.Ref, tuple[bytes, bytes]] = {}
        """What was applied, and a fingerprint of what that left."""
        self._fights: dict[item.Ref, tuple[int, float]] = {}
        self._words: dict[item.Ref, str] = {}
        self._feed: informer.Informer | None = None

    @property
    def synced(self) -> bool:
        """Whether all that is there is known."""
        return self._feed is not None and bool(self._feed.synced_at) and not self._feed.off

    @property
    def settled(self) -> bool:
        """Whether that is so, or nobody can know."""
        return self._feed is not None and self._feed.settled

    @property
    def off(self) -> str:
        return self._feed.off if self._feed is not None else ""

    def hurry(self) -> None:
        """The kind may be there by now."""
        if self._feed is not None and self._feed.off:
            self._feed.hurry()

    def open(self, api: client.Client, news: Callable[[], None]) -> informer.Informer:
        """Begins to look at what is there, anew."""
        self.close()

        def hear(changes: informer.Changes) -> None:
            for key, value in changes:
                self._take(self._ref(key), value)
            news()

        async def admit() -> None:
            self.resource = await kinds.find(api, self.subject.api_version, self.subject.kind)
            feed.subject = feed.subject._replace(resource=self.resource)

        subject = informer.Subject(self.resource, self._decode, SELECTOR)
        self._feed = feed = informer.Informer(api, subject, informer.Ears(hear, admit), PACE)
        self._suspects.update(what for what in self._world.refs() if self.has(what))
        return feed

    def close(self) -> None:
        """Forgets what is there; which may differ is not lost."""
        self._suspects |= self.there.keys()
        self._feed = None
        for table in (self.there, self._left, self._fights, self._words):
            table.clear()
        self.book.clear()

    def touch(self, objects: Iterable[item.Ref]) -> None:
        """Something else may be wanted of these."""
        self._suspects.update(objects)

    def due(self, now: float) -> Iterator[docket.Due]:
        if not self.synced or self.book.closed(now):
            return iter(())
        return self.book.picked(self._due(now))

    def errand(self, key: informer.Key) -> errand.Task | None:
        return self._step(self._ref(key))

    def wrote(self, key: informer.Key, there: Any) -> None:
        what = self._ref(key)
        self.book.wrote(key)
        self._words.pop(what, None)
        found = None if there is None else self._whole(there)
        if found is None or not delivery.ours(found):
            self._take(what, None)
            if found is None:
                self._world.removed(what)
            return
        copy, before = self._world.copy(what), self.there.get(what)
        if copy is not None:
            token = self._token(what, copy)
            if before is not None and before.last == token:
                self._fight(what)
            self._left[what] = (token, _fingerprint(found))
        self._take(what, self._read(found))

    def failed(self, key: informer.Key, failure: Failure) -> None:
        what = self._ref(key)
        self._words[what] = str(failure)
        status = failure.status if isinstance(failure, ApiError) else 0
        if status == 404 or (status == 403 and FORBIDDEN not in str(failure)):
            failure = delivery.Refused(str(failure))
        self.book.failed(key, failure)
        self._suspects.add(what)
        self._world.moved(what)

    def problems(self, where: str) -> Iterator[Problem]:
        if self.book.refused:
            yield Problem(where, f"{self.resource.plural}: {self.book.refused}", HINT)
        elif self.off:
            yield Problem(where, f"{self.subject.kind}: {self.off}", HINT if "403" in self.off else "")
        else:
            for what, words in sorted(self._words.items())[: docket.SHOWN]:
                yield Problem(f"{where}: {what}", f"it is not as it shall be: {words}")

    def rows(self) -> Iterator[Row]:
        """How each stands."""
        wanted = {what for what in self._world.refs() if self.has(what)}
        for what in sorted(wanted | self.there.keys()):
            yield self._row(what)

    def gone(self) -> frozenset[item.Ref]:
        """Copies that are to be removed."""
        found = (what for what in self._suspects if self._world.copy(what) is None)
        return frozenset(what for what in found if (step := self._step(what)) is not None and step.removes)

    def _row(self, what: item.Ref) -> Row:
        copy, there, words = self._world.copy(what), self.there.get(what), self._words.get(what, "")
        if copy is None:
            assert there is not None
            step, fated = self._step(what), self._world.fate(what, there.told)
            waits = self._world.waits(what, True) if step is not None and step.removes else ""
            state: State = "stopped" if step is None else "held" if waits else "removing"
            if step is not None and step.release:
                state = "leaving"
            return Row(what, state, there.told.policy, words or waits or "; ".join(fated.why))
        if copy.stopped:
            return Row(what, "stopped", copy.policy, copy.stopped)
        token = self._token(what, copy)
        if there is not None and there.settled == token:
            return Row(what, "applied", copy.policy)
        if words:
            return Row(what, "failing", copy.policy, words)
        if there is not None and there.last == token:
            return Row(what, "drifted", copy.policy)
        return Row(what, "waiting", copy.policy, self.off or self._world.waits(what, False))

    def _due(self, now: float) -> Iterator[docket.Due]:
        for what in tuple(self._suspects):
            step = self._step(what)
            if step is None:
                self._suspects.discard(what)
                continue
            key = self._key(what)
            if self._world.waits(what, step.removes):
                continue
            if self.book.ready(key, now):
                yield docket.Due(step.removes, key)

    def _step(self, what: item.Ref) -> delivery.Delivery | None:
        """What is to be done of one, if anything."""
        copy, there = self._world.copy(what), self.there.get(what)
        if there is not None and there.going:
            return None
        bare = delivery.Delivery(self._served(copy), what.namespace, what.name)
        if copy is None:
            action = "" if there is None else self._world.fate(what, there.told).action
            if action in ("", "refuse"):
                return None
            return bare._replace(release=action == "orphan", known=True)
        token = self._token(what, copy)
        if copy.stopped or (there is not None and there.settled == token):
            return None
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

    def _read(self, found: dict[str, Any]) -> There:
        what = item.ref(found)
        copy, before, meta = self._world.copy(what), self.there.get(what), item.metadata(found)
        settled = self._settled(what, copy, found) if copy is not None and copy.digest else b""
        last = settled or (b"" if before is None else before.settled or before.last)
        return There(
            str(meta.get("uid", "")),
            marks.told(found),
            settled,
            last,
            "deletionTimestamp" in meta,
            item.at(found, "spec", pod.REPLICAS.get((what.group, what.kind), "")),
            copy.generation if copy is not None and settled else 0,
            _status(found) if self.subject.told else None,
        )

    def _settled(self, what: item.Ref, copy: assignment.Copy, found: dict[str, Any]) -> bytes:
        token = self._token(what, copy)
        if what in self._left and self._left[what] == (token, _fingerprint(found)):
            return token
        scaled = token.endswith(SCALED)
        sent = assignment.without_replicas(copy.item) if scaled else copy.item
        return token if merging.tidy(merging.merged(found, sent)) == merging.tidy(found) else b""

    def _whole(self, found: dict[str, Any]) -> dict[str, Any]:
        """Items of lists do not say what they are."""
        return {"apiVersion": self.resource.api_version, "kind": self.subject.kind, **found}

    def _decode(self, data: informer.Data) -> informer.Item:
        found = self._whole(client.decoded(_object, data))
        meta = item.metadata(found)
        value = self._read(found) if delivery.ours(found) else None
        return informer.Item(self._key(item.ref(found)), value, "", str(meta.get("resourceVersion", "")))

    def _take(self, what: item.Ref, value: There | None) -> None:
        if value is None:
            self.there.pop(what, None)
            self._left.pop(what, None)
            self._words.pop(what, None)
            self.book.forget(self._key(what))
        else:
            self.there[what] = value
        self._suspects.add(what)
        self._world.moved(what)

    def has(self, what: item.Ref) -> bool:
        return (what.group, what.kind) == (self.resource.group, self.subject.kind)

    def _ref(self, key: informer.Key) -> item.Ref:
        return item.Ref(self.resource.group, *key)

    def _key(self, what: item.Ref) -> informer.Key:
        return what.kind, what.namespace, what.name


def _fingerprint(found: item.Item) -> bytes:
    """Of what clients say in an object."""
    meta = {name: value for name, value in item.metadata(found).items() if name not in VOLATILE}
    rest = {name: value for name, value in found.items() if name not in ("metadata", "status")}
    return assignment.digest({**rest, "metadata": meta})


def _status(found: item.Item) -> Any:
    status = found.get("status")
    return {**status, "generation": item.metadata(found).get("generation") or 0} if status else None


_object = msgspec.json.Decoder(dict[str, Any])
