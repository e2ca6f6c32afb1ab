"""Pools: which endpoints of which members serve one port of a federated service, tier by tier.

Law: who may serve is `model.selection`'s word, the same that DNS gives; an annotation narrows and orders it,
and never adds to it. A shard whose endpoints were told serves at those, another one at its addresses.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from msgspec import Struct, structs

from fedns.errors import Problem
from fedns.gateway import failback, route
from fedns.gateway.choice import Choice
from fedns.gateway.failback import Held
from fedns.model import facts, selection
from fedns.model.policy import TrafficPolicy
from fedns.model.selection import Place, Share
from fedns.model.snapshot import Member, Service, Shard, Snapshot

PRIMARY = 100  # percent
BACKUP = "backup"
"""Who serves outside of all members."""


class Wanted(Struct, frozen=True):
    """A pool that routes lead to. `service` is `namespace/name`; `port` a number or a name, as text, empty
    for the first; `where` names the object that asks first, for problems."""

    key: bytes
    service: str
    port: str
    choice: Choice = Choice()
    where: str = ""


class Seen(NamedTuple):
    """What a pool is made of. `place` is the gateway's own, for policies that go by nearness."""

    service: Service | None
    members: Mapping[str, Member] = {}
    place: Place | None = None


class Made(NamedTuple):
    """A pool, what to hold for the next turn, and when time alone changes it (Unix seconds; None: never)."""

    pool: route.Pool
    held: Held | None = None
    wake: float | None = None


def pool(wanted: Wanted, seen: Seen, now: float, held: Held | None = None) -> Made:
    """The pool as the snapshot has it now; without tiers when nobody can serve."""
    if seen.service is None:
        return Made(route.Pool(), held)
    choice = _ordered(wanted.choice, seen.service)
    service = _narrowed(reached(seen.service), choice, seen.members)
    shards = {shard.member: shard for shard in service.shards}
    turn = failback.Turn((), None)
    chosen = selection.select(_weighed(service, choice), seen.place, now)
    tiers: Sequence[selection.Tier] = chosen.tiers
    if choice.levels:
        tiers, turn = _levelled(service, choice, held, now)
    made = [_tier(tier, shards, wanted.port) for tier in tiers]
    if chosen.fail_open == "backup":
        made = [_backup(service, wanted.port)]
    filled = _loaded([tier for tier in made if tier.parts])
    return Made(route.Pool(filled, chosen.fail_open == "open" and bool(filled)), turn.held, turn.wake)


def _ordered(choice: Choice, service: Service) -> Choice:
    """Where levels are wished for only in how they change, they are those of the service's own policy."""
    policy = service.policy
    if choice.levels or policy.strategy != "PrimarySecondary" or choice == Choice(labels=choice.labels):
        return choice
    named = list(policy.order)
    rest = tuple(shard.member for shard in service.shards if shard.member not in named)
    levels = tuple((member,) for member in named) + ((rest,) if rest else ())
    return structs.replace(choice, levels=levels)


def reached(service: Service) -> Service:
    """The service as the gateway reaches it."""
    if all(shard.facts.endpoints is None for shard in service.shards):
        return service
    return structs.replace(service, shards=tuple(map(selection.reached, service.shards)))


def _narrowed(service: Service, choice: Choice, members: Mapping[str, Member]) -> Service:
    """Without members that lack the labels asked for, unless none that has them can serve; then without those
    that no level names."""
    shards = service.shards
    if choice.labels or choice.subset is not None:
        fitting = tuple(shard for shard in shards if choice.fits(shard.member, members))
        if any(shard.verdict.state in selection.ABLE and selection.candidate(shard) for shard in fitting):
            shards = fitting
    if choice.levels:
        named = {member for level in choice.levels for member in level}
        shards = tuple(shard for shard in shards if shard.member in named)
    return service if shards == service.shards else structs.replace(service, shards=shards)


def _weighed(service: Service, choice: Choice) -> Service:
    if not choice.weights:
        return service
    policy = structs.replace(service.policy, strategy="Weighted", weights=dict(choice.weights))
    return structs.replace(service, policy=policy)


