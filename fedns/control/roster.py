"""Who is a member just now, and the sources that run therefore: those of `fedns.yaml`, and those that the
fleet registers.

Law: members come and go without a restart. One whose source is told otherwise gets a new one, which begins
with what the old one knew; one whose credentials alone differ goes on with the new ones. One that is taken
out loses its shards at once: that is somebody's will (accidents are caught in `sources.registry`). Where two
have one name, the one in `fedns.yaml` counts.
"""

import asyncio
import logging
import os
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from typing import Any, Protocol

from msgspec import structs

from fedns import beat, config, fleet, logs
from fedns.control import doors, known, turn, views, wallet
from fedns.errors import Problem
from fedns.model.facts import ShardFacts
from fedns.sources import change, kubernetes, watch
from fedns.sources import fleet as fleets
from fedns.sources.registrations import Registered

HOME = "members"
"""In the state directory: what registered members are reached with."""
RETRY = 2.0
"""Seconds until what could not be written is tried again."""
REGISTERED = "MemberCluster {}"

log = logging.getLogger("fedns.control.roster")


class Parts(Protocol):
    """What the roster needs of the control process."""

    config: config.Config
    known: known.Known
    turn: turn.Turn
    watcher: watch.Watcher

    def hear(self, news: change.Change) -> None: ...


class _Seat:
    """One member whose source runs."""

    def __init__(self, told: fleet.Member, door: doors.Door) -> None:
        self.told, self.door = told, door
        self.hear: change.Publish = _unheard
        self.task: asyncio.Task[None] | None = None


def _unheard(news: change.Change) -> None:
    """Before a source runs it has nothing to say."""


