"""What a plan costs clients, asked only where it takes something away: who serves, and who was drained.

Law: nothing is written. A member that does not tell who serves there counts as one that does not; that is no
reason for a plan to fail.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from msgspec import structs

from fedns import config, fleet
from fedns.cli import client, output
from fedns.distribute import holdings
from fedns.kube import client as kube
from fedns.kube.failure import Failure
from fedns.model import health
from fedns.model.facts import Order
from fedns.placement import item, matching, plan, pod, toll

KINDS = (("discovery.k8s.io/v1", "EndpointSlice"), ("v1", "Service"))
TAKING = frozenset({*pod.SPECS, toll.SERVICE, toll.NAMESPACE})
"""Kinds that somebody may be served by."""


class Ground:
    """What is there: the members, and what was read of them for the plan."""

    def __init__(self, members: Iterable[fleet.Member], clusters: Iterable[plan.Cluster]) -> None:
        self.members = tuple(members)
        self.clusters = {each.member.name: each for each in clusters}


async def told(settings: config.Config, made: plan.Plan, ground: Ground) -> plan.Plan:
    """The plan, with a warning for each Service that loses a member which serves."""
    if not any(each.action == "delete" and each.ref[:2] in TAKING for each in made.steps):
        return made
    gate = asyncio.Semaphore(kube.AT_ONCE)
    read = await asyncio.gather(*(_there(each, ground, gate) for each in ground.members))
    there = {each.name: items for each, items in zip(ground.members, read, strict=True)}
    lost = toll.lost(made, there)
    ready = {name: toll.ready(items.values()) for name, items in there.items()}
    serving = any(ready[name].get(key) for name, keys in lost.items() for key in keys)
    orders = _orders(settings) if serving else ()
    found = toll.warnings(lost, ready, _taken(orders, ground), _waits(settings, made))
    return structs.replace(made, warnings=(*made.warnings, *found))


async def _there(
    member: fleet.Member, ground: Ground, gate: asyncio.Semaphore
) -> Mapping[item.Ref, item.Item]:
    """What a member has of Services and their endpoints, beside what is known of it."""
    cluster, where = ground.clusters.get(member.name), fleet.where(member)
    known = dict((cluster.items if cluster else None) or {})
    if where is None or cluster is None or cluster.items is None:
        return known
    api = kube.Client(where, gate)
    try:
        more = (await holdings.held(api, KINDS)).items
    except (OSError, Failure):
        more = []
    finally:
        await api.close()
    return {**known, **{item.ref(each): each for each in more}}


def _orders(settings: config.Config) -> Iterable[Order]:
    """Those that the running server has; none where there is none."""
    if not settings.fleet.distribute:
        return ()
    try:
        rows = client.Client(client.at(settings)).get("/api/v1/orders")["items"]
    except (client.Unreachable, client.Refused):
        return ()
    return [Order(one["target"], one["word"], one["issued"], one["until"]) for one in rows]


def _waits(settings: config.Config, made: plan.Plan) -> toll.Waits:
    """A server that distributes lets the clients of what moves leave first."""
    told = settings.fleet
    stays = {each.ref for each in made.steps if each.action in ("create", "update", "keep")}
    services = {toll.Key(what.namespace, what.name) for what in stays if what[:2] == toll.SERVICE}
    most = output.span(told.farewell)
    why = f"its copy stays until they have left, and {most} at most while nobody else can serve"
    return lambda key: why if told.distribute and told.farewell and key in services else ""


def _taken(orders: Iterable[Order], ground: Ground) -> Callable[[str, toll.Key], bool]:
    known = health.index(orders, 0.0)

    def taken(name: str, key: toll.Key) -> bool:
        who: matching.Member = ground.clusters[name].member
        order = health.order_for(known, name, who.region, who.zones, str(key))
        return order is not None and order.word != "up"

    return taken
