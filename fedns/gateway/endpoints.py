"""Pools: which endpoints of which members serve one port of a federated service, tier by tier.

Law: who may serve is `model.selection`'s word, the same that DNS gives; here its members become
endpoints. A shard whose endpoints were told serves at those, another one at its published addresses.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from msgspec import Struct, structs

from fedns.gateway import route
from fedns.gateway.choice import Choice
from fedns.model import facts, selection
from fedns.model.snapshot import Service, Shard


class Wanted(Struct, frozen=True):
    """A pool that routes lead to. `service` is `namespace/name`; `port` a number or a name, as text."""

    key: bytes
    service: str
    port: str
    choice: Choice = Choice()


def pool(wanted: Wanted, service: Service | None, now: float) -> route.Pool:
    """The pool as the snapshot has it now; without tiers when nobody can serve."""
    if service is None:
        return route.Pool()
    chosen = selection.select(reachable(service), None, now)
    shards = {shard.member: shard for shard in service.shards}
    tiers = [_tier(tier, shards, wanted.port) for tier in chosen.tiers]
    return route.Pool(_loaded([tier for tier in tiers if tier.parts]), chosen.fail_open == "open")


def reachable(service: Service) -> Service:
    """The service as the gateway reaches it: where endpoints are told, those are its addresses."""
    if all(shard.facts.endpoints is None for shard in service.shards):
        return service
    return structs.replace(service, shards=tuple(map(_reached, service.shards)))


def _reached(shard: Shard) -> Shard:
    told = shard.facts.endpoints
    if told is None:
        return shard
    bare = structs.replace(shard.facts, hostnames=())
    return structs.replace(shard, facts=bare, addresses=tuple(each.address for each in told))


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
    return tuple(_endpoint(shard.member, address, number) for address, number in where if number)


def _usable(shard: Shard, told: Sequence[facts.Endpoint]) -> Sequence[facts.Endpoint]:
    """Ready ones; else those that still serve while they end; all, where an operator says `up`."""
    ready = [each for each in told if each.ready]
    if ready:
        return ready
    serving = [each for each in told if each.serving]
    return serving or (told if shard.verdict.ordered else ())


def _number(endpoint: facts.Endpoint, port: facts.Port | None, asked: str) -> int:
    ports = dict(endpoint.ports)
    if port is not None and port.name in ports:
        return ports[port.name]
    if len(ports) == 1:
        return next(iter(ports.values()))
    return int(asked) if port is None and not ports and asked.isdecimal() else 0


def _endpoint(member: str, address: str, port: int) -> route.Endpoint:
    tag = blake2b(f"{member} {address} {port}".encode(), digest_size=8).hexdigest().encode()
    return route.Endpoint(address, port, member, tag)