def _backup(service: Service, port: str) -> route.Tier:
    """The policy's last resort, outside of all members; names are resolved by who connects."""
    number = next((each.number for each in service.ports if port in ("", str(each.number), each.name)), 0)
    number = number or (int(port) if port.isdecimal() else 0)
    found = tuple(_endpoint(BACKUP, address, number) for address in service.policy.backup if number)
    return route.Tier(1.0, (route.Part(BACKUP, 1.0, found),) if found else ())


def _levelled(
    service: Service, choice: Choice, held: Held | None, now: float
) -> tuple[Sequence[selection.Tier], failback.Turn]:
    """Tiers by the levels of an annotation, and what failback says. When nobody can serve, those that last
    could, if the policy is so."""
    shards: Sequence[Shard] = selection.serving(service)
    if not shards:
        if service.policy.on_all_unhealthy != "open":
            return (), failback.Turn((), held)
        shards = selection.once_good(service)
    groups = [[shard for shard in shards if shard.member in level] for level in choice.levels]
    filled = [at for at, group in enumerate(groups) if group]
    able = [at for at in filled if sum(map(selection.replicas, groups[at])) >= choice.least] or filled
    turn = failback.turn(able, held, choice.failback, now)
    order = [*turn.order, *(at for at in filled if at not in able)]
    spare = PRIMARY / choice.spill if choice.spill else 0.0
    return selection.stacked([groups[at] for at in order], lambda group: _shared(group, choice), spare), turn


def _shared(group: Sequence[Shard], choice: Choice) -> tuple[Share, ...]:
    """Shares within one level."""
    strategy = "Weighted" if choice.weights else "ActiveActive"
    policy = TrafficPolicy(strategy=strategy, weights=dict(choice.weights))  # type: ignore[arg-type]
    return selection.share_out(group, policy)[0].shares


def _tier(tier: selection.Tier, shards: dict[str, Shard], port: str) -> route.Tier:
    """Members without an endpoint give their share to the others."""
    parts = [(share, endpoints(shards[share.member], port)) for share in tier.shares]
    parts = [(share, found) for share, found in parts if found]
    total = sum(share.share for share, _ in parts)
    return route.Tier(
        tier.load, tuple(route.Part(share.member, share.share / total, found) for share, found in parts)
    )


def _loaded(tiers: Sequence[route.Tier]) -> tuple[route.Tier, ...]:
    """Loads sum to 1 again; when only reserves are left the first of them has all."""
    total = sum(tier.load for tier in tiers)
    if not total:
        return tuple(structs.replace(tier, load=0.0 if at else 1.0) for at, tier in enumerate(tiers))
    return tuple(structs.replace(tier, load=tier.load / total) for tier in tiers)


def endpoints(shard: Shard, port: str) -> tuple[route.Endpoint, ...]:
    """Where one shard takes requests for a Service port; none where it has no such port."""
    ports = shard.facts.ports
    found = next((each for each in ports if port in ("", str(each.number), each.name)), None)
    if found is None and ports:
        return ()
    told = shard.facts.endpoints
    if told is None:
        number = found.number if found is not None else int(port) if port.isdecimal() else 0
        where: Iterable[tuple[str, int]] = ((each, number) for each in shard.addresses)
    else:
        where = ((each.address, _number(each, found, port)) for each in _usable(shard, told))
    h2c = found is not None and found.h2c
    return tuple(_endpoint(shard.member, address, number, h2c) for address, number in where if number)


def _usable(shard: Shard, told: Sequence[facts.Endpoint]) -> Sequence[facts.Endpoint]:
    """Ready ones; else those that still serve while they end; all, where an operator says `up`, or where a
    shard that is down is the last resort."""
    ready = [each for each in told if each.ready]
    if ready:
        return ready
    serving = [each for each in told if each.serving]
    return serving or (told if shard.verdict.ordered or shard.verdict.state == "unhealthy" else ())


