"""The prober: asks every target it is aimed at, again and again, and counts the results.

Law: targets come through `aim` and nothing else; a target that goes is not asked again. Only counts
that differ are published: steady success changes nothing but its age, which `counts` shows. Waiting
is jittered by a tenth, halved while a change of state is under way, and at most `together` probes
are out at one time.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping

from msgspec import Struct

from fedns.model import health
from fedns.model.facts import ProbeCount
from fedns.model.policy import ProbeKind, ProbeSpec
from fedns.sources import change, probe, probe_grpc, probe_http, probe_tcp
from fedns.sources.probe import Probe, Result, Target

JITTER = 0.1
"""Part of the interval by which a probe may come early or late."""
FIRST_S = 0.2
"""A new target's first probe comes within this: it is unknown until then."""
EDGE = 0.5
"""Part of the interval waited while results contradict the state."""


class Settings(Struct, frozen=True):
    """`together`: probes out at one time."""

    together: int = 256


DEFAULTS = Settings()


class Prober:
    """Probes the targets given to `aim` while `run` runs. `restored` are counts to begin from."""

    def __init__(
        self,
        restored: Mapping[change.Target, ProbeCount],
        settings: Settings = DEFAULTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._counts = dict(restored)
        self._targets: Mapping[change.Target, Target] = {}
        self._tasks: dict[change.Target, tuple[Target, asyncio.Task[None]]] = {}
        self._news = asyncio.Event()
        self._turns = asyncio.Semaphore(settings.together)
        self._probes: Mapping[ProbeKind, Probe] = {}

    @property
    def counts(self) -> Mapping[change.Target, ProbeCount]:
        """Where every target stands, with its newest age."""
        return self._counts

    def aim(self, targets: Mapping[change.Target, Target]) -> None:
        """Probe these from now on, and no others."""
        if targets != self._targets or self._counts.keys() - targets.keys():
            self._targets = targets
            self._news.set()

    async def run(self, publish: change.Publish) -> None:
        async with _kinds() as self._probes:
            try:
                while True:
                    await self._news.wait()
                    self._news.clear()
                    self._follow(publish)
            finally:
                await self._stop()

    async def _stop(self) -> None:
        tasks = [task for _, task in self._tasks.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _follow(self, publish: change.Publish) -> None:
        for key in self._tasks.keys() - self._targets.keys():
            self._tasks.pop(key)[1].cancel()
        gone = self._counts.keys() - self._targets.keys()
        for key in gone:
            del self._counts[key]
        if gone:
            publish(change.ProbeChange(dict.fromkeys(gone), frozenset(service for _, service in gone)))
        for key, target in self._targets.items():
            running = self._tasks.get(key)
            if running and running[0] == target:
                continue
            moved = running is not None and running[0].at != target.at
            fresh = moved and self._counts.get(key, ProbeCount()).state == "down"
            if running:
                running[1].cancel()
            task = asyncio.create_task(self._keep(key, target, fresh, publish))
            self._tasks[key] = (target, task)

    async def _keep(self, key: change.Target, target: Target, fresh: bool, publish: change.Publish) -> None:
        """Probe one target until cancelled; `fresh` forgets what was counted elsewhere: who moved away from
        a dead address is judged at once, and who was well (a load balancer turns its addresses) has time."""
        before = ProbeCount() if fresh else self._counts.get(key, ProbeCount())
        await asyncio.sleep(random.uniform(0.0, min(FIRST_S, target.spec.interval)))
        while True:
            async with self._turns:
                result = await self._ask(target)
            now = health.count(before, result.ok, result.reason, target.spec, self._clock())
            shown = self._counts.get(key)
            self._counts[key] = before = now
            if shown is None or _told(shown) != _told(now):
                publish(change.ProbeChange({key: now}, frozenset((key[1],))))
            await asyncio.sleep(pause(now, target.spec))

    async def _ask(self, target: Target) -> Result:
        try:
            async with asyncio.timeout(target.spec.timeout):
                return await self._probes[target.spec.kind](target)
        except TimeoutError:
            return Result(False, f"no answer within {target.spec.timeout:g} s")
        except OSError as error:
            return Result(False, probe.trouble(error, target))


@contextlib.asynccontextmanager
async def _kinds() -> AsyncIterator[Mapping[ProbeKind, Probe]]:
    """The table of probe kinds, with what they share."""
    http = probe_http.Http()
    try:
        yield {"http": http.check, "https": http.check, "tcp": probe_tcp.check, "grpc": probe_grpc.check}
    finally:
        await http.close()


def _told(count: ProbeCount) -> tuple[str, int, int, str]:
    """What is worth telling: all but the age."""
    return count.state, count.successes, count.failures, count.reason


def pause(count: ProbeCount, spec: ProbeSpec) -> float:
    """Seconds until the next probe of a target that stands at `count`."""
    wavers = (count.state == "up" and count.failures) or (count.state == "down" and count.successes)
    part = EDGE if wavers else 1.0
    return spec.interval * part * random.uniform(1 - JITTER, 1 + JITTER)
