"""What rights for policies depend on: the policies, and who the members are, as far as anybody can be asked.

Law: the fleet's API server alone is asked, and only what a plan asks it too. What it does not tell is said,
and the rest counts.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from msgspec import structs

from fedns import config, fleet
from fedns.distribute import holdings, warrant
from fedns.errors import Problem
from fedns.kube import access, client
from fedns.kube.failure import Failure
from fedns.model.propagation import Propagation
from fedns.placement import item
from fedns.sources import objects, overrides, registrations, templates

FLEET = "fleet"
"""Instead of a path: the policies that the fleet has."""
MEMBERS = ("fedns.io/v1alpha1", "MemberCluster")
GONE = "members that it registers are not among these"


class Claim(NamedTuple):
    """`settings`: with the members that the fleet registers."""

    settings: config.Config
    told: warrant.Told
    problems: Sequence[Problem]


class _Read(NamedTuple):
    policies: Iterable[Propagation]
    items: Iterable[item.Item]
    members: Sequence[fleet.Member]
    plurals: Sequence[tuple[warrant.Kind, str]]


def made(settings: config.Config, paths: Iterable[str], at: access.Where | None) -> Claim:
    """Of directories, and of the fleet, `at` an API server if it is one. OSError, Failure: what is
    named cannot be read."""
    named = list(paths)
    asked = FLEET in named
    if asked and at is None:
        named.append(settings.fleet.manifests)
    read = [templates.read(path) for path in named if path and path != FLEET]
    problems = [each for one in read for each in one.problems]
    found = _Read((), (), (), ())
    if at is not None:
        try:
            found = asyncio.run(_read(at, asked, problems))
        except Failure as failure:
            if asked:
                raise
            problems.append(Problem(f"fleet ({at})", str(failure), GONE))
    own = {one.name for one in settings.members}
    members = (*settings.members, *(one for one in found.members if one.name not in own))
    written = (*found.policies, *(each for one in read for each in one.policies))
    policies = (*written, *fleet.builtin(settings.fleet)) if written or settings.fleet.services else ()
    told = warrant.told(policies, (*found.items, *(each for one in read for each in one.items)))
    told = told._replace(plurals={**dict(found.plurals), **told.plurals})
    return Claim(structs.replace(settings, members=members), told, problems)


async def _read(where: access.Where, asked: bool, problems: list[Problem]) -> _Read:
    """What an API server says; `asked`: of policies, too."""
    api = client.Client(where, asyncio.Semaphore(client.AT_ONCE))
    try:
        held = await holdings.held(api, [MEMBERS, *(overrides.KINDS if asked else ())])
        problems += [Problem(f"fleet ({where})", each) for each in held.refused.values()]
        rows = [each for each in held.items if each["kind"] == MEMBERS[1]]
        members = [one for each in rows if (one := _member(each, problems)) is not None]
        told = templates.told(each for each in held.items if each["kind"] != MEMBERS[1])
        problems += told.problems
        kinds = {(one.api_version, one.kind) for each in told.policies for one in each.resources}
        known = await holdings.served(api, kinds)
    finally:
        await api.close()
    plurals = [((one.group, one.kind), one.plural) for one in known.values()]
    return _Read(told.policies, told.items, members, plurals)


def _member(each: item.Item, problems: list[Problem]) -> fleet.Member | None:
    """As the configuration would have it, but for what it is reached with."""
    kind = registrations.KINDS[registrations.MEMBERS]
    try:
        told: registrations.Registration = kind.strip(msgspec.convert(each, kind.shape))
    except (msgspec.ValidationError, objects.WrongShape) as error:
        problems.append(Problem(f"MemberCluster {item.ref(each).name}", str(error)))
        return None
    return fleet.Member(
        name=told.name,
        region=told.region,
        zones=told.zones,
        labels=told.labels,
        api=fleet.Api(told.server),
        namespaces=told.namespaces,
        exports=told.exports,
        aliases=told.aliases,
        provider=told.provider,
        taints=told.taints,
    )
