"""What a plan is made of, read once: from directories, and from API servers what they have of its kinds.

Law: nothing is written; a rehearsal asks servers what they would make of it. What cannot be read is a member
that tells nothing: nothing is planned for it.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import structs

from fedns import config, fleet
from fedns.cli import examine, tolls
from fedns.control import doors, known, wallet
from fedns.distribute import holding, holdings, joining, pool, warrant
from fedns.errors import Problem
from fedns.kube import client
from fedns.kube.failure import Failure
from fedns.kube.resource import Resource
from fedns.model.propagation import Propagation
from fedns.placement import item, matching, plan, pod
from fedns.sources import fleet as fleets
from fedns.sources import kubernetes, objects, overrides, templates, watch

SCALERS = (("autoscaling/v2", "HorizontalPodAutoscaler"),)
ROOM = (("v1", "Node"), ("v1", "Pod"))
"""What tells the room for pods, where a policy divides by it."""
NEEDED = (("v1", "ConfigMap"), ("v1", "Secret"), ("v1", "ServiceAccount"), ("v1", "PersistentVolumeClaim"))
"""Of the fleet, where a policy takes along what objects name."""


class Planned(NamedTuple):
    """The plan, and the problems of what was read for it; some of them are doubts about what counts.
    `kinds`: those that were looked at."""

    plan: plan.Plan
    problems: list[Problem]
    members: Sequence[str]
    kinds: Collection[str]


class _Prospect(NamedTuple):
    """`known`: the resources of members that are API servers; `places`: of policies."""

    world: plan.World
    problems: list[Problem]
    members: Sequence[fleet.Member]
    known: Mapping[str, Mapping[holdings.Version, Resource]]
    places: Mapping[str, str]
    kinds: Collection[holdings.Version]


def planned(settings: config.Config, server: bool = False) -> Planned:
    """The plan; with `server` as the members' API servers would carry it out, their refusals being steps too.
    OSError, Failure: what the fleet has cannot be read."""
    found: list[
        Planned
    ] = []  # asyncio writes out what a task returns when it ends: for a plan, whole seconds

    async def work(folder: str) -> None:
        found.append(await _planned(settings, server, folder))

    with tempfile.TemporaryDirectory(prefix="fedns-plan-") as folder:
        asyncio.run(work(folder))
    return found[0]


async def _planned(settings: config.Config, server: bool, folder: str) -> Planned:
    problems: list[Problem] = []
    members = [*settings.members, *await _registered(settings, problems, folder)]
    found = await _prospect(settings, members, problems)
    made = plan.made(found.world)
    made = structs.replace(
        made,
        warnings=(*templates.located(made.warnings, found.places),),
        errors=(*templates.located(made.errors, found.places),),
    )
    made = await tolls.told(settings, made, tolls.Ground(members, found.world.clusters))
    made = await _rehearsed(found, made) if server else made
    looked = {kind for _, kind in found.kinds}
    return Planned(made, problems, [each.name for each in members], looked)


async def _registered(settings: config.Config, problems: list[Problem], folder: str) -> list[fleet.Member]:
    """The members that the fleet's API server registers; their credentials go below `folder`."""
    outer = doors.Doors(settings, watch.Watcher(), learns=False).fleet()
    if not isinstance(outer, fleets.Fleet):
        return []
    read = known.Known(config.world(settings))
    await kubernetes.once(outer, read.put, examine.PATIENCE)
    problems.extend(problem for each in read.problems.values() for problem in each)
    home, own = wallet.Wallet(folder), {each.name for each in settings.members}
    found = [each for name, each in sorted(read.registered.items()) if name not in own]
    for each in found:
        home.keep(each)
    return [home.member(each.told, each.credentials) for each in found]


class _Found(NamedTuple):
    """`problems` grow as members are read; `home`: the UID of the fleet's cluster, empty: it is in none;
    `parts`: of what members have."""

    policies: Sequence[Propagation]
    problems: list[Problem]
    home: str
    parts: pool.Pool


async def _prospect(
    settings: config.Config, members: Sequence[fleet.Member], problems: list[Problem]
) -> _Prospect:
    gate = asyncio.Semaphore(client.AT_ONCE)
    told, asked = await _fleet(settings.fleet, gate)
    told = structs.replace(told, policies=(*told.policies, *fleet.builtin(settings.fleet)))
    world = plan.World(told.items, told.policies, told.overrides, whole=told.whole, kinds=asked)
    problems.extend(told.problems)
    kinds, found = (
        _kinds(told),
        _Found(told.policies, problems, await _home(settings.fleet, gate), pool.Pool()),
    )
    clusters = await asyncio.gather(*(_cluster(each, kinds, found, gate) for each in members))
    world = structs.replace(world, clusters=[cluster for cluster, _ in clusters])
    served = {each.member.name: known for each, known in clusters}
    return _Prospect(world, problems, members, served, told.places, kinds)


def _kinds(told: templates.Read) -> set[holdings.Version]:
    """What members are asked for."""
    named = {(str(each.get("apiVersion")), str(each.get("kind"))) for each in told.items}
    selected = {(one.api_version, one.kind) for each in told.policies for one in each.resources}
    divisions = [each.placement.division for each in told.policies]
    by_room = any(each and (each.available or each.preference == "Aggregated") for each in divisions)
    scaled = any((version.rpartition("/")[0], kind) in pod.REPLICAS for version, kind in named | selected)
    return {*named, *selected, *(SCALERS if scaled else ()), *(ROOM if by_room else ())}


