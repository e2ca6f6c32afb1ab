"""Ingresses -> the route table, the pools and certificates it leads to, and the problems on the way.

Law: pure. Ingresses are taken oldest first, so that the first to claim a path keeps it; what cannot be
compiled is a problem and takes nothing else with it. All comparing is done here, once: keys of the table are
canonical, patterns proven, options shared.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from fedns.errors import Problem
from fedns.gateway import annotations, route
from fedns.gateway.endpoints import Wanted
from fedns.gateway.gathering import Gathering
from fedns.model.ingress import Ingress, IngressClass, Secret

CONTROLLER = "fedns.io/gateway"


class Settings(Struct, frozen=True):
    """`classes`: names of classes that are ours without an IngressClass object saying so."""

    classes: tuple[str, ...] = ("fedns",)


class Input(Struct, frozen=True):
    """What the fleet says."""

    ingresses: Sequence[Ingress] = ()
    classes: Sequence[IngressClass] = ()
    secrets: Mapping[str, Secret] = {}
    """By `namespace/name`."""


class Output(Struct, frozen=True):
    """`wanted` are the pools that `table` leads to, by key; `certificates` by `namespace/name`."""

    table: route.Table
    wanted: Mapping[bytes, Wanted]
    certificates: Mapping[bytes, route.Certificate]
    problems: tuple[Problem, ...]
    served: frozenset[str] = frozenset()
    """The Ingresses that are ours, `namespace/name`."""


def table(given: Input, settings: Settings) -> Output:
    """The route table of everything that is ours."""
    strangers: list[Problem] = []
    ours = sorted(_ours(given, settings, strangers), key=lambda each: (each.created, each.key))
    work = Gathering(given.secrets)
    jobs = [work.job(ingress) for ingress in ours]
    for step in (work.tls, work.sites, work.claims, work.canaries):
        for job in jobs:
            step(job)
    made, used = work.table(), work.certificates()
    problems = tuple(sorted({*strangers, *work.problems}))
    return Output(made, work.wanted, used, problems, frozenset(each.key for each in ours))


def _ours(given: Input, settings: Settings, problems: list[Problem]) -> Iterable[Ingress]:
    """Those of our classes, and those of none unless another class is the default."""
    known = {each.name: each for each in given.classes}
    others = any(each.default and each.controller != CONTROLLER for each in given.classes)
    for ingress in given.ingresses:
        klass = known.get(ingress.klass)
        if klass is not None:
            if klass.controller == CONTROLLER:
                yield ingress
        elif ingress.klass in settings.classes or (not ingress.klass and not others):
            yield ingress
        elif ingress.klass:
            what = f"ingress class {ingress.klass} is not known, so it is not served"
            hint = f"classes served here: {', '.join(settings.classes)}"
            problems.append(Problem(annotations.where(ingress), what, hint))
