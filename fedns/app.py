"""The control process, and the one place where everything is wired: sources -> turn -> tables.

Law: no rule of the domain lives here. Sources publish into `Known`; news wakes the turn, which waits at
most `SETTLE` seconds for a burst to end; what a turn found out aims the probes and the resolver. A
configuration that changed and is sound is taken up by starting this process anew (the workers go on
answering); one that is not stays out, and is a problem.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import uvloop

from fedns import beat, config, fleet, instance, logs, metrics, portal, stamps, tables
from fedns.control import (
    aims,
    annexes,
    certificates,
    customs,
    desk,
    dispatch,
    farewell,
    frontage,
    judgements,
    keys,
    known,
    notices,
    passage,
    roster,
    scribe,
    secrets,
    turn,
    vault,
)
from fedns.dns import client as asker
from fedns.errors import Problem, StateError
from fedns.gateway import terms
from fedns.kube import client
from fedns.model import snapshot, state
from fedns.model.facts import ProbeCount
from fedns.servers import admin, sightings
from fedns.sources import (
    change,
    geodata,
    hostnames,
    operator,
    originals,
    passive,
    probes,
    watch,
    zonefiles,
)

SETTLE = 0.02
"""Seconds between two turns at least: news that arrives meanwhile is one turn's work."""
RETRY = 1.0
"""Seconds until a turn that could not publish is tried again."""
LOOK = 1.0
"""Seconds between two looks at the configuration file."""

log = logging.getLogger("fedns.app")