async def _home(told: fleet.Fleet, gate: asyncio.Semaphore) -> str:
    """Which cluster the fleet's objects are in."""
    where = fleet.where(told)
    if where is None:
        return ""
    async with _talking(client.Client(where, gate)) as api:
        return await joining.identity(api)


async def _fleet(
    told: fleet.Fleet, gate: asyncio.Semaphore
) -> tuple[templates.Read, frozenset[plan.Kind] | None]:
    """What it has, and of which kinds (None: of all)."""
    where = fleet.where(told)
    if where is None:
        return templates.read(told.manifests) if told.manifests else templates.Read(), None
    async with _talking(client.Client(where, gate)) as api:
        rules = await holdings.held(api, overrides.KINDS)
        found = templates.told(rules.items)
        policies = (*found.policies, *fleet.builtin(told))
        kinds = {(one.api_version, one.kind) for each in policies for one in each.resources}
        if any(each.dependencies for each in found.policies):
            kinds |= set(NEEDED)
        held = await holdings.held(api, kinds)
    more = templates.told(held.items)
    refused = [Problem("fleet", each) for each in (*rules.refused.values(), *held.refused.values())]
    whole = found.whole and more.whole and not refused
    problems = (*found.problems, *more.problems, *refused)
    read = structs.replace(found, items=more.items, problems=problems, whole=whole)
    return read, frozenset((version.rpartition("/")[0], kind) for version, kind in kinds)


Known = tuple[plan.Cluster, Mapping[holdings.Version, Resource]]


async def _cluster(
    member: fleet.Member,
    kinds: Iterable[holdings.Version],
    found: _Found,
    gate: asyncio.Semaphore,
) -> Known:
    problems = found.problems
    who = fleet.seen(member)
    where = fleet.where(member)
    try:
        if where is None:
            told = templates.read(member.manifests)
            problems.extend(told.problems)
            return plan.Cluster(_placed(who, told.items), _by_ref(told.items), told.whole), {}
        async with _talking(client.Client(where, gate)) as api:
            who = fleet.seen(member, bool(found.home) and await joining.identity(api) == found.home)
            held = await holdings.held(api, kinds, found.parts)
    except (OSError, Failure) as error:
        problems.append(Problem(f"member {member.name}", f"cannot be read: {error}"))
        return plan.Cluster(who), {}
    if warrant.chooses(found.policies, who):  # others need not grant anything
        problems.extend(
            Problem(f"member {member.name}", each, holding.HINT) for each in held.refused.values()
        )
    missing = held.missing.difference(SCALERS)
    whole = not held.refused.keys() - {*SCALERS, *ROOM}
    cluster = plan.Cluster(_placed(who, held.items), _by_ref(held.items), whole, missing)
    return cluster, held.known


def _by_ref(items: Iterable[item.Item]) -> dict[item.Ref, item.Item]:
    return {item.ref(each): each for each in items}


def _placed(who: matching.Member, items: Iterable[item.Item]) -> matching.Member:
    """With the region and the zones that its nodes tell, where the configuration does not."""
    nodes = [item.labels(each) for each in items if item.ref(each)[:2] == ("", "Node")]
    regions = _told(nodes, objects.REGION_LABELS)
    zones = who.zones or _told(nodes, objects.ZONE_LABELS)
    return structs.replace(who, region=who.region or next(iter(regions), ""), zones=zones)


def _told(nodes: Iterable[Mapping[str, str]], names: tuple[str, ...]) -> tuple[str, ...]:
    found = {each[name] for each in nodes for name in names if each.get(name)}
    return tuple(sorted(found))


async def _rehearsed(found: _Prospect, made: plan.Plan) -> plan.Plan:
    gate = asyncio.Semaphore(client.AT_ONCE)
    steps: list[plan.Step] = []
    for member in found.members:
        where, served = fleet.where(member), found.known.get(member.name, {})
        mine = [each for each in made.steps if each.member == member.name]
        if where is None:
            steps += mine
            continue
        fresh = {each.ref.name for each in mine if each.ref.kind == "Namespace" and each.action == "create"}
        async with _talking(client.Client(where, gate)) as api:
            steps += [await _rehearse(api, served, each, fresh) for each in mine]
    return structs.replace(made, steps=tuple(steps))


async def _rehearse(
    api: client.Client,
    served: Mapping[holdings.Version, Resource],
    step: plan.Step,
    fresh: set[str],
) -> plan.Step:
    if step.sent is None:
        return step
    if step.ref.namespace in fresh:
        return structs.replace(
            step, why=(*step.why, "the server was not asked: its namespace is not there yet")
        )
    resource = served[str(step.sent["apiVersion"]), step.ref.kind]
    try:
        after = await holdings.dry(api, resource, step.sent, step.force)
    except Failure as error:
        why = (*step.why, f"the server refuses it: {error}")
        return structs.replace(step, action="refuse", why=why, after=step.before)
    return structs.replace(step, after=after, why=(*step.why, "the server would take it"))


@contextlib.asynccontextmanager
async def _talking(api: client.Client) -> AsyncIterator[client.Client]:
    try:
        yield api
    finally:
        await api.close()
