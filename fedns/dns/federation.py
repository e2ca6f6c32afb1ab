"""Compiles one federated service into the nodes of all its names.

Law: every level of the layout gets a node as soon as the service is declared: its own addresses, else
the whole CNAME chain to the next wider level that serves, else NODATA at the global name; never
NXDOMAIN (`compat: v1` excepted). A and AAAA are one path. A name that cannot be one costs itself only.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import gcd, lcm
from struct import Struct
from typing import NamedTuple, Protocol

from fedns.dns import answers, effect, inband, names, node, outcome, wire, zones
from fedns.errors import Problem
from fedns.model import selection
from fedns.model import snapshot as model

V1_TTL = 180  # seconds; minDNSTTL of Kubernetes Federation v1
SLOTS = 100  # longest schedule of a weighted answer: shares are exact to 1 %
_SRV = Struct(">HHH")  # priority, weight, port
_FAMILIES = (node.A, node.AAAA)


class Found(Protocol):
    """Outcomes by level."""

    def __getitem__(self, index: int, /) -> outcome.Outcome: ...


def compile_service(service: model.Service, layout: names.Layout, now: float) -> dict[bytes, bytes]:
    """All table entries of one service: lower-case wire name -> encoded node."""
    return {owner: entry for owner, entry in changes(service, layout, now).items() if entry is not None}


def changes(
    service: model.Service, layout: names.Layout, now: float, before: model.Service | None = None
) -> dict[bytes, bytes | None]:
    """The entries of one service, None for a name that it may have but has not.

    `before`: the service that the table holds, of the same layout; levels that read the same are left out.
    """
    prefix = names.prefix(service)
    if not prefix or _absent(service, layout):
        return dict.fromkeys(keys(service, layout))
    compiler = _Compiler(service, prefix, layout, now)
    differing = None
    if before is not None:
        differing = effect.of(before, service, lambda each: time_to_live(each, layout, now))
    return dict(compiler.entries(differing))


def keys(service: model.Service, layout: names.Layout) -> list[bytes]:
    """Every name that the service may have in this layout."""
    prefix = names.prefix(service)
    owners = [prefix + level.suffix for level in layout.levels] if prefix else []
    return [owner for owner in owners if len(owner) <= names.MAX_NAME]


def withdraw(service: model.Service, layout: names.Layout) -> dict[bytes, bytes | None]:
    """What takes the place of a service's names when it goes: a static node, or nothing."""
    static = layout.static
    return {key: node.encode(static[key]) if key in static else None for key in keys(service, layout)}


def problems(service: model.Service, layout: names.Layout) -> tuple[Problem, ...]:
    """Names that cannot be, and names that a static zone holds already."""
    where = f"service {service.namespace}/{service.name}"
    prefix = names.prefix(service)
    if not prefix:
        hint = "the service has no DNS names; a label is 1 to 63 letters, digits and hyphens"
        return (Problem(where, "its name or namespace is not a DNS label", hint),)
    if not layout.static and len(prefix) + layout.longest <= names.MAX_NAME:
        return ()
    owners = [prefix + level.suffix for level in layout.levels]
    long = [owner for owner in owners if len(owner) > names.MAX_NAME]
    found = [Problem(where, f"{zones.text(owner)} is longer than 255 octets", "left out") for owner in long]
    for owner in owners:
        if owner in layout.static and layout.static[owner].rrsets:
            hint = "the federated name is served; take the static records out"
            found.append(Problem(where, f"{zones.text(owner)} is also in a static zone", hint))
    return tuple(found)


def time_to_live(service: model.Service, layout: names.Layout, now: float) -> int:
    return V1_TTL if layout.settings.compat == "v1" else selection.ttl(service, now)


def longest(service: model.Service, layout: names.Layout) -> int:
    """Seconds for which caches may keep what they were told of a service."""
    return V1_TTL if layout.settings.compat == "v1" else service.policy.ttl.max


def ttl_why(service: model.Service, layout: names.Layout) -> str:
    """How the TTL came about (health law, rule 7)."""
    if layout.settings.compat == "v1":
        return "compat: v1"
    bounds = service.policy.ttl
    changes = [shard.next_change for shard in service.shards if shard.next_change is not None]
    known = f"next possible change in {min(changes):.0f} s" if changes else "no change in sight"
    down = any(shard.verdict.state == "unhealthy" for shard in service.shards)
    return f"{known}{', halved while a shard is down' if down else ''}, within {bounds.min} to {bounds.max} s"


