"""Which namespaces go along with copies, and where: a copy needs its namespace, so it is made where there is
none.

Law: pure. A namespace that a policy selects, or that says that it stays, is left to that. One that the fleet
has goes with its labels and annotations, else it goes bare. What is there already is used as it is. Where an
object is left as it is, so is its namespace.
"""

from collections.abc import Collection, Iterable, Mapping

from msgspec import structs

from fedns.model.propagation import Propagation
from fedns.placement import defaults, item, matching, targets

KIND = ("", "Namespace")
HELD = structs.replace(defaults.HOMES, suspended=None)
Spreads = Mapping[item.Ref, targets.Spread]


def home(space: str) -> item.Ref:
    return item.Ref(*KIND, "", space)


def template(what: item.Ref, templates: Mapping[item.Ref, item.Item]) -> item.Item:
    """The fleet's object, else a bare namespace."""
    found = templates.get(what)
    return bare(what.name) if found is None else found


def bare(space: str) -> item.Item:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}


def along(policy: Propagation) -> bool:
    """Whether an object goes by this law, and not because a policy selects it."""
    return policy.builtin and policy.name == defaults.HOMES.name


def made(title: str) -> bool:
    """Whether a copy, by the policy that it tells of, is a namespace made by this law."""
    return title == defaults.HOMES.title


def found(
    spreads: Spreads,
    policies: Collection[Propagation],
    templates: Mapping[item.Ref, item.Item],
    members: Iterable[matching.Member],
    only: Collection[str] | None = None,
) -> dict[item.Ref, targets.Spread]:
    """Where the namespaces (`only` these) of all that goes somewhere go."""
    if not any(along(each) for each in policies):
        return {}
    names = {each.name: each.names for each in members}
    made: dict[item.Ref, targets.Spread] = {}
    goes: dict[str, bool] = {}
    for what, spread in spreads.items():
        space = what.namespace
        if not space or (only is not None and space not in only):
            continue
        if space not in goes:
            goes[space] = _goes(space, spreads, templates)
        if goes[space]:
            _house(made, what, spread, names)
    return made


def _goes(space: str, spreads: Spreads, templates: Mapping[item.Ref, item.Item]) -> bool:
    what = home(space)
    return what not in spreads and defaults.goes(space, templates.get(what))


def _house(
    made: dict[item.Ref, targets.Spread],
    what: item.Ref,
    spread: targets.Spread,
    names: Mapping[str, tuple[str, ...]],
) -> None:
    place = home(what.namespace)
    joined = made.get(place)
    if joined is None or (spread.frozen and not joined.frozen):
        before = joined.targets if joined else {}
        joined = made[place] = targets.Spread(before, {}, defaults.HOMES.title, spread.frozen)
    for name, target in spread.targets.items():
        policy = HELD if target.policy.suspends(names[name]) else defaults.HOMES
        told, there = targets.Target(policy, (f"{what} goes there",)), joined.targets.get(name)
        if there is None or _better(told, there):
            joined.targets[name] = told


def _better(told: targets.Target, there: targets.Target) -> bool:
    """What holds nothing back counts; of equals the first in the alphabet, whichever came first."""
    held, before = told.policy.suspended is None, there.policy.suspended is None
    return (held, told.why) < (before, there.why)
