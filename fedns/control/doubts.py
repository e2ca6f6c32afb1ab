"""Input that can be read and makes no sense: names of nothing, settings that have no effect.

Law: pure. What one source cannot see by itself is seen here, where the fleet is whole: policies beside
services and members, host names beside what they resolve to. Nothing is refused for it.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from fedns.errors import Problem
from fedns.model.facts import Hostname, Order
from fedns.model.policy import TrafficPolicy
from fedns.model.snapshot import Snapshot

EVERY = "*"
"""The target of the policy for all services without their own."""


HINTED = 20
"""Problems that get a hint at most: to guess what was meant costs more than to see that it is wrong."""
COMPARED = 500
"""Names that a misspelt one is compared with at most."""


def likely(word: str, names: Iterable[str]) -> str:
    """The hint for a name that is not there; empty where none is like it."""
    close = difflib.get_close_matches(word, list(islice(names, COMPARED)), 1)
    return f"did you mean {close[0]!r}?" if close else ""


def policies(snapshot: Snapshot, found: Mapping[str, TrafficPolicy]) -> tuple[Problem, ...]:
    """Doubts about policies, by target."""
    problems: list[Problem] = []
    for target in sorted(found):
        problems += _policy(snapshot, target, found[target], len(problems) < HINTED)
    return tuple(problems)


def hostnames(snapshot: Snapshot, found: Mapping[str, Hostname]) -> tuple[Problem, ...]:
    """Load-balancer host names that do not resolve now."""
    failing = {name: each.error for name, each in found.items() if each.error}
    if not failing:
        return ()
    users: dict[str, str] = {}
    for key, service in snapshot.services.items():
        for shard in service.shards:
            users.update((name, f"service {key}, member {shard.member}") for name in shard.facts.hostnames)
    hint = "its last good addresses stay in use"
    return tuple(
        Problem(users.get(name, "an alias"), f"host name {name!r} is not resolved: {error}", hint)
        for name, error in sorted(failing.items())
    )


def orders(snapshot: Snapshot, found: tuple[Order, ...]) -> tuple[Problem, ...]:
    """Orders whose target is nowhere in the fleet (any more)."""
    known = set(snapshot.members)
    for member in snapshot.members.values():
        known |= {f"region:{member.region}", *(f"zone:{zone}" for zone in member.zones)}
    hint = "`fedns undrain` takes it back"
    return tuple(
        Problem(f"order for {order.target}", f"{order.target!r} is nowhere in the fleet", hint)
        for order in found
        if order.target.partition("/")[0] not in known
    )


def _policy(snapshot: Snapshot, target: str, policy: TrafficPolicy, hinted: bool) -> Iterator[Problem]:
    where = f"TrafficPolicy for {'every service' if target == EVERY else target}"
    service = snapshot.services.get(target)
    if service is None and target != EVERY:
        beside = (key for key in snapshot.services if key.startswith(target.partition("/")[0] + "/"))
        hint = likely(target, beside) if hinted else ""
        yield Problem(where, "no member declares this service", hint)
    for field, names in (("order", policy.order), ("weights", policy.weights)):
        for name in names:
            if name not in snapshot.members:
                hint = likely(name, snapshot.members) if hinted else ""
                yield Problem(where, f"`{field}` names {name!r}, which is no member", hint)
            elif service is not None and all(shard.member != name for shard in service.shards):
                what = f"`{field}` names {name!r}, where the service is not: it can never serve"
                yield Problem(where, what, "deploy it there, or leave the member out")
    yield from (Problem(where, what, hint) for what, hint in _idle(policy))
    ports = service.ports if service is not None else ()
    if policy.probe and not policy.probe.port and ports and all(port.protocol != "tcp" for port in ports):
        yield Problem(where, "there is no TCP port to probe: nothing is probed", "name one: `probe.port`")


def _idle(policy: TrafficPolicy) -> Iterator[tuple[str, str]]:
    """Settings without effect, with what to do."""
    strategy = policy.strategy
    if policy.weights and strategy != "Weighted":
        yield f"`weights` mean nothing to strategy {strategy}", "write `strategy: Weighted`"
    if strategy == "Weighted" and not any(policy.weights.values()):
        yield "strategy Weighted without `weights`: all members weigh the same", "give each member a weight"
    if (policy.order or policy.spill) and strategy != "PrimarySecondary":
        yield f"`order` and `spill` mean nothing to strategy {strategy}", "write `strategy: PrimarySecondary`"
    if strategy == "PrimarySecondary" and not policy.order:
        yield "strategy PrimarySecondary without `order`: nobody comes first", "list the members in `order`"
    if policy.backup and policy.on_all_unhealthy != "backup":
        yield "`backup` is never used", "write `onAllUnhealthy: backup`"
