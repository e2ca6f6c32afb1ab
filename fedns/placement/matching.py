"""What a selector selects: objects by their five, members by labels, fields and names.

Law: pure, as Karmada matches. A name selects whatever the labels are; `exclude` wins over everything; fields
that nobody knows are never in a list, and always outside of it.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from fedns.model.propagation import Clusters, Requirement, Resources, Toleration
from fedns.placement import item

NONE, ALL, LABELS, NAME = range(4)
"""How explicitly an object is selected; the most explicit of several selectors counts."""


class Taint(Struct, frozen=True, gc=False):
    key: str
    value: str = ""
    effect: str = "NoSchedule"

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


class Member(Struct, frozen=True, gc=False):
    """A member as policies see it. `aliases` are other names of it, as an id."""

    name: str
    aliases: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    provider: str = ""
    region: str = ""
    zones: tuple[str, ...] = ()
    taints: tuple[Taint, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


def labelled(labels: Mapping[str, str], wanted: Iterable[Requirement]) -> bool:
    """Whether labels meet all requirements (Kubernetes' label selectors)."""
    return all(_meets(labels.get(each.key), each) for each in wanted)


def _meets(value: str | None, wanted: Requirement) -> bool:
    if wanted.operator == "Exists":
        return value is not None
    if wanted.operator == "DoesNotExist":
        return value is None
    return (value is not None and value in wanted.values) == (wanted.operator == "In")


def rank(found: item.Item, selector: Resources) -> int:
    """How explicitly one selector selects an object."""
    what = item.ref(found)
    if (found.get("apiVersion"), what.kind) != (selector.api_version, selector.kind):
        return NONE
    if selector.namespace and selector.namespace != what.namespace:
        return NONE
    if selector.name:
        return NAME if selector.name == what.name else NONE
    if selector.labels is None:
        return ALL
    return LABELS if labelled(item.labels(found), selector.labels) else NONE


def lacks(found: item.Item, selector: Resources) -> str:
    """The first thing that a selector wants and an object has not."""
    what = item.ref(found)
    if selector.kind != what.kind:
        return f"kind {selector.kind}"
    if selector.api_version != found.get("apiVersion"):
        return f"apiVersion {selector.api_version}"
    if selector.namespace and selector.namespace != what.namespace:
        return f"namespace {selector.namespace}"
    if selector.name:
        return f"the name {selector.name}"
    unmet = (each for each in selector.labels or () if not labelled(item.labels(found), (each,)))
    return "a label: " + next(map(shown, unmet), "")


def explicitness(found: item.Item, selectors: Iterable[Resources]) -> int:
    """How explicitly the best of several selectors does."""
    return max((rank(found, each) for each in selectors), default=NONE)


def misses(member: Member, wanted: Clusters) -> str:
    """The first condition that a member does not meet; empty: it is selected."""
    if any(name in wanted.exclude for name in member.names):
        return "it is excluded by name"
    for each in wanted.labels:
        if not labelled(member.labels, (each,)):
            return f"its labels do not meet {shown(each)}"
    for each in wanted.fields:
        if not _field(_values(member, each.key), each):
            return f"its fields do not meet {shown(each)}"
    if wanted.names and not any(name in wanted.names for name in member.names):
        return f"it is none of {', '.join(wanted.names)}"
    return ""


def selects(member: Member, wanted: Clusters) -> bool:
    return not misses(member, wanted)


def shown(wanted: Requirement) -> str:
    """A requirement in words."""
    return " ".join((wanted.key, wanted.operator, ", ".join(wanted.values))).strip()


def _values(member: Member, key: str) -> frozenset[str]:
    found = {"provider": (member.provider,), "region": (member.region,), "zone": member.zones}.get(key, ())
    return frozenset(filter(None, found))


def _field(values: frozenset[str], wanted: Requirement) -> bool:
    if wanted.operator == "Exists":
        return bool(values)
    if wanted.operator == "DoesNotExist":
        return not values
    return values.isdisjoint(wanted.values) == (wanted.operator == "NotIn")


def repelled(member: Member, tolerations: Iterable[Toleration], there: bool) -> Taint | None:
    """The taint that keeps an object off a member; what is `there` already goes only for NoExecute."""
    effects = ("NoExecute",) if there else ("NoSchedule", "NoExecute")
    known = tuple(tolerations)
    for taint in member.taints:
        if taint.effect in effects and not any(_tolerates(each, taint) for each in known):
            return taint
    return None


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    return toleration.operator == "Exists" or toleration.value == taint.value
