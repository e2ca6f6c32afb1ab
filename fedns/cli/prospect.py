"""What a plan is made of, read from the directories of one configuration.

Law: read once, nothing is asked of an API server. A directory that cannot be read is a member that tells
nothing: nothing is planned for it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import structs

from fedns import config, fleet
from fedns.errors import Problem
from fedns.placement import item, matching, plan
from fedns.sources import objects, templates


class Prospect(NamedTuple):
    """`problems` of what was read; some of them are doubts about what counts."""

    world: plan.World
    problems: list[Problem]


def prospect(settings: config.Config) -> Prospect:
    """From all directories. OSError: the fleet's cannot be read."""
    root = settings.fleet.manifests
    told = templates.read(root) if root else templates.Read()
    problems = list(told.problems)
    clusters = [_cluster(each, problems) for each in settings.members]
    return Prospect(plan.World(told.items, told.policies, told.overrides, clusters), problems)


def _cluster(member: fleet.Member, problems: list[Problem]) -> plan.Cluster:
    taints = tuple(matching.Taint(*each) for each in member.taints)
    who = matching.Member(
        member.name, member.aliases, member.labels, member.provider, member.region, member.zones, taints
    )
    if not member.manifests:
        return plan.Cluster(who)
    try:
        told = templates.read(member.manifests)
    except OSError as error:
        problems.append(Problem(f"member {member.name}", f"cannot be read: {error.strerror}"))
        return plan.Cluster(who)
    problems.extend(told.problems)
    items = {item.ref(each): each for each in told.items}
    return plan.Cluster(_placed(who, told.items), items, told.whole)


def _placed(who: matching.Member, items: Iterable[item.Item]) -> matching.Member:
    """With the region and the zones that its nodes tell, where the configuration does not."""
    nodes = [item.labels(each) for each in items if item.ref(each)[:2] == ("", "Node")]
    regions = _told(nodes, objects.REGION_LABELS)
    zones = who.zones or _told(nodes, objects.ZONE_LABELS)
    return structs.replace(who, region=who.region or next(iter(regions), ""), zones=zones)


def _told(nodes: Iterable[Mapping[str, str]], names: tuple[str, ...]) -> tuple[str, ...]:
    found = {each[name] for each in nodes for name in names if each.get(name)}
    return tuple(sorted(found))