def chain(found: Found, levels: tuple[names.Level, ...], index: int) -> list[int]:
    """The wider levels that the name of a level leads through, the last one answers."""
    if index == 0 or found[index].serves:
        return []
    steps = []
    for wider in levels[index].up:
        steps.append(wider)
        if found[wider].serves:
            break
    return steps


def counts(shares: list[float]) -> list[int]:
    """Shares -> the smallest whole numbers in their proportion whose sum is at most `SLOTS`; to one slot
    where there are none. None is 0, so more than `SLOTS` shares give more."""
    total = sum(shares)
    shares = [share / total for share in shares]
    exact = [Fraction(share).limit_denominator(SLOTS) for share in shares]
    unit = lcm(*(each.denominator for each in exact))
    if unit <= SLOTS and all(abs(each - share) < 1e-9 for each, share in zip(exact, shares, strict=True)):
        whole = [int(each * unit) for each in exact]
    else:
        whole = [max(1, round(share * SLOTS)) for share in shares]
        while sum(whole) > max(SLOTS, len(whole)):
            whole[whole.index(max(whole))] -= 1
    part = gcd(*whole)
    return [each // part for each in whole]


def _absent(service: model.Service, layout: names.Layout) -> bool:
    """v1 wrote nothing for a service that never had a load balancer in any member."""
    return layout.settings.compat == "v1" and not service.shards and service.tombstone is None


class _Port(NamedTuple):
    """A named port: its `_name._proto` labels, how its SRV and CNAME children begin, and starts of SRV rdata
    (priority, weight, number)."""

    labels: bytes
    services: bytes
    link: bytes
    numbers: list[bytes]


class _Ends(NamedTuple):
    """What a name that answers itself, by this outcome, has before and after its services."""

    head: bytes
    tail: bytes
    final: outcome.Outcome

    def around(self, services: list[bytes]) -> bytes:
        return b"".join((self.head, *services, self.tail))


class _Compiler:
    """One service being compiled, and what its levels share."""

    def __init__(self, service: model.Service, prefix: bytes, layout: names.Layout, now: float) -> None:
        self._prefix, self._layout = prefix, layout
        self._v1 = layout.settings.compat == "v1"
        self._outcomes = outcome.Outcomes(service, layout, now)
        self._ttl = time_to_live(service, layout, now)
        self._ports = [] if self._v1 else _ports(service, self._ttl)
        self._tale = inband.Tale(service, self._ttl)
        # what several levels have in common, encoded once
        self._between = [
            node.child(labels, ()) for labels in sorted({wire.parent(port.labels) for port in self._ports})
        ]
        self._stems: dict[tuple[int, int], bytes] = {}
        self._told: dict[tuple[int, str], bytes] = {}
        self._shared: dict[tuple[int, int, int, str], _Ends] = {}
        self._plain: dict[int, _Ends] = {}
        widest = max(map(len, (inband.EXPLAIN, *(port.labels for port in self._ports))))
        self._plain_up_to = 0 if self._v1 else names.MAX_NAME - widest
        here = not self._outcomes.local or len(layout.places) < 2
        self._alike = here and not layout.static
        self._placed: dict[int, tuple[list[outcome.Outcome], list[int]]] = {}

    def entries(self, differing: effect.Effect | None) -> Iterator[tuple[bytes, bytes | None]]:
        """(name, entry) of the levels that answer otherwise since these members differ (None: of all)."""
        levels = self._layout.levels
        for index in range(len(levels)) if differing is None else sorted(self._concerned(differing)):
            owner = self._prefix + levels[index].suffix
            plain = self._plain.get(levels[index].same)
            if plain is not None and len(owner) <= self._plain_up_to:
                yield owner, plain.around(self._services(plain.final, owner, self._ports))
            elif len(owner) <= names.MAX_NAME:
                yield owner, None if index == 0 and self._hole else self._entry(index, owner)

    def _concerned(self, differing: effect.Effect) -> set[int]:
        """Levels that hang on these members: those they are in, and those that lead to such a one since they
        do not serve by themselves."""
        homes, levels, outcomes = self._layout.homes, self._layout.levels, self._outcomes
        own = set[int]().union(*(homes.get(member, ()) for member in differing.served))
        own |= {0} if differing.served else set()
        for member in differing.told:
            own.update(each for each in homes[member] if not self._tale.surely_untold(levels[each], member))
        if own.isdisjoint(self._layout.wider):
            return own
        lame = set[int]().union(*(homes[member] for member in homes.keys() - outcomes.stalwarts()))
        return own.union(index for index in lame - own if self._leads(index, own))

    def _leads(self, index: int, whither: set[int]) -> bool:
        """Whether the name of a level leads through one of these."""
        if self._outcomes.serves(index):
            return False
        for wider in self._layout.levels[index].up:
            if wider in whither or self._outcomes.serves(wider):
                return wider in whither
        return False

    @property
    def _hole(self) -> bool:
        """v1's global name vanished with its last healthy shard."""
        return self._v1 and not self._outcomes[0].serves

    def _entry(self, index: int, owner: bytes) -> bytes:
        """The node of a level; where the place decides, one view for each outcome that there is."""
        final = self._outcomes[index]
        steps = [] if final.serves else chain(self._outcomes, self._layout.levels, index)
        last = steps[-1] if steps else index
        if not self._outcomes.local or len(self._layout.places) < 2:
            return self._view(index, owner, steps, self._outcomes[last] if steps else final)
        outcomes, choices = self._by_place(last)
        if len(outcomes) < 2:
            return self._view(index, owner, steps, self._outcomes[last])
        whom = inband.whom(self._layout.places, choices)
        views = [self._view(index, owner, steps, *each) for each in zip(outcomes, whom, strict=True)]
        return node.locate(views, choices)

    def _by_place(self, index: int) -> tuple[list[outcome.Outcome], list[int]]:
        """The outcomes that a level has at any place, the default one first, and which of them each has."""
        index = self._layout.levels[index].same
        if index not in self._placed:
            found = self._outcomes.by_place(index, self._layout.places)
            if found.count(found[0]) == len(found):
                return self._placed.setdefault(index, (found[:1], []))
            numbers: dict[int, int] = {}
            choices = [numbers.setdefault(id(each), len(numbers)) for each in found]
            self._placed[index] = list({id(each): each for each in found}.values()), choices
        return self._placed[index]

    def _view(
        self, index: int, owner: bytes, steps: list[int], final: outcome.Outcome, whom: str = ""
    ) -> bytes:
        """The node of a level that leads along `steps` (if any) to this outcome. `whom` it is for."""
        levels, room = self._layout.levels, names.MAX_NAME - len(owner)
        if not steps and len(owner) <= self._plain_up_to:
            ends = self._ends(index, final, self._flags(owner), whom)
            if self._alike:
                self._plain[levels[index].same] = ends
            return ends.around(self._services(final, owner, self._ports))
        ports = [port for port in self._ports if len(port.labels) <= room]
        if steps:
            targets = [self._prefix + levels[step].suffix for step in steps]
            stem, wider = self._alias(owner, targets, final), f"alias of the {levels[steps[0]].kind} name"
            children = self._links(targets[0], ports)
        else:
            stem, wider = self._stem(final, self._flags(owner)), ""
            children = self._services(final, owner, ports)
        if children:
            children += self._between
        if not self._v1 and len(inband.EXPLAIN) <= room:
            here = self._outcomes[index] if steps else final
            children.append(self._explain(index, here, wider or whom))
        return node.adopt(stem, children)

    def _ends(self, index: int, final: outcome.Outcome, flags: int, whom: str) -> _Ends:
        """The same where the outcome and the place are."""
        key = (id(final), flags, self._layout.levels[index].same, whom)
        found = self._shared.get(key)
        if found is None:
            between = self._between if self._ports else []
            tail = [*between, self._explain(index, final, whom)]
            count = len(self._ports) + len(tail)
            head = node.adopt(self._stem(final, flags), (b"",) * count)
            found = self._shared[key] = _Ends(head, b"".join(tail), final)
        return found

    def _alias(self, owner: bytes, targets: list[bytes], final: outcome.Outcome) -> bytes:
        """The childless node of a name that leads to a wider one. Where the chain leaves our own names, or
        ends at a name that is not there, no answer is ready and the slow path finds its end."""
        zone, flags = self._layout.zone, self._flags(owner)
        if not (final.host or final.choices or final.stale or self._hole):
            path = answers.Path(owner, tuple(targets))
            return answers.stem((zone, flags), self._ttl, (final.v4, final.v6), path)
        ready = {} if final.host or self._hole else slots(self._ttl, owner, targets, final)
        rrsets = (node.RRset(node.CNAME, self._ttl, (targets[0],)),)
        return node.encode(node.Node(zone, flags, rrsets, ready, (), final.stale))

    def _stem(self, final: outcome.Outcome, flags: int) -> bytes:
        """The childless node of a name that answers itself: the same at all levels with this outcome."""
        stem = self._stems.get((id(final), flags))
        if stem is None:
            stem = self._stems[id(final), flags] = self._direct(final, flags)
        return stem

    def _direct(self, final: outcome.Outcome, flags: int) -> bytes:
        zone, ttl = self._layout.zone, self._ttl
        if not (final.host or final.choices or final.stale):
            return answers.stem((zone, flags), ttl, (final.v4, final.v6))
        ready = {} if final.host else slots(ttl, wire.ROOT, [], final)
        return node.encode(node.Node(zone, flags, rrsets(final, ttl), ready, (), final.stale))

    def _flags(self, owner: bytes) -> int:
        static = self._layout.static and self._layout.static.get(owner)
        return node.SERVICE | (static.flags & node.WILD if static else 0)

    @staticmethod
    def _links(target: bytes, ports: list[_Port]) -> list[bytes]:
        """`_port._proto` below a name that leads to `target`."""
        return [
            b"".join((port.link, (len(port.labels) + len(target)).to_bytes(2, "big"), port.labels, target))
            for port in ports
        ]

    @staticmethod
    def _services(here: outcome.Outcome, owner: bytes, ports: list[_Port]) -> list[bytes]:
        """`_port._proto` below a name that answers itself."""
        if not here.serves:
            return [node.child(port.labels, ()) for port in ports]
        target = here.host or owner
        size = (_SRV.size + len(target)).to_bytes(2, "big")
        return [b"".join((port.services, size, (target + size).join(port.numbers), target)) for port in ports]

    def _explain(self, index: int, here: outcome.Outcome, more: str) -> bytes:
        level = self._layout.levels[index]
        told = self._told.get((level.same, more))
        if told is None:
            told = self._told[level.same, more] = self._tale.child(level, here, more)
        return told


def rrsets(final: outcome.Outcome, ttl: int) -> tuple[node.RRset, ...]:
    """What a name that answers itself has."""
    if final.host:
        return (node.RRset(node.CNAME, ttl, (final.host,)),)
    pairs = zip(_FAMILIES, (final.v4, final.v6), strict=True)
    return tuple(node.RRset(rtype, ttl, rdatas) for rtype, rdatas in pairs if rdatas)


def slots(ttl: int, owner: bytes, targets: list[bytes], final: outcome.Outcome) -> dict[int, node.Slot]:
    """The ready answers at a name that leads along these to an outcome."""
    return {rtype: _slot(ttl, owner, targets, rtype, final) for rtype in _FAMILIES}


def _slot(ttl: int, owner: bytes, targets: list[bytes], rtype: int, final: outcome.Outcome) -> node.Slot:
    family = _FAMILIES.index(rtype)
    choices = [(share, rdatas) for share, *both in final.choices if (rdatas := both[family])]
    if len(choices) > 1:
        weights = counts([share for share, _ in choices])
        turns = [(weight, rdatas) for weight, (_, rdatas) in zip(weights, choices, strict=True)]
        return answers.weighted(owner, targets, rtype, ttl, turns)._replace(stale=final.stale)
    rdatas = (final.v4, final.v6)[family]
    ready = answers.slot(owner, targets, rtype, ttl, rdatas)
    return ready._replace(stale=True) if final.stale else ready


def _ports(service: model.Service, ttl: int) -> list[_Port]:
    """Named ports (priority 0, weight 100); RFC 2782 has no name for unnamed ones."""
    found: dict[bytes, list[bytes]] = {}
    for labels, number in sorted(set(_named(service))):
        found.setdefault(labels, []).append(_SRV.pack(0, 100, number))
    return [
        _Port(
            labels,
            node.lead(labels, wire.SRV, ttl, len(numbers)),
            node.lead(labels, wire.CNAME, ttl, 1),
            numbers,
        )
        for labels, numbers in found.items()
    ]


def _named(service: model.Service) -> Iterator[tuple[bytes, int]]:
    for port in service.ports:
        name, protocol = names.label(port.name), names.label(port.protocol)
        if name and protocol and 0 <= port.number < 65536 and len(name) <= names.MAX_LABEL:
            yield _underscored(name) + _underscored(protocol), port.number


def _underscored(label: bytes) -> bytes:
    return bytes((len(label),)) + b"_" + label[1:]
