"""One file watcher for all sources of a process: who asked about a path hears what changed below it.

Law: watchfiles polls its own buffer, once per `step` and watcher, so there is one and not one per
directory. A hint is only a hint: None means "look at everything", and is sent when a watch begins
(what happened before is not known) and when the watched paths change.
"""

import asyncio
import os
from collections.abc import Iterable

import watchfiles
from msgspec import Struct

Hints = frozenset[str] | None
STEP_MS = 2
"""How long the kernel's news may lie in watchfiles' buffer: half of it is the mean delay added."""
DEBOUNCE_MS = 10
"""A burst that never pauses for a step is handed on after this long."""
RETRY_S = 0.2
"""How soon a path that does not exist (yet, or any more) is tried again."""


class Ear(Struct, eq=False):
    """What one subscriber has not taken up yet."""

    path: str
    ready: asyncio.Event
    hints: set[str]
    everything: bool = True

    async def news(self, patience: float | None = None) -> Hints:
        """Paths that changed; None: look at everything (also when `patience` seconds pass quietly)."""
        try:
            async with asyncio.timeout(patience):  # no task of its own, unlike `wait_for`
                await self.ready.wait()
        except TimeoutError:
            return None
        self.ready.clear()
        hints, everything = frozenset(self.hints), self.everything
        self.hints.clear()
        self.everything = False
        return None if everything else hints

    def tell(self, path: str | None) -> None:
        """Wake the subscriber: `path` changed, or (None) anything may have."""
        if path is None:
            self.everything = True
        else:
            self.hints.add(path)
        self.ready.set()


class Watcher:
    """Watches the paths of all its ears. `run` must run for anything to be heard."""

    def __init__(self, step_ms: int = STEP_MS, debounce_ms: int = DEBOUNCE_MS) -> None:
        self._step, self._debounce = step_ms, debounce_ms
        self._ears: list[Ear] = []

    def listen(self, path: str) -> Ear:
        """Hear of changes at or below `path`, which may be missing now."""
        ear = Ear(os.path.abspath(path), asyncio.Event(), set())
        ear.ready.set()
        self._ears.append(ear)
        return ear

    def leave(self, ear: Ear) -> None:
        self._ears.remove(ear)

    async def run(self) -> None:
        """Watch until cancelled; begins anew when paths come, go or are replaced."""
        while True:
            inodes = self._inodes()
            stop = asyncio.Event()
            outdated = asyncio.create_task(self._outdated(inodes, stop))
            try:
                await self._watch([path for path, inode in inodes.items() if inode], stop)
                await outdated
            except OSError:  # a path just vanished, or the kernel grants no more watches: look ourselves
                await asyncio.sleep(RETRY_S)
            finally:
                outdated.cancel()
            self._tell_all()

    def _inodes(self) -> dict[str, int]:
        return {ear.path: _inode(ear.path) for ear in self._ears}

    async def _outdated(self, inodes: dict[str, int], stop: asyncio.Event) -> None:
        """Return (and set `stop`) once the paths are others than those being watched."""
        while self._inodes() == inodes:  # noqa: ASYNC110 - the file system sends no event
            await asyncio.sleep(RETRY_S)
        stop.set()

    async def _watch(self, paths: list[str], stop: asyncio.Event) -> None:
        if not paths:
            return
        changes = watchfiles.awatch(
            *paths, watch_filter=None, debounce=self._debounce, step=self._step, stop_event=stop
        )
        begun = asyncio.ensure_future(anext(changes, None))
        await asyncio.sleep(0)  # the watch is set up before its generator first waits
        self._tell_all()
        try:
            self._route(await begun)
            async for found in changes:
                self._route(found)
        finally:
            begun.cancel()

    def _route(self, changes: Iterable[tuple[watchfiles.Change, str]] | None) -> None:
        for _, path in changes or ():
            for ear in self._ears:
                if path == ear.path or path.startswith(f"{ear.path}/"):
                    ear.tell(path)

    def _tell_all(self) -> None:
        for ear in self._ears:
            ear.tell(None)


def _inode(path: str) -> int:
    """0: there is no such path."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0