def _number(endpoint: facts.Endpoint, port: facts.Port | None, asked: str) -> int:
    """The number that an endpoint listens on for a Service port; 0: it does not."""
    ports = dict(endpoint.ports)
    if port is not None and port.name in ports:
        return ports[port.name]
    if len(ports) == 1:
        return next(iter(ports.values()))
    return int(asked) if port is None and not ports and asked.isdecimal() else 0


def _endpoint(member: str, address: str, port: int, h2c: bool = False) -> route.Endpoint:
    tag = blake2b(f"{member} {address} {port}".encode(), digest_size=8).hexdigest().encode()
    return route.Endpoint(address, port, member, tag, h2c)


def outside(wanted: Wanted, seen: Seen, now: float) -> dict[str, str]:
    """Members of a service that are in no tier, as far as selection and choice keep them out, and why."""
    if seen.service is None:
        return {}
    choice, service = _ordered(wanted.choice, seen.service), reached(seen.service)
    standing = selection.level(service, selection.GLOBAL, now)
    within = {shard.member for shard in _narrowed(service, choice, seen.members).shards}
    left = "annotations of the Ingress choose other clusters"
    found = {each.member: each.reason for each in standing.excluded}
    return found | {shard.member: left for shard in service.shards if shard.member not in within}


class Stand(NamedTuple):
    """One address behind a port of a Service, and how it stands there. `port` 0: it has no such port."""

    address: str
    port: int
    zone: str
    state: str


def stands(shard: Shard, port: str) -> list[Stand]:
    """Every address that one shard told, in the words of its member."""
    told = shard.facts.endpoints
    if told is None:
        return [Stand(each.address, each.port, "", "published") for each in endpoints(shard, port)]
    ports = shard.facts.ports
    found = next((each for each in ports if port in ("", str(each.number), each.name)), None)
    missing = found is None and bool(ports)
    return [
        Stand(each.address, 0 if missing else _number(each, found, port), each.zone, _state(each))
        for each in told
    ]


def _state(endpoint: facts.Endpoint) -> str:
    if endpoint.ready:
        return "ready"
    return "serving" if endpoint.serving else "not ready"


def doubts(wanted: Iterable[Wanted], snapshot: Snapshot) -> list[Problem]:
    """Routes that lead to nothing: Services, ports and members that nobody knows; and clusters that can never
    be reached."""
    found = []
    for each in wanted:
        service = snapshot.services.get(each.service)
        found += [Problem(each.where, what, hint) for what, hint in _unreachable(each, service, snapshot)]
        what = _missing(each, service)
        if what:
            found.append(Problem(each.where, what, "requests for it are answered 503"))
    return found


def _unreachable(wanted: Wanted, service: Service | None, snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """What an Ingress chooses and never gets."""
    choice = wanted.choice
    leveled = {member for level in choice.levels for member in level}
    weighed = {member for member, _ in choice.weights}
    known = {shard.member for shard in service.shards} if service is not None else set()
    for member in sorted(leveled | weighed):
        what = f"cluster {member} can never be reached"
        if member not in snapshot.members:
            yield f"{what}: no member has that name", "members are in fedns.yaml"
        elif service is not None and member not in known:
            yield f"{what}: {wanted.service} is not there", "deploy it there"
        elif choice.levels and member not in leveled:
            yield f"{what}: it has a weight, and no level names it", "name it in clusters"
    if choice.labels and not any(choice.fits(name, snapshot.members) for name in snapshot.members):
        labels = ",".join(f"{key}={value}" for key, value in choice.labels)
        yield f"no member has the labels {labels}: all serve", "labels of members are in fedns.yaml"


def _missing(wanted: Wanted, service: Service | None) -> str:
    """What a pool lacks; empty: nothing."""
    if service is None or service.tombstone is not None:
        return f"service {wanted.service} is in no member"
    if not wanted.port or any(wanted.port in (port.name, str(port.number)) for port in service.ports):
        return ""
    ports = ", ".join(f"{port.name or '-'} {port.number}" for port in service.ports)
    return f"service {wanted.service} has no port {wanted.port}, but {ports or 'none'}"
