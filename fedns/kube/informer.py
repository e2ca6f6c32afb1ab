"""List and watch of one resource: what there is, and then what differs, for as long as it runs.

Law: the cache is never emptied because something failed; a new list is compared with it, and only differences
are told. Lists are read in pages or as a stream, decoded 200 objects at a time. A watch that breaks goes on
where it was; one that expired, or that was silent for all its life (a version of the future: the server was
restored), is begun anew with a list. 403 and 404 switch this one resource off until they pass; an API server
that has just started knows no rules yet and refuses everything, so the first ones are soon tried again.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from fedns import beat
from fedns.kube import backoff, client, envelope, gate
from fedns.kube.failure import ApiError, Failure, Unreachable
from fedns.kube.resource import Resource

SLOWER = 3.0
"""How much longer each refusal in a row keeps a resource off than the one before: 0.8 s, 2.4, 7, 22, 60."""
END = "k8s.io/initial-events-end"
"""The annotation of the bookmark that ends a streamed list (KEP 3157)."""
NOBODY = "-"
"""No object can have this name."""
NOT_SO = (400, 422)
"""How servers that do not stream lists say so."""

Key = tuple[str, str, str]
"""(kind, namespace, name)."""
Changes = Sequence[tuple[Key, Any]]
"""What differs: the new value, or None where it is gone."""
Data = bytes | msgspec.Raw
"""An object as it came."""


class Item(NamedTuple):
    """One object decoded. `value` None: it does not concern us; `trouble`: why it cannot be read; `version`:
    its resourceVersion."""

    key: Key
    value: Any
    trouble: str = ""
    version: str = ""


Decode = Callable[[Data], Item]


class Pace(NamedTuple):
    """Objects a page, and seconds: a watch's life, how much longer a silent one is borne, how long a streamed
    list may bring nothing new, until a list that is silent is called stalled, and until a resource that was
    refused is asked for again (at first sooner)."""

    page: int = 500
    life: float = 240.0
    slack: float = 15.0
    stream: float = 120.0
    silent: float = 10.0
    refused: float = 60.0
    bounds: backoff.Bounds = backoff.Bounds()


class Subject(NamedTuple):
    """What to watch, and how an object of it is read. Selectors as the API has them; an empty `namespace` is
    all of them. `optional`: a server that does not know such a thing has none of it. `name`: where that of
    the resource is not enough."""

    resource: Resource
    decode: Decode
    labels: str = ""
    fields: str = ""
    namespace: str = ""
    optional: bool = False
    name: str = ""

    @property
    def path(self) -> str:
        return self.resource.path(self.namespace)


class Ears(NamedTuple):
    """Who hears. `changed` is told differences, and nothing at all (an empty sequence) where only the state
    of the informer differs; `admit` is awaited before each list and watch, and refuses by Failure."""

    changed: Callable[[Changes], None]
    admit: Callable[[], Awaitable[None]]


class Informer:
    """One resource of one cluster. `run` goes on until cancelled; the rest is for who asks how it does."""

    def __init__(self, api: client.Client, subject: Subject, ears: Ears, pace: Pace | None = None) -> None:
        self.subject = subject
        self.synced_at = self.heard_at = 0.0
        """Unix seconds of the last whole list, and of the last word from the server; 0: never."""
        self.lists = self._refusals = 0
        self.errors: Counter[str] = Counter()
        self.trouble = self.off = ""
        """Why it does not go on at the moment; the refusal that switched it off."""
        self.troubles: dict[Key, str] = {}
        """Objects that cannot be read; what was known of them stays."""
        self._api, self._ears, self._pace = api, ears, pace or Pace()
        self._backoff = backoff.Backoff(self._pace.bounds)
        self._asked_at = 0.0
        """Unix seconds since when a list is read; 0: none is, or it waits for its turn."""
        self._cache, self._versions = dict[Key, Any](), dict[Key, str]()
        self._found: dict[Key, Item] | None = None
        self._version = ""
        self._turn: asyncio.Task[None] | None = None
        self._broke = self._again = False
        self._hurry = asyncio.Event()

    def __len__(self) -> int:
        return len(self._cache)

    def version(self, key: Key) -> str:
        """The resourceVersion of an object as last seen; empty: it is not known."""
        return self._versions.get(key, "")

    @property
    def name(self) -> str:
        """As people are told of it."""
        return self.subject.name or self.subject.resource.plural

    @property
    def known(self) -> bool:
        """Whether what is served is known: there was a whole list, and no refusal since."""
        return bool(self.synced_at) and not self.off

    @property
    def settled(self) -> bool:
        """Whether all there is is known, or it is known that nothing can be."""
        return bool(self.synced_at or self.off)

    def stalled(self, now: float) -> bool:
        """Whether a list is read of which nothing has come for long."""
        return bool(self._asked_at) and now - max(self._asked_at, self.heard_at) > self._pace.silent

    def relist(self) -> None:
        """Reads everything again, now; what is known stays until then."""
        self._version = ""
        if self._turn is not None:
            self._again = True
            self._turn.cancel()

    def hurry(self) -> None:
        """Whatever it waits for after a failure has happened."""
        self._hurry.set()

    async def _turns(self) -> None:
        """`_once`, which `relist` may end."""
        self._turn = asyncio.ensure_future(self._once())
        try:
            await self._turn
        except asyncio.CancelledError:
            us = asyncio.current_task()
            if not self._again or (us is not None and us.cancelling()):
                raise  # somebody ends the whole informer
            self._version = ""
        finally:
            self._turn.cancel()
            self._turn, self._again = None, False

    async def run(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                await self._turns()
                least = 0.0
                if time.monotonic() - begun >= self._pace.bounds.first:
                    continue  # a watch that lived; one that ends at once is as good as a failure
                self._broke = True
            except Failure as failure:
                least, self._broke = self._failed(failure), True
            away = self._backoff.failed(time.monotonic(), least) if least >= 0 else -least
            with contextlib.suppress(TimeoutError):
                async with beat.timeout(away):
                    await self._hurry.wait()
            self._hurry.clear()

    def _failed(self, failure: Failure) -> float:
        """Takes note; how long to stay away at least (negative: exactly so long)."""
        if self.subject.optional and isinstance(failure, ApiError) and failure.status == 404:
            self._replace({}, "")
            return -self._pace.refused * random.uniform(0.8, 1.2)
        self.errors[failure.kind] += 1
        self.trouble = str(failure)
        status = failure.status if isinstance(failure, ApiError) else 0
        if status in (410, 504):  # gone, or a version that this server has not reached
            self._version = ""
        if status in (403, 404):
            self.off, self._version = str(failure), ""
            self._ears.changed(())
            self._refusals += 1
            soon = self._pace.bounds.first * SLOWER ** min(self._refusals - 1, 9)
            return -min(soon, self._pace.refused) * random.uniform(0.8, 1.2)
        self._ears.changed(())
        return failure.retry_after

    async def _once(self) -> None:
        """A list where one is needed, and a watch to its end."""
        await self._ears.admit()
        if self._version and self._broke:
            await self._known()
        if not self._version and not self._api.streams:
            async with self._api.gate:
                with self._asking():
                    await self._list()
            await self._ears.admit()
        begins = not self._version
        try:
            await self._watch()
        except ApiError as error:
            if not begins or error.status not in NOT_SO:
                raise
            self._api.streams = False
            await self._once()

    async def _known(self) -> None:
        """Whether the server, after a failure, has reached the version that the next watch begins at: one
        that was restored from a backup would be silent about it. Failure: it has not."""
        query = {"resourceVersion": self._version, "resourceVersionMatch": "NotOlderThan"}
        await self._api.get(self.subject.path, {**query, "fieldSelector": f"metadata.name={NOBODY}"})
        self._broke = False

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        self._asked_at = time.time()
        try:
            yield
        finally:
            self._asked_at = 0.0

    async def _list(self) -> None:
        for limit in (self._pace.page, self._pace.page, 0):
            try:
                found, version = await self._pages(limit)
                break
            except ApiError as error:  # compacted in the middle: begin again, at last in one go
                if error.status != 410 or not limit:
                    raise
        self._replace(found, version)

    async def _pages(self, limit: int) -> tuple[dict[Key, Item], str]:
        found: dict[Key, Item] = {}
        query, path = self._query(), self.subject.path
        if limit:
            query["limit"] = str(limit)
        while True:
            page = client.decoded(envelope.page, await self._api.get(path, query))
            self.heard_at = time.time()
            for chunk in envelope.chunks(page.items or ()):
                for raw in chunk:
                    item = self.subject.decode(raw)
                    found[item.key] = item
                await asyncio.sleep(0)
            if not page.metadata.after:
                return found, page.metadata.resourceVersion
            query["continue"] = page.metadata.after

    async def _watch(self) -> None:
        """A watch to its end; without a version, one that begins with all there is."""
        life = self._pace.life * random.uniform(1.0, 1.25)
        query = {**self._query(), "watch": "1", "allowWatchBookmarks": "true"}
        query["timeoutSeconds"] = str(max(1, round(life)))
        if self._version:
            await self._follow({**query, "resourceVersion": self._version}, life)
        else:
            begin = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
            await self._stream({**query, **begin}, life)

    async def _follow(self, query: client.Query, life: float) -> None:
        heard, begun = False, time.monotonic()
        try:
            async with contextlib.aclosing(self._lines(query, life)) as batches:
                async for lines in batches:
                    heard = heard or bool(lines)
                    await self._take(lines)
        finally:
            if not heard and time.monotonic() - begun >= round(life):
                self._version = ""

    async def _stream(self, query: client.Query, life: float) -> None:
        """A list that comes as events up to a bookmark, and the watch that it turns into."""
        self._found, passage = {}, gate.Passage(self._api.gate)
        await passage.enter()
        try:
            with self._asking():
                await self._begin(query, life, passage)
        except TimeoutError:
            self._api.streams = False
            raise Unreachable("the streamed list had no end: it is read in pages from now on") from None
        finally:
            passage.leave()
            broken, self._found = self._found is not None, None
        if broken:
            self._api.streams = False
            raise Unreachable("the streamed list broke off: it is read in pages from now on")

    async def _begin(self, query: client.Query, life: float, passage: gate.Passage) -> None:
        async with (
            asyncio.timeout(self._pace.stream) as limit,
            contextlib.aclosing(self._lines(query, life)) as batches,
        ):
            known = 0
            async for lines in batches:
                await self._take(lines)
                if self._found is None and passage.leave():
                    self._asked_at = 0.0
                    limit.reschedule(None)
                elif known < (known := len(self._found or ())):
                    limit.reschedule(asyncio.get_running_loop().time() + self._pace.stream)

    def _lines(self, query: client.Query, life: float) -> AsyncGenerator[list[bytes], None]:
        return self._api.lines(self.subject.path, query, life + self._pace.slack)

    def _query(self) -> dict[str, str]:
        given = {"labelSelector": self.subject.labels, "fieldSelector": self.subject.fields}
        return {name: value for name, value in given.items() if value}

    async def _take(self, lines: Sequence[bytes]) -> None:
        """Events into the cache, or into the list that is being streamed."""
        self.heard_at, self.trouble = time.time(), ""
        for chunk in envelope.chunks(lines):
            changes: dict[Key, Any] = {}
            try:
                for line in filter(None, chunk):
                    self._hear(line, changes)
            finally:
                if changes:
                    self._ears.changed(tuple(changes.items()))
            await asyncio.sleep(0)

    def _hear(self, line: bytes, changes: dict[Key, Any]) -> None:
        event = client.decoded(envelope.event, line)
        if event.type == "ERROR":
            raise client.refusal(event.object)
        if event.type == "BOOKMARK":
            self._mark(client.decoded(envelope.versioned, event.object).metadata)
            return
        item = self.subject.decode(event.object)
        self._apply(item._replace(value=None, trouble="") if event.type == "DELETED" else item, changes)
        if self._found is None:
            self._version = item.version or self._version

    def _mark(self, meta: envelope.Meta) -> None:
        """A version that the watch has come to; one ends the list that is being streamed."""
        if self._found is not None and END in (meta.annotations or ()):
            found, self._found = self._found, None
            self._replace(found, meta.resourceVersion)
        if self._found is None:
            self._version = meta.resourceVersion or self._version

    def _apply(self, item: Item, changes: dict[Key, Any]) -> None:
        if self._found is not None:
            self._found[item.key] = item
        elif item.trouble:
            if self.troubles.get(item.key) != item.trouble:
                self.troubles[item.key] = item.trouble
                self._ears.changed(())
        else:
            if self.troubles.pop(item.key, None):
                self._ears.changed(())
            if item.value != self._cache.get(item.key):
                changes[item.key] = item.value
            _put(self._cache, item.key, item.value)
            _put(self._versions, item.key, None if item.value is None else item.version)

    def _replace(self, found: Mapping[Key, Item], version: str) -> None:
        """Takes a whole list for what there is, and tells what differs."""
        before, after = self._cache, dict[Key, Any]()
        for key, item in found.items():
            value = before.get(key) if item.trouble else item.value
            if value is not None:
                after[key] = value
        changes = [(key, value) for key, value in after.items() if before.get(key) != value]
        changes += [(key, None) for key in before if key not in after]
        self.troubles = {key: item.trouble for key, item in found.items() if item.trouble}
        kept = {
            key: self._versions.get(key, "") if found[key].trouble else found[key].version for key in after
        }
        self._cache, self._versions, self._version = after, kept, version
        self.synced_at = self.heard_at = time.time()
        self.lists += 1
        self._refusals = 0
        self.off = self.trouble = ""
        self._ears.changed(changes)


def _put(table: dict[Key, Any], key: Key, value: Any) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
