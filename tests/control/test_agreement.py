"""One model: the global name of DNS and first choices of the gateway agree at each step of random histories.

Both are compiled as a turn compiles them, entry by entry of what was touched, and asked as workers ask.
"""

import random
from collections.abc import Callable
from functools import lru_cache

import dns.message
import pytest

from fedns.control import passage
from fedns.control.known import Known
from fedns.dns import federation, names, node, respond, skeleton, wire
from fedns.gateway import balance, route
from fedns.model import assemble, facts, health, ingress
from fedns.model.policy import ProbeSpec, TrafficPolicy
from fedns.model.snapshot import Snapshot
from fedns.sources import change

HISTORIES, STEPS, PARTS = 500, 12, 25
KEY, NAME, POOL = "ns/web", "web.ns.fed.svc.example.com.", route.SERVICE + b"ns/web/80"
PLACES = {
    "a": ("eu", ("eu-1",)),
    "b": ("eu", ("eu-1", "eu-2")),
    "c": ("us", ("us-1",)),
    "d": ("us", ("us-2",)),
}
SETTINGS = names.Settings("fed", "example.com", nameservers={"ns1.example.com": ("192.0.2.53",)})
PROBE = ProbeSpec(fall=2, rise=2)
BACKUP = "203.0.113.9"
RULE = ingress.Rule("web.example.com", (ingress.Path("/", "Prefix", ingress.Backend("web", "80")),))
SAID = ingress.Said((ingress.Ingress("ns", "web", rules=(RULE,)),))
DRAWS = [number / 101 for number in range(101)]
QUERY = dns.message.make_query(NAME, "A", use_edns=0, id=0).to_wire()


