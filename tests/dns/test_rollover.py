"""The life of keys: no cache is ever left without a chain, whatever is rolled, asked, or told late."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from fedns.dns import rollover

RULES = rollover.Settings(key_ttl=100, max_ttl=700, parent_ttl=300, propagation=10.0, zsk_lifetime=20_000.0)
DAY = 86400.0


class Version(NamedTuple):
    """What a server says from `begin` on, and when the last cache forgets it (inf: it is still said)."""

    said: frozenset[tuple[int, int]]
    begin: float
    end: float = float("inf")


class Side:
    """One RRset as the world may have it: versions, the last one current."""

    def __init__(self) -> None:
        self.versions: list[Version] = []
        self._ttl = 0.0

    def say(self, said: frozenset[tuple[int, int]], now: float, lasts: float) -> None:
        """`lasts`: how long caches and slow servers keep it after it changed."""
        if self.versions and self.versions[-1].said == said and self._ttl == lasts:
            return
        if self.versions:
            self.versions[-1] = self.versions[-1]._replace(end=now + self._ttl)
        self.versions.append(Version(said, now))
        self._ttl = lasts


class Internet:
    """A zone, its parent, and every cache there could be. Keys are (tag, algorithm)."""

    def __init__(self, rules: rollover.Settings) -> None:
        self.rules, self.now, self.tags = rules, 1000.0, itertools.count(1)
        self.zone = rollover.Zone()
        self.ds, self.keys, self.data = Side(), Side(), Side()
        self.parent: frozenset[tuple[int, int]] = frozenset()
        self._say()
        self.run(0.0)

    def run(self, seconds: float) -> None:
        """Time passes; the zone is looked at when it asks to be."""
        end = self.now + seconds
        while True:
            self._look()
            due = rollover.due(self.zone, self.rules)
            if due is None or due > end:
                break
            self.now = max(self.now, due)
        self.now = end
        self._look()

    def ask(self, word: str) -> None:
        if not rollover.refusal(self.zone, word):
            self.zone = rollover.Zone(
                self.zone.keys, (*self.zone.asked, word), self.zone.ttl, self.zone.older, self.zone.gone
            )
            self.run(0.0)

    def follow(self) -> bool:
        """The parent takes what CDS says, which may be that it should have nothing."""
        wanted = rollover.parental(self.zone.keys)
        if wanted:
            self.parent = _told(wanted) if self.rules.signed else frozenset()
            self._say()
        return bool(wanted)

    def obey(self) -> None:
        """The parent follows, and somebody says so."""
        if self.follow():
            self.ask(rollover.SEEN if self.rules.signed else rollover.GONE)

    def _look(self) -> None:
        wants = rollover.wanted(self.zone, self.rules, self.now)
        made = (
            rollover.Key(next(self.tags), want.algorithm, want.role, "", group=want.group) for want in wants
        )
        self.zone = rollover.joined(self.zone, made)
        self.zone = rollover.step(self.zone, self.rules, self.now)
        self._say()

    def _say(self) -> None:
        keys, slow = self.zone.keys, self.rules.propagation
        self.ds.say(self.parent, self.now, self.rules.parent_ttl)
        public = _told(key for key in keys if rollover.public(key))
        self.keys.say(public, self.now, self.zone.ttl + slow)
        self.data.say(_told(key for key in keys if rollover.signs(key)), self.now, self.rules.max_ttl + slow)

    def entries(self) -> frozenset[tuple[int, int]]:
        return _told(key for key in self.zone.keys if rollover.entry(key))


def _told(keys: Iterator[rollover.Key] | tuple[rollover.Key, ...]) -> frozenset[tuple[int, int]]:
    return frozenset((key.tag, key.algorithm) for key in keys)


def broken(world: Internet) -> str:
    """The first pair of things that one cache may hold together and that make no chain; empty: none."""
    for ds, keys in _together(world.ds, world.keys):
        if ds.said and not ds.said & keys.said:
            return f"DS {ds} without a key {keys}"
        if not {alg for _, alg in ds.said} <= {alg for _, alg in ds.said & keys.said}:
            return f"DS {ds} has an algorithm without a key {keys}"
    for ds, data in _together(world.ds, world.data):
        if ds.said and not data.said:
            return f"DS {ds} and data without signatures {data}"
    for keys, data in _together(world.keys, world.data):
        trusted = any(ds.said for ds in _at(world.ds, keys, data))
        if trusted and not {alg for _, alg in keys.said} <= {alg for _, alg in keys.said & data.said}:
            return f"keys {keys} cannot validate {data}"
    return ""


def _together(one: Side, other: Side) -> Iterator[tuple[Version, Version]]:
    for a, b in itertools.product(one.versions, other.versions):
        if a.begin < b.end and b.begin < a.end:
            yield a, b


def _at(side: Side, *held: Version) -> Iterator[Version]:
    begin, end = max(each.begin for each in held), min(each.end for each in held)
    return (each for each in side.versions if each.begin < end and begin < each.end)


def states(world: Internet) -> list[tuple[str, str]]:
    return [(key.role, key.state) for key in world.zone.keys]


MOVES = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([1, 60, 111, 320, 711, 1600, 3000, 20_000])),
    st.tuples(st.just("ask"), st.sampled_from(["roll csk", "roll ksk", "roll zsk"])),
    st.tuples(st.just("parent"), st.booleans()),
    st.tuples(st.just("algorithm"), st.sampled_from([13, 15])),
    st.tuples(st.just("split"), st.booleans()),
    st.tuples(st.just("signed"), st.booleans()),
    st.tuples(st.just("ttl"), st.sampled_from([20, 100, 500])),
)


TTLS = st.sampled_from([100, 300, 700])
PLANS = st.lists(MOVES, min_size=10, max_size=40)


@budget(max_examples=300, deadline=None)
@given(
    st.tuples(st.booleans(), st.booleans()),
    st.tuples(TTLS, TTLS, TTLS),
    st.lists(MOVES, min_size=10, max_size=40),
)
def test_no_cache_is_ever_left_without_a_chain(
    kind: tuple[bool, bool], ttls: tuple[int, int, int], moves: list[tuple[str, object]]
) -> None:
    split, grown = kind
    world = Internet(RULES._replace(split=split, key_ttl=ttls[0], max_ttl=ttls[1], parent_ttl=ttls[2]))
    if grown:
        world.run(1500)
        world.obey()
    for move, what in moves:
        if move == "wait":
            world.run(float(what))  # type: ignore[arg-type]
        elif move == "ask":
            world.ask(str(what))
        elif move == "parent" and what:
            world.obey()
        elif move == "parent":
            world.follow()
        else:
            field = "key_ttl" if move == "ttl" else move
            world.rules = world.rules._replace(**{field: what})
            world.run(0.0)
        assert not broken(world)
    if world.rules.signed:
        _settles(world)


def _settles(world: Internet) -> None:
    """However it was begun, it comes to its end if only the parent follows."""
    for _ in range(12):
        world.run(2000)
        world.obey()
    assert not broken(world)
    kinds = {(key.role, key.algorithm) for key in world.zone.keys if key.state == "active"}
    roles = ("ksk", "zsk") if world.rules.split else ("csk",)
    assert kinds == {(role, world.rules.algorithm) for role in roles}


def test_the_first_key_signs_at_once_and_is_for_the_parent_when_caches_are() -> None:
    world = Internet(RULES)
    assert states(world) == [("csk", "published")]
    assert rollover.signs(world.zone.keys[0]) and rollover.entry(world.zone.keys[0])
    assert rollover.parental(world.zone.keys) == ()
    world.run(709)
    assert states(world) == [("csk", "published")]
    world.run(1)
    assert states(world) == [("csk", "ready")] and rollover.parental(world.zone.keys) == world.zone.keys
    world.run(10 * DAY)
    assert states(world) == [("csk", "ready")]
    world.obey()
    assert states(world) == [("csk", "active")]


def rolled(rules: rollover.Settings) -> Internet:
    """With keys that are all in use."""
    world = Internet(rules)
    world.run(710)
    world.obey()
    assert all(key.state == "active" for key in world.zone.keys)
    return world


def test_a_zone_signing_key_rolls_by_itself_when_it_is_old() -> None:
    world = rolled(RULES._replace(split=True))
    world.run(20_000 - 710 - 1)
    assert states(world) == [("ksk", "active"), ("zsk", "active")]
    world.run(1)
    assert states(world) == [("ksk", "active"), ("zsk", "active"), ("zsk", "published")]
    world.run(110)
    assert states(world) == [("ksk", "active"), ("zsk", "retired"), ("zsk", "active")]
    assert [key.tag for key in world.zone.keys if rollover.signs(key)] == [3]
    world.run(710)
    assert states(world) == [("ksk", "active"), ("zsk", "active")] and not broken(world)


def test_a_single_key_rolls_around_the_exchange_of_its_ds() -> None:
    world = rolled(RULES)
    world.ask("roll csk")
    assert states(world) == [("csk", "active"), ("csk", "published")]
    assert len(world.entries()) == 2
    world.run(DAY)
    assert states(world) == [("csk", "active"), ("csk", "ready")]
    assert [key.tag for key in rollover.parental(world.zone.keys)] == [2]
    world.obey()
    assert states(world) == [("csk", "retired"), ("csk", "active")]
    world.run(709)
    assert len(world.zone.keys) == 2
    world.run(1)
    assert states(world) == [("csk", "active")] and not broken(world)


def test_another_algorithm_comes_signatures_first_and_goes_signatures_last() -> None:
    world = rolled(RULES)
    world.rules = RULES._replace(algorithm=15, split=True)
    world.run(0)
    assert states(world)[1:] == [("ksk", "pre-active"), ("zsk", "pre-active")]
    assert [rollover.public(key) for key in world.zone.keys] == [True, False, False]
    assert [rollover.signs(key) for key in world.zone.keys] == [True, False, True]
    world.run(710)
    assert states(world) == [("csk", "active"), ("ksk", "published"), ("zsk", "active")]
    world.run(110)
    world.obey()
    assert states(world) == [("csk", "retire-active"), ("ksk", "active"), ("zsk", "active")]
    world.run(310)
    assert states(world)[0] == ("csk", "post-active")
    world.run(110)
    assert states(world) == [("ksk", "active"), ("zsk", "active")] and not broken(world)


def test_a_zone_is_unsigned_only_after_its_ds_was_seen_gone() -> None:
    world = rolled(RULES)
    world.rules = RULES._replace(signed=False)
    world.run(100 * DAY)
    assert states(world) == [("csk", "active")]
    world.obey()
    world.run(309)
    assert states(world) == [("csk", "active")]
    world.run(1)
    assert states(world) == [] and not broken(world)


def test_what_cannot_be_asked_is_refused_with_the_reason() -> None:
    world = Internet(RULES)
    assert "no key waits" in rollover.refusal(world.zone, rollover.SEEN)
    assert "no ZSK" in rollover.refusal(world.zone, "roll zsk")
    assert "under way" in rollover.refusal(world.zone, "roll csk")
    assert "no keys" in rollover.refusal(rollover.Zone(), rollover.GONE)
