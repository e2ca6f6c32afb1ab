"""Names of `aliases`, kept in step with what they stand for, turn by turn.

Law: an alias is worked out anew in the very turn that changes anything it was read from, and only then. A
host outside our zones keeps its last good addresses, across restarts too. A name that a service or a
delegation has the word about stays as it is, and that is a problem.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from fedns.dns import flattening, names, node, wire, zones
from fedns.errors import Problem
from fedns.model.facts import Hostname

STATE = b"alias/"
"""Key in db `state`: with the host after it, its last good addresses."""
ROUNDS = 16
"""Aliases of aliases are worked out so often at most, as long as a chain may be."""
_FORMAT = b"\x01"
_HIDDEN = node.CUT | node.DNAME | node.OCCLUDED
_addresses = msgspec.msgpack.Decoder(tuple[str, ...])

Changes = dict[bytes, bytes | None]


class Aliases:
    """`told`: name -> target, as configured. `problems`, and `hosts` to be resolved, are of the last turn."""

    def __init__(
        self, told: Mapping[str, str], stored: flattening.Get, kept: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        self._told = {names.wire(name): names.wire(target) for name, target in told.items()}
        self._stored = stored
        self._last = dict(_restored(kept)) if told else {}
        self._apexes: Mapping[bytes, node.Zone] = {}
        self._index: Mapping[bytes, int] = {}
        self._bases: dict[bytes, node.Node] = {}  # names with an alias, as they are without it
        self._made: dict[bytes, int] = {}  # names that exist for an alias' sake, or are marked for it: flags
        self._flats: dict[bytes, flattening.Flat] = {}
        self._refused: dict[bytes, Problem] = {}

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(_text(each.host) for each in self._flats.values() if each.host)

    @property
    def problems(self) -> tuple[Problem, ...]:
        lost = (
            Problem(_where(owner), f"its target {zones.text(self._told[owner])} does not exist", "no data")
            for owner, each in self._flats.items()
            if each.lost
        )
        return tuple(sorted((*self._refused.values(), *lost)))

    def begin(self, served: Sequence[node.Zone], entries: Changes) -> None:
        """Takes up a table made anew: `entries` are all there is."""
        self._apexes = {zone.apex: zone for zone in served}
        self._index = {zone.apex: at for at, zone in enumerate(served)}
        self._bases, self._made, self._flats, self._refused = {}, {}, {}, {}
        for owner in self._told:
            self._place(owner, entries)

    def follow(
        self, changes: Changes, hostnames: Mapping[str, Hostname], touched: Iterable[str] = ()
    ) -> Changes:
        """Adds to `changes` what becomes of the aliases; what is to be kept in db `state`.
        `touched`: hosts that resolve otherwise by now."""
        if not self._told:
            return {}
        self._settle(changes)
        moved = set(touched)
        due = [owner for owner in self._bases if self._concerned(owner, changes, moved)]
        for _ in range(ROUNDS):
            before = {owner: self._read(changes, owner) for owner in due}
            for owner in due:
                changes[owner] = self._flatten(owner, changes, hostnames)
            fresh = {owner: changes[owner] for owner in due if changes[owner] != before[owner]}
            due = [owner for owner in self._bases if fresh and self._concerned(owner, fresh, ())]
            if not due:
                break
        return self._remember(hostnames)

    def _concerned(self, owner: bytes, changes: Mapping[bytes, bytes | None], hosts: Iterable[str]) -> bool:
        flat = self._flats.get(owner)
        if flat is None:
            return True
        return any(key in changes for key in flat.needs) or (bool(flat.host) and _text(flat.host) in hosts)

    def _read(self, changes: Changes, key: bytes) -> bytes | None:
        return changes[key] if key in changes else self._stored(key)

    def _flatten(self, owner: bytes, changes: Changes, hostnames: Mapping[str, Hostname]) -> bytes:
        reading = flattening.Reading(lambda key: self._read(changes, key))

        def outside(host: bytes) -> Sequence[str]:
            found = hostnames.get(_text(host))
            return found.addresses if found and found.at else self._last.get(_text(host), ())

        base, target = self._bases[owner], self._told[owner]
        self._flats[owner] = flat = flattening.flatten(base, target, reading, self._apexes, outside)
        return flat.entry

    def _settle(self, changes: Changes) -> None:
        """Puts into what was compiled without aliases what they need of it."""
        for owner in self._told.keys() & self._made.keys() & changes.keys():
            value = changes[owner]
            self._bases.pop(owner, None)
            self._flats.pop(owner, None)
            self._refused.pop(owner, None)
            self._accept(owner, node.decode(value) if value else None)
        for name in self._made.keys() & changes.keys():
            changes[name] = self._marked(name, changes[name])

    def _place(self, owner: bytes, entries: Changes) -> None:
        """Finds an alias its place in the table, and makes one where nothing was."""
        above = wire.ancestors(owner)
        apex = next((each for each in above if each in self._apexes), None)
        if apex is None:
            hint = "`zones` and `domain` say which zones are served"
            self._refused[owner] = Problem(_where(owner), "is in no zone that is served", hint)
            return
        between = above[1 : above.index(apex) + 1] if owner != apex else []
        if any(node.decode(value).flags & _HIDDEN for name in between if (value := entries.get(name))):
            self._refused[owner] = Problem(
                _where(owner), "is below a delegation or a DNAME", "it is not served"
            )
            return
        for name in (owner, *between):
            self._made[name] = node.WILD if wire.WILD + name == owner else 0
            entries[name] = self._marked(name, entries.get(name))
        value = entries[owner]
        self._accept(owner, node.decode(value) if value else None)

    def _accept(self, owner: bytes, found: node.Node | None) -> None:
        base = found or node.Node(self._zone(owner), 0)
        types = {each.type for each in base.rrsets}
        hint = "take one of the two out"
        if base.flags & node.SERVICE:
            why = "is a name of a federated service, which is served"
        elif base.flags & _HIDDEN or wire.CNAME in types:
            why = "has a CNAME, a delegation or a DNAME, which is served"
        else:
            self._bases[owner] = base
            if types.isdisjoint((wire.A, wire.AAAA)):
                return
            why = "has addresses in its zone too: those of the target are served"
        self._refused[owner] = Problem(_where(owner), why, hint)

    def _marked(self, name: bytes, value: bytes | None) -> bytes:
        found = node.decode(value) if value else node.Node(self._zone(name), 0)
        wanted = found.flags | self._made[name]
        return value if value and found.flags == wanted else node.encode(found._replace(flags=wanted))

    def _zone(self, name: bytes) -> int:
        return next(self._index[each] for each in wire.ancestors(name) if each in self._index)

    def _remember(self, hostnames: Mapping[str, Hostname]) -> Changes:
        hosts = self.hosts
        good = {host: hostnames[host].addresses for host in hosts if host in hostnames and hostnames[host].at}
        fresh = {host: each for host, each in good.items() if self._last.get(host) != each}
        gone = self._last.keys() - hosts
        self._last = {host: each for host, each in self._last.items() if host in hosts} | fresh
        kept: Changes = {
            STATE + host.encode(): _FORMAT + msgspec.msgpack.encode(each) for host, each in fresh.items()
        }
        return kept | dict.fromkeys(STATE + host.encode() for host in gone)


def _restored(items: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for key, value in items:
        if key.startswith(STATE) and value[:1] == _FORMAT:
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
                yield key.removeprefix(STATE).decode(), _addresses.decode(value[1:])


def _text(name: bytes) -> str:
    return zones.text(name).rstrip(".")


def _where(owner: bytes) -> str:
    return f"alias {_text(owner)}"
