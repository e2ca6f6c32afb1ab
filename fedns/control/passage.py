"""What the gateway's workers read: Ingresses compiled to routes, and the pools that the routes lead to.

Law: routes are compiled when what the fleet says about them differs, a pool when its service was touched or
its time has come: the very services whose answers the turn compiles. The turn publishes both at once.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from fedns import portal
from fedns.errors import Problem
from fedns.gateway import compile, endpoints, route
from fedns.gateway.endpoints import Wanted
from fedns.gateway.failback import Held
from fedns.model import selection
from fedns.model.ingress import Said
from fedns.model.snapshot import Member, Snapshot

Entries = dict[bytes, bytes | None]
HELD = b"held/"
"""Beginning of keys in db `state`: which level of a pool serves, and since when better ones could."""
OWN = (route.SERVICE, route.CERTIFICATE)
"""Beginnings of keys that nobody else writes."""
NOWHERE = portal.Place()
_held = msgspec.msgpack.Decoder(Held)


class Passage:
    """`there` tells the entries that are published. `named` are the services that routes lead to, `wake_at`
    when time alone changes a pool (Unix seconds; None: never), `unsaved` are entries of db `state` to
    write. `home` is where the gateway is, as the configuration has it."""

    def __init__(
        self, there: Callable[[], Iterable[tuple[bytes, bytes]]], home: portal.Place = NOWHERE
    ) -> None:
        self.named: frozenset[str] = frozenset()
        self.unsaved: Entries = {}
        self._there = there
        self._said: Said | None = None
        self._output = compile.table(compile.Input(), compile.Settings())
        self._pools: Mapping[str, list[Wanted]] = {}
        self._held: dict[bytes, Held] = {}
        self._wakes: dict[bytes, float] = {}
        self._doubts: dict[bytes, list[Problem]] = {}
        self._stale = True
        self._home = home
        self.place: selection.Place | None = None
        """Where the gateway is, as the selection law knows it; None: nowhere."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        doubts = (problem for found in self._doubts.values() for problem in found)
        return tuple(sorted({*self._output.problems, *doubts, *self._lost()}))

    @property
    def served(self) -> frozenset[str] | None:
        """The Ingresses that are ours; None: nobody knows yet."""
        return None if self._said is None else self._output.served

    def _lost(self) -> Iterator[Problem]:
        if self._home != NOWHERE and self.place is None:
            what = f"the gateway is nowhere: no member is {self._home.member or 'in that region'}"
            yield Problem("gateway.place", what, "policies by nearness treat all members alike")

    def stand(self, places: Sequence[selection.Place], members: Mapping[str, Member]) -> None:
        """Takes up where the gateway is, by the places there are."""
        found = _stood(self._home, places, members)
        if found != self.place:
            self.place, self._stale = found, True

    @property
    def wake_at(self) -> float | None:
        return min(self._wakes.values(), default=None)

    @property
    def output(self) -> compile.Output:
        """What was compiled last."""
        return self._output

    @property
    def said(self) -> Said:
        """What it was compiled from."""
        return self._said or Said()

    def restore(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Takes back what `unsaved` once held; what cannot be read begins anew."""
        for key, value in items:
            if key.startswith(HELD):
                with contextlib.suppress(msgspec.MsgspecError):
                    self._held[key.removeprefix(HELD)] = _held.decode(value)

    def compile(self, said: Said) -> bool:
        """Takes up what the fleet says; whether it is news."""
        if said is self._said:
            return False
        given = compile.Input(said.ingresses, said.classes, said.secrets)
        self._said, self._output = said, compile.table(given, compile.Settings())
        pools: dict[str, list[Wanted]] = {}
        for wanted in self._output.wanted.values():
            pools.setdefault(wanted.service, []).append(wanted)
        self._pools, self.named, self._stale = pools, frozenset(pools), True
        return True

    def entries(self, snapshot: Snapshot, touched: frozenset[str] | None, now: float) -> Entries:
        """What is to be published of services that were `touched` (None: all), and of routes if they differ.
        What could not be published is made again: say `published` when it was."""
        whole, self._stale = self._stale or touched is None, True
        if whole:
            return self._whole(snapshot, now)
        due = {key for key, at in self._wakes.items() if at <= now}
        wanted = [each for key in (touched or frozenset()) & self.named for each in self._pools[key]]
        wanted += [self._output.wanted[key] for key in due]
        return dict(self._made(wanted, snapshot, now))

    def published(self) -> None:
        self._stale = False
        self.unsaved = {}

    def _whole(self, snapshot: Snapshot, now: float) -> Entries:
        output = self._output
        for key in self._held.keys() - output.wanted.keys():
            self.unsaved[HELD + key] = None
        for table in (self._held, self._wakes, self._doubts):
            for key in table.keys() - output.wanted.keys():
                del table[key]
        found: Entries = {key: None for key, _ in self._there() if key.startswith(OWN)}
        found[route.ROUTES] = route.encode(output.table)
        for name, certificate in output.certificates.items():
            found[route.CERTIFICATE + name] = route.encode(certificate)
        found.update(self._made(output.wanted.values(), snapshot, now))
        return found

    def _made(
        self, wanted: Iterable[Wanted], snapshot: Snapshot, now: float
    ) -> Iterator[tuple[bytes, bytes]]:
        for each in wanted:
            seen = endpoints.Seen(snapshot.services.get(each.service), snapshot.members, self.place)
            before = self._held.get(each.key)
            made = endpoints.pool(each, seen, now, before)
            if made.held is not None and made.held != before:
                self._held[each.key] = made.held
                self.unsaved[HELD + each.key] = msgspec.msgpack.encode(made.held)
            self._wakes.pop(each.key, None)
            if made.wake is not None:
                self._wakes[each.key] = made.wake
            self._doubts[each.key] = endpoints.doubts([each], snapshot)
            yield route.SERVICE + each.key, route.encode(made.pool)


def _stood(
    home: portal.Place, places: Sequence[selection.Place], members: Mapping[str, Member]
) -> selection.Place | None:
    """One of the places there are; a zone that is none of them is at its region."""
    region, zone = home.region, home.zone
    if home.member:
        where = members.get(home.member)
        if where is None:
            return None
        region, zone = where.region, where.zones[0] if len(where.zones) == 1 else ""
    if not (region or zone):
        return selection.Place(member=home.member) if home.member else None
    near = next((each for each in places if each.region == region and each.near), None)
    if not any(member.region == region for member in members.values()) and near is None:
        return None
    return selection.Place(region, zone, near.near if near is not None else (), home.member)
