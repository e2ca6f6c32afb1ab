"""What holds where no policy says otherwise: federated Services go everywhere, namespaces go along.

Law: pure. Both are policies that nobody wrote: every written one comes before them, and they take nothing
that is each cluster's own, nor what says that it stays at home. They are asked for in the configuration.
"""

from collections.abc import Sequence

from fedns.model.propagation import Propagation, Resources
from fedns.placement import item

SERVICES = Propagation("the default policy", resources=(Resources("v1", "Service"),), builtin=True)
"""A federated Service that no policy selects goes to every member."""
HOMES = Propagation("namespaces go along", resources=(Resources("v1", "Namespace"),), builtin=True)
"""The namespace of a copy is made where there is none."""
WHY = f"{SERVICES.title} takes it: a federated Service that no policy selects"

STAYS = "fedns.io/distribute"
"""An annotation; `"false"`: only a policy that somebody wrote takes it to members."""
SKIPPED = "namespace.karmada.io/skip-auto-propagation"
"""Karmada's label of namespaces that do not go along."""
PUBLISH = "fedns.io/publish"
OWN, RESERVED = ("default",), "kube-"
"""Namespaces that every cluster has for itself: these, and what begins so."""


def policies(services: bool, namespaces: bool) -> tuple[Propagation, ...]:
    """Those that are asked for."""
    return (*((SERVICES,) if services else ()), *((HOMES,) if namespaces else ()))


def sure(known: Sequence[Propagation], whole: bool) -> list[Propagation]:
    """Without what counts only where no other does, unless all others are known."""
    return [each for each in known if whole or each != SERVICES]


def takes(policy: Propagation, found: item.Item) -> bool:
    """Whether one that nobody wrote takes an object."""
    return policy == SERVICES and _federated(found) and not _apart(found)


def goes(name: str, found: item.Item | None) -> bool:
    """Whether a namespace goes along; `found`: the fleet's, if it has one."""
    if own(name):
        return False
    return found is None or not (_apart(found) or item.labels(found).get(SKIPPED, "").lower() == "true")


def own(space: str) -> bool:
    """Whether a namespace is each cluster's own."""
    return space in OWN or space.startswith(RESERVED)


def _apart(found: item.Item) -> bool:
    return item.annotations(found).get(STAYS) == "false"


def _federated(found: item.Item) -> bool:
    """As sources take Services up; what is in kube-* is each cluster's own."""
    publish = item.annotations(found).get(PUBLISH)
    if item.ref(found).namespace.startswith(RESERVED):
        return False
    reached = item.at(found, "spec", "type") == "LoadBalancer" or bool(item.at(found, "spec", "externalIPs"))
    return publish == "true" or (reached and publish != "false")