class Roster:
    """The members of one control process. `members` are all, by name; `registered` the fleet's among them."""

    def __init__(self, parts: Parts) -> None:
        self._parts, settings = parts, parts.config
        self._doors = doors.Doors(settings, parts.watcher)
        self._wallet = wallet.Wallet(os.path.join(settings.state, HOME))
        self._own = {member.name: member for member in settings.members}
        kept = self._wallet.kept() if self._doors.asked else {}
        for name in kept.keys() & self._own.keys():
            self._wallet.drop(name)
        self.registered: Mapping[str, Registered] = {
            name: one for name, one in kept.items() if name not in self._own
        }
        told = {name: self._told(one) for name, one in self.registered.items()}
        self.members: dict[str, fleet.Member] = {**self._own, **told}
        self.fleet = self._doors.fleet(parts.known.policies, self.registered, parts.known.said)
        self._news: Mapping[str, Registered] = {}
        self._unkept: dict[str, str] = {}
        self._told_problems: tuple[Problem, ...] = ()
        self._seats: dict[str, _Seat] = {}
        self._named: frozenset[str] = frozenset()
        self._failed: asyncio.Future[None] | None = None
        parts.known.awaited |= {"fleet", *(f"member:{name}" for name in self.members)}
        parts.known.awaited |= {"registry"} if self._doors.asked else set()
        self._locate()

    def source(self, name: str) -> kubernetes.Member | None:
        """That of a member that has an API server."""
        seat = self._seats.get(name)
        return seat.door if seat is not None and isinstance(seat.door, kubernetes.Member) else None

    @property
    def home(self) -> str | None:
        """Which cluster the fleet's objects are in: its UID, empty: not seen yet; None: they are in none."""
        return self.fleet.identity.uid if isinstance(self.fleet, fleets.Fleet) else None

    @property
    def _asked(self) -> Mapping[str, kubernetes.Member]:
        sources = ((name, self.source(name)) for name in self._seats)
        return {name: one for name, one in sources if one is not None}

    @property
    def feeds(self) -> views.Feeds:
        """What is watched, by member, and by the fleet's own name."""
        found = {name: one.feeds for name, one in self._asked.items()}
        return {**found, fleets.NAME: self.fleet.feeds} if isinstance(self.fleet, fleets.Fleet) else found

    @property
    def origins(self) -> views.Origins:
        return {name: one.origins for name, one in self._asked.items()}

    def detail(self, services: frozenset[str]) -> None:
        """These services are told with their endpoints, by the members that can be entered there."""
        if services == self._named:
            return
        self._named = services
        for seat in self._seats.values():
            seat.door.detail(services, seat.hear)

    async def run(self) -> None:
        """Until cancelled; the first failure of a source ends all."""
        self._failed = asyncio.get_running_loop().create_future()
        shards = _shards(self._parts)
        for name, told in self.members.items():
            self._start(told, shards.get(name))
        others = [self._watched(self.fleet.run(self._hear)), self._watched(self._again())]
        try:
            await self._failed
        finally:
            tasks = [*others, *(seat.task for seat in self._seats.values() if seat.task)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _watched(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None and self._failed is not None and not self._failed.done():
            self._failed.set_exception(failure)

    def _start(self, told: fleet.Member, shards: Mapping[str, ShardFacts] | None) -> None:
        seat = _Seat(told, self._doors.member(told, shards))

        def hear(news: change.Change) -> None:
            if self._seats.get(told.name) is seat:  # the last words of a source that was stopped are no news
                self._parts.hear(news)

        self._seats[told.name] = seat
        seat.hear = hear
        seat.door.detail(self._named, hear)
        seat.task = self._watched(seat.door.run(hear))

    def _stop(self, name: str) -> None:
        seat = self._seats.pop(name, None)
        if seat is not None and seat.task is not None:
            seat.task.cancel()

    def _hear(self, news: change.Change) -> None:
        """What the fleet says: of its members here, the rest elsewhere."""
        if isinstance(news, change.RosterChange):
            self._news = news.members
            self._follow()
        self._parts.hear(news)

    def _follow(self) -> None:
        """Takes up who is registered by now."""
        wanted = {name: one for name, one in self._news.items() if name not in self._own}
        for name in sorted(self.registered.keys() - wanted.keys()):
            self._leave(name)
        self._unkept = {}
        for name in sorted(wanted):
            self._keep(wanted[name])
        self._locate()
        problems = tuple(sorted(self._problems()))
        if problems != self._told_problems:
            self._told_problems = problems
            self._parts.hear(change.ProblemsChange("roster", problems))

    def _keep(self, one: Registered) -> None:
        """One member as it is told of now."""
        name = one.told.name
        try:
            renewed = self._wallet.keep(one)
        except OSError as error:
            self._unkept[name] = f"{error.filename}: {error.strerror}"
            return
        self.registered = {**self.registered, name: one}
        before, told = self.members.get(name), self._told(one)
        self.members[name] = told
        if before is None:
            log.info("a member joins", extra=logs.fields(member=name, server=one.told.server))
            if self._parts.known.awaited:
                self._parts.known.awaited.add(f"member:{name}")
            self._start(told, None)
        elif _source(before) != _source(told):
            log.info("a member is told otherwise", extra=logs.fields(member=name, server=one.told.server))
            facts = self._parts.known.members.get(name)
            shards = facts.shards if facts else _shards(self._parts).get(name)
            self._stop(name)
            self._start(told, shards)
        elif renewed:
            log.info("a member has new credentials", extra=logs.fields(member=name))
            door = self._seats[name].door
            if isinstance(door, kubernetes.Member):
                door.renew()

    def _leave(self, name: str) -> None:
        log.info("a member leaves", extra=logs.fields(member=name))
        self._stop(name)
        self.registered = {key: one for key, one in self.registered.items() if key != name}
        del self.members[name]
        self._wallet.drop(name)
        self._doors.register.forget(name)
        self._parts.hear(change.MemberGone(name))

    def _told(self, one: Registered) -> fleet.Member:
        return self._wallet.member(one.told, one.credentials)

    def _locate(self) -> None:
        others = [self.members[name] for name in sorted(self.registered)]
        self._parts.turn.locate(config.whereabouts(self._parts.config, others))

    def _problems(self) -> list[Problem]:
        hint = "what was known of it stays in use"
        lost = [
            Problem(REGISTERED.format(name), f"its credentials cannot be kept: {why}", hint)
            for name, why in self._unkept.items()
        ]
        return [*twice(self._news, self._own), *lost]

    async def _again(self) -> None:
        """Tries once more what could not be written."""
        while True:
            await beat.sleep(RETRY)
            if self._unkept:
                self._follow()


def twice(registered: Iterable[str], own: Mapping[str, fleet.Member]) -> Iterator[Problem]:
    """Members of one name, one registered and one of `fedns.yaml`."""
    what, hint = "fedns.yaml has a member of this name", "that one counts; rename or remove one"
    return (Problem(REGISTERED.format(name), what, hint) for name in registered if name in own)


def _source(told: fleet.Member) -> fleet.Member:
    """What a source is made of. Where its clients are is none of its business, but whether there are any: who
    is inside is told of more; nor is what only policies choose it by."""
    inside = told.clients and ("0.0.0.0/0",)
    return structs.replace(told, clients=inside, aliases=(), provider="", taints=())


def _shards(parts: Parts) -> dict[str, dict[str, ShardFacts]]:
    """Member -> service -> what was last known of the shard."""
    found: dict[str, dict[str, ShardFacts]] = {}
    for key, service in parts.turn.snapshot.services.items():
        for shard in service.shards:
            found.setdefault(shard.member, {})[key] = shard.facts
    return found