class Control:
    """The control process of one configuration."""

    def __init__(self, told: instance.Told, settings: config.Config, problems: tuple[Problem, ...]) -> None:
        self.told, self.path, self.config = told._replace(state=settings.state), told.path, settings
        self.started = time.time()
        # what is known
        awaited = ["zones", "orders", *(["geodata"] if settings.geo.database else [])]
        awaited += ["ingresses", "passive"] if settings.gateway.serves else []
        self.known = known.Known(config.world(settings), awaited)
        self.known.problems["config"] = problems
        # what is served
        self.writer = tables.Writer(os.path.join(settings.state, "tables"))
        previous, counts = self._restored()
        self.known.probes.update(counts)
        self.secrets = secrets.Secrets(
            os.path.join(settings.state, "cookies.json"), settings.dns.cookies.secret
        )
        copies = settings.transfer
        self.turn = turn.Turn(self.writer, config.naming(settings), previous, self._server(), copies)
        if settings.gateway.serves:
            self.turn.passage = passage.Passage(lambda: self.writer.items("gateway"), settings.gateway.place)
            self.turn.passage.restore(self.writer.items("state"))
        self.turn.annexes = annexes.Annexes(config.annexes(settings))
        self.turn.terms = terms.encode(portal.agreed(settings.gateway)) if settings.gateway.serves else None
        home = vault.Vault(os.path.join(settings.state, "keys"))
        self.keys = keys.Keeper(home, settings.dns.dnssec, self.writer.get("dns", tables.SIGNING))
        # edges
        self.watcher = watch.Watcher()
        self.operator = operator.Operator(os.path.join(settings.state, "orders.json"))
        self.roster = roster.Roster(self)
        self._route()
        self.prober = probes.Prober(counts)
        self.resolver = hostnames.Resolver()
        self.aims = aims.Aims()
        self.frontage = frontage.Frontage(settings.gateway, settings.fleet.namespace)
        self.scribe = self._scribe()
        self.customs = self._customs()
        self.dispatch = self._dispatch()
        self.farewell = farewell.Farewell()
        self.desk = desk.Desk(self)
        if self.dispatch is not None:
            self.dispatch.left = self.desk.left
        self.metrics = metrics.Metrics(self.desk.state, self.desk.workers, desk.VERSION)
        self.notices = notices.Notices(copies, self.metrics.noticed)
        # the loop
        self._news = asyncio.Event()
        self._heard = 0.0
        self._again = False

    def _restored(self) -> tuple[snapshot.Snapshot, dict[change.Target, ProbeCount]]:
        """What the last process persisted. What cannot be read is forgotten, and judged anew."""
        self.known.restore(self.writer.items("state"))
        try:
            return state.load(self.writer.items("state"))
        except StateError as error:
            log.error("the persisted verdicts are left aside", extra=logs.fields(error=str(error)))
            return snapshot.Snapshot(), {}

    def _server(self) -> asker.Server:
        """How workers answer for themselves as of now."""
        cookies = self.secrets.words(time.time()) if self.config.dns.cookies.enabled else ""
        return config.server(self.config)._replace(cookies=cookies)

    def hear(self, news: change.Change) -> None:
        """Takes one change in and wakes the turn."""
        if not self._news.is_set():
            self._heard = time.monotonic()
            self._news.set()
        self.known.put(news)
        if self.scribe is not None:
            self.scribe.news()
        if self.customs is not None:
            self.customs.hear(news)
        if isinstance(news, change.ProblemsChange):
            for problem in news.problems:
                log.warning("problem", extra=logs.fields(source=news.source, problem=str(problem)))

    async def run(self) -> bool:
        """Until SIGTERM (False) or a new configuration (True). The first failure of a task ends all."""
        stop = asyncio.get_running_loop().create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, _settle, stop, False)
        changed = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, changed.set)
        server = admin.Admin(self.desk)
        port = await server.start(*self.config.admin.listen)
        log.info("admin API listens", extra=logs.fields(host=self.config.admin.listen.host, port=port))
        tasks = [asyncio.ensure_future(each) for each in (*self._tasks(), self._config(changed, stop))]
        try:
            await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            return bool(stop.result())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.stop()
            self.writer.close()

    def _tasks(self) -> Iterator[Coroutine[Any, Any, None]]:
        """All that runs for as long as this configuration does."""
        settings = self.config
        yield self.roster.run()
        yield zonefiles.Zones(settings.zones, self.watcher, self.known.zones.values()).run(self.hear)
        if settings.dns.tls.listen:
            yield certificates.watch(settings.dns.tls.certificate, settings.dns.tls.key, self.hear)
        if settings.geo.database:
            yield geodata.Geodata(settings.geo.database, settings.state).run(self.hear)
        yield self.operator.run(self.hear)
        yield self.prober.run(self.hear)
        yield self.resolver.run(self.hear)
        yield self.watcher.run()
        if self.turn.passage is not None:
            seen = sightings.Sightings(os.path.join(settings.state, "counters"))
            yield passive.Watch(seen).run(self.hear)
        if self.scribe is not None:
            yield self.scribe.run(self.hear)
        if self.customs is not None:
            yield self.customs.run(self.hear)
        if self.dispatch is not None:
            yield self.dispatch.run(self.hear)
        yield self._rollovers()
        yield self.notices.run()
        yield self._rolls()
        yield self._turns()

    def _scribe(self) -> scribe.Scribe | None:
        """Who writes to the fleet, or holds its Lease for who writes to members; None: nobody does."""
        told, where = self.config.fleet, fleet.where(self.config.fleet)
        if where is None or not (told.status or told.distribute or self.config.clusterset.write):
            return None
        api = client.Client(where, asyncio.Semaphore(client.AT_ONCE))
        if not told.status:
            return scribe.Scribe(api, told.namespace, (), None)
        return scribe.Scribe(api, told.namespace, judgements.Judge(self).chapters(), self.frontage)

    def _customs(self) -> customs.Customs | None:
        """Who writes imports to members; None: nothing is written."""
        if not self.config.clusterset.write:
            return None
        return customs.Customs(self, None if self.scribe is None else self.scribe.lease)

    def _dispatch(self) -> dispatch.Dispatch | None:
        """Who brings copies to the members; None: nobody does."""
        told, where = self.config.fleet, fleet.where(self.config.fleet)
        if not told.distribute:
            return None
        held = None if self.scribe is None else self.scribe.lease
        if where is None:
            return dispatch.Dispatch(self, originals.Directory(told.manifests, self.watcher), held)
        reads, writes = (client.Client(where, asyncio.Semaphore(client.AT_ONCE)) for _ in range(2))
        return dispatch.Dispatch(self, originals.Server(reads), held, writes if told.status else None)

    @property
    def served(self) -> frozenset[str] | None:
        """Ingresses that the gateway serves; None: nobody knows yet."""
        return None if self.turn.passage is None else self.turn.passage.served

    async def _rollovers(self) -> None:
        """New cookie secrets when it is time for them."""
        while True:
            await asyncio.sleep(self.secrets.wait(time.time()) or secrets.PERIOD)
            self.turn.server = self._server()
            self._news.set()

    async def _rolls(self) -> None:
        """Keys whose time has come, or that somebody changed."""
        while True:
            await beat.sleep(LOOK)
            if self.keys.due(time.time()):
                self._news.set()

    async def _turns(self) -> None:
        """Turns, one after another, whenever there is news or time alone may change a verdict."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await self._news.wait()
            self._news.clear()
            if self.known.awaited:
                continue
            heard, self._again = self._heard, False
            begun = time.monotonic()
            self._turn(begun, heard)
            await asyncio.sleep(max(SETTLE, RETRY if self._again else 0.0))

    def _patience(self) -> float | None:
        if self._again:
            return 0.0
        wake = self.turn.wake_at
        return None if wake is None else max(0.0, wake - time.time())

    def _turn(self, begun: float, heard: float) -> None:
        before = self.turn.snapshot
        self._sign()
        self._route()
        now = time.time()
        try:
            outcome = self.turn.run(self.known, now)
        except tables.Damaged:
            raise
        except StateError as error:
            self._again = True
            self.metrics.failed()
            told = (Problem(self.config.state, str(error), "the last published answers stay in use"),)
            if self.known.problems.get("state") != told:  # once, however often it is tried again
                log.error("nothing could be published", extra=logs.fields(error=str(error)))
            self.known.problems["state"] = told
            return
        self.keys.published(time.time())
        self.farewell.turned(now, time.time())
        if self.known.problems.pop("state", None):
            log.info("published again")
        self.metrics.turned(time.monotonic() - begun)
        if self.customs is not None:
            self.customs.turned()
        self.notices.tell(self.turn.copied)
        if outcome.changed:
            self.metrics.converged(time.monotonic() - heard)
        self.metrics.flapped(desk.flaps(before, self.turn.snapshot))
        aimed, named = self.aims.follow(self.turn.snapshot, self.turn.aliases.hosts)
        if aimed:
            self.prober.aim(dict(self.aims.targets))
        if named:
            self.resolver.aim(self.aims.hostnames)
        if not before.services and self.turn.snapshot.services:
            gc.freeze()
            log.info("first turn", extra=logs.fields(generation=outcome.generation, names=outcome.changed))

    def _route(self) -> None:
        """Takes up what Ingresses say, and has the endpoints told that they lead to."""
        found = self.turn.passage
        if found is not None and found.compile(self.known.said):
            self.roster.detail(found.named)

    def _sign(self) -> None:
        """Hands what signs the zones to the turn."""
        self.turn.signing = self.keys.entry(time.time())
        if self.keys.problems != self.known.problems.get("keys", ()):
            self.hear(change.ProblemsChange("keys", self.keys.problems))

    async def _config(self, changed: asyncio.Event, stop: "asyncio.Future[bool]") -> None:
        """Looks for a configuration that differs: at SIGHUP, and when the file does."""
        seen = stamps.of(self.path)
        while True:
            with contextlib.suppress(TimeoutError):
                async with beat.timeout(LOOK):
                    await changed.wait()
            if self.writer.moved():
                raise StateError("the tables were moved aside: they are to be rebuilt")
            if not changed.is_set() and stamps.of(self.path) == seen:
                self._look_again()
                continue
            changed.clear()
            seen = stamps.of(self.path)
            loaded = instance.found(self.told)
            self.hear(change.ProblemsChange("config", loaded.problems))
            if loaded.config is None:
                log.error("the configuration has problems: the last good one stays in use")
            elif loaded.config != self.config:
                log.info("the configuration changed: starting anew")
                _settle(stop, True)

    def _look_again(self) -> None:
        """The file is the same, but a directory that it names and that was missing may be there by now."""
        before = self.known.problems["config"]
        if not before:
            return
        found = instance.found(self.told).problems
        if found != before:
            self.hear(change.ProblemsChange("config", found))


def _settle(stop: "asyncio.Future[bool]", again: bool) -> None:
    if not stop.done():
        stop.set_result(again)


def main(arguments: list[str] | None = None) -> int:
    """`python -m fedns.app --config FILE`: exit status 0 after SIGTERM, 1 where it cannot begin."""
    parser = argparse.ArgumentParser(prog="fedns.app", description="The fedns control process.")
    parser.add_argument("--config", default=config.DEFAULT_FILE)
    parser.add_argument("--state", default="", help="the state directory in use, whatever the file says")
    parser.add_argument("--member", default="", help="the member this instance is in, whatever the file says")
    options = parser.parse_args(arguments)
    told = instance.Told(os.path.abspath(options.config), options.state, options.member)
    logs.setup("control")
    loaded = instance.begun(told)
    for problem in loaded.problems:
        log.warning("problem", extra=logs.fields(source="config", problem=str(problem)))
    if loaded.config is None:
        return 1
    state = loaded.config.state
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            again = runner.run(_begin(told, loaded))
    except (tables.Damaged, *tables.DAMAGE) as error:
        log.error("the tables are damaged", extra=logs.fields(error=str(error)))
        return tables.CORRUPT_EXIT
    except (StateError, OSError) as error:
        log.error("cannot go on", extra=logs.fields(error=str(error)))
        return 1
    if again:
        same = ["--config", told.path, "--state", state, "--member", told.member]
        os.execv(sys.executable, [sys.executable, "-m", "fedns.app", *same])
    return 0


async def _begin(told: instance.Told, loaded: config.Loaded) -> bool:
    assert loaded.config is not None
    control = Control(told, loaded.config, loaded.problems)
    try:
        instance.keep(told.path, loaded.config.state)
    except OSError as error:
        log.warning("the configuration is not kept", extra=logs.fields(error=str(error)))
    return await control.run()


if __name__ == "__main__":
    sys.exit(main())