class Fleet:
    """Four members, and what both sides have of them. `who` maps addresses to members."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.now = dice, 1_000_000.0
        self.known = Known(assemble.World(tombstone=1e9))
        self.snapshot = Snapshot()
        self.passage = passage.Passage(lambda: ())
        self.passage.compile(SAID)
        self.dns: dict[bytes, bytes] = {}
        self.gateway: dict[bytes, bytes] = {}
        self.orders: dict[str, facts.Order] = {}
        self.who = {BACKUP: "backup"} | {f"192.0.2.{ord(name)}": name for name in PLACES}
        self.known.put(change.PolicyChange({KEY: self.policy()}, None))
        for name in PLACES:
            self.tell(name, {KEY: self.shard(name)})
        self.turn()
        self.now += 30.0

    # What is said.

    def policy(self) -> TrafficPolicy:
        dice = self.dice
        return TrafficPolicy(
            strategy=dice.choice(("ActiveActive", "Weighted", "PrimarySecondary", "Nearest")),
            order=tuple(dice.sample(sorted(PLACES), dice.randint(1, 4))),
            weights={name: dice.randint(0, 3) for name in dice.sample(sorted(PLACES), 3)},
            probe=PROBE,
            min_ready=dice.choice((1, 1, 2)),
            on_all_unhealthy=dice.choice(("open", "open", "closed", "backup")),
            backup=(BACKUP,),
        )

    def shard(self, member: str) -> facts.ShardFacts:
        """Some endpoints in some states, and readiness as it is counted from them."""
        dice, rows = self.dice, []
        mood = dice.choice(("all", "all", "some", "draining", "none"))
        for number in range(dice.randint(1, 4)):
            ready = mood == "all" or (mood == "some" and dice.random() < 0.5)
            serving = ready or mood == "draining"
            ports, zone = (("http", 8080),), PLACES[member][1][0]
            address = f"10.{ord(member)}.0.{number}"
            rows.append(facts.Endpoint(address, ports, zone, ready, serving, mood == "draining"))
        counted = facts.ZoneReadiness(
            PLACES[member][1][0],
            sum(each.ready for each in rows),
            sum(each.serving for each in rows),
            sum(each.terminating for each in rows),
            len(rows),
        )
        return facts.ShardFacts(
            (f"192.0.2.{ord(member)}",),
            ports=(facts.Port("http", "tcp", 80),),
            readiness=(counted,),
            endpoints=tuple(rows),
        )

    def tell(self, member: str, shards: dict[str, facts.ShardFacts]) -> None:
        region, zones = PLACES[member]
        told = facts.MemberFacts(member, region, zones, {}, shards, (), "reachable", self.now, self.now)
        self.known.put(change.MemberChange(told, frozenset((KEY,))))

    def endpoints(self, member: str) -> None:
        self.tell(member, {KEY: self.shard(member)})

    def absence(self, member: str) -> None:
        self.tell(member, {})

    def probe(self, member: str) -> None:
        target = (member, KEY)
        before = self.known.probes.get(target, facts.ProbeCount())
        counted = health.count(before, self.dice.random() < 0.4, "no answer", PROBE, self.now)
        self.known.put(change.ProbeChange({target: counted}, frozenset((KEY,))))

    def passive(self, member: str) -> None:
        dice, count = self.dice, self.dice.randint(1, 3)
        bad = dice.choice((0, 40, 100))
        seen = facts.Passive(100, bad, self.now, dice.choice((0, 1, count)), count)
        told = {(member, KEY): dice.choice((seen, seen, None))}
        self.known.put(change.PassiveChange(told, frozenset((KEY,))))

    def order(self, member: str) -> None:
        dice = self.dice
        target = dice.choice((member, f"{member}/{KEY}", "region:eu", "zone:eu-1", "zone:us-2"))
        self.orders.pop(target, None)
        if dice.random() < 0.7:
            until = dice.choice((None, self.now + 40.0))
            self.orders[target] = facts.Order(target, dice.choice(("down", "drain", "up")), self.now, until)
        self.known.put(change.OrdersChange(tuple(sorted(self.orders.values()))))
        self.known.touch((KEY,))

    def wish(self, _: str) -> None:
        self.known.put(change.PolicyChange({KEY: self.policy()}, frozenset((KEY,))))

    def step(self) -> None:
        steps: tuple[Callable[[str], None], ...] = (
            *(self.endpoints,) * 4,
            *(self.probe,) * 3,
            *(self.passive,) * 3,
            *(self.order,) * 2,
            self.absence,
            self.wish,
        )
        for _ in range(self.dice.choice((1, 1, 2, 4))):
            self.dice.choice(steps)(self.dice.choice(sorted(PLACES)))

    # What becomes of it.

    def wait(self, seconds: float) -> None:
        """Time alone changes things, at its own times."""
        end = self.now + seconds
        while self.snapshot.wake_at is not None and self.snapshot.wake_at <= end:
            self.now = max(self.now, self.snapshot.wake_at)
            self.turn()
        self.now = end

    def turn(self) -> None:
        self.known.touch(assemble.due(self.snapshot, self.now))
        world, touched, told = self.known.take()
        before, after = self.snapshot, assemble.assemble(self.snapshot, world, touched, self.now, told)
        self.snapshot = after
        layout = names.layout(SETTINGS, after.members.values())
        changes: dict[bytes, bytes | None] = {}
        if after.touched is None:
            self.dns = {**skeleton.skeleton(after, layout), node.READY: b"1"}
            self.dns[node.ZONES] = node.encode_zones((skeleton.zone(layout, 1),))
            for service in after.services.values():
                changes.update(federation.compile_service(service, layout, self.now))
        else:
            for key in after.touched:
                changes.update(
                    federation.changes(after.services[key], layout, self.now, before.services.get(key))
                )
        _apply(self.dns, changes)
        _apply(self.gateway, self.passage.entries(after, after.touched, self.now))
        self.passage.published()

    # What is seen of it.

    def answered(self) -> set[str]:
        """Members that the global name has, in all its answers."""
        weighted = self.snapshot.services[KEY].policy.strategy == "Weighted"
        replies = [self.reply(number) for number in range(federation.SLOTS if weighted else 1)]
        return {self.who[address] for raw in replies for address in addresses(b"\0\0" + raw[2:])}

    def reply(self, number: int) -> bytes:
        raw = respond.respond(self.dns, number.to_bytes(2, "big") + QUERY[2:], wire.OWN_SIZE)
        assert raw is not None
        return bytes(raw)

    def chosen(self) -> set[str]:
        """Members that the gateway may go to first."""
        made = balance.prepare(route.pool(self.gateway[POOL]))
        picked = {balance.pick(made, draw) for draw in DRAWS}
        picked |= {balance.choose(made, balance.Want(), draw) for draw in DRAWS}
        picked |= {balance.lighter(made, draw, {}) for draw in DRAWS}
        return {endpoint.member for endpoint in picked if endpoint is not None}


@lru_cache(maxsize=4096)
def addresses(raw: bytes) -> frozenset[str]:
    """All that a reply holds."""
    return frozenset(rdata.address for rrset in dns.message.from_wire(raw).answer for rdata in rrset)


def _apply(table: dict[bytes, bytes], changes: passage.Entries) -> None:
    for key, value in changes.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value


def agree(seed: int) -> set[frozenset[str]]:
    """Plays one history; the sets of members that served in it."""
    fleet, seen = Fleet(random.Random(seed)), set()
    for number in range(STEPS):
        dns_says, gateway_says = fleet.answered(), fleet.chosen()
        assert dns_says == gateway_says, (seed, number, fleet.snapshot.services[KEY])
        seen.add(frozenset(dns_says))
        fleet.wait(fleet.dice.choice((0.0, 1.0, 5.0, 31.0, 61.0, 310.0)))
        fleet.step()
        fleet.turn()
    return seen


@pytest.mark.parametrize("part", range(PARTS))
def test_dns_and_gateway_agree_on_who_may_serve(part: int) -> None:
    each = HISTORIES // PARTS
    seen = set().union(*(agree(seed) for seed in range(part * each, part * each + each)))
    assert len(seen) > 10, "the histories are dull"
