"""What becomes of a copy in a member where nobody wants it to be any more.

Law: pure, and careful: what is not known to be gone is not gone. A copy goes with its template and with the
choice of its member unless it is preserved, with its policy only where that one prunes. What holds others'
objects (a namespace, a definition of a kind) goes only where its policy prunes; else it is let go. So is the
account that a member makes in every namespace: another would be made at once, and tokens of pods are of the
one that was.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from fedns.placement import item, marks, targets

CONTAINERS = (("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition"))
"""What is removed together with all that is in it, whoever made that."""
ACCOUNT = ("", "ServiceAccount", "default")
KEPT = "it stays, as nobody's copy"
GOING = "it is being removed from the fleet: its copy waits for that"
"""What names it may be gone before it is, and it was not let go for that."""


class Fate(NamedTuple):
    action: Literal["refuse", "orphan", "delete"]
    why: tuple[str, ...]


def of(
    what: item.Ref,
    told: marks.Told,
    templates: Mapping[item.Ref, item.Item],
    spread: targets.Spread | None,
    member: str,
) -> Fate:
    """`told`: the marks of the copy."""
    if spread is not None and spread.frozen:
        return Fate("refuse", (spread.frozen,))
    if what not in templates:
        why, stays = "the fleet has it no more", told.preserve
    elif spread is None:
        why, stays = "no policy selects it any more", not told.prune
        if stays and "deletionTimestamp" in item.metadata(templates[what]):
            return Fate("refuse", (GOING,))
    else:
        why, stays = spread.stopped.get(member, "it does not go there"), told.preserve
    if not stays and (what.group, what.kind) in CONTAINERS and not told.prune:
        return Fate("orphan", (why, "others' objects may be in it", KEPT))
    if not stays and (what.group, what.kind, what.name) == ACCOUNT:
        return Fate("orphan", (why, "pods in the namespace go by it", KEPT))
    return Fate("orphan", (why, KEPT)) if stays else Fate("delete", (why,))
