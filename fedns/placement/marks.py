"""How a copy in a member tells that it is one, of which policy, and what becomes of it without.

Law: pure. What is not marked is not ours, and is never removed.
"""

from typing import Any, NamedTuple

from fedns.model.propagation import Propagation
from fedns.placement import item

LABEL = "fedns.io/propagated"
POLICY = "fedns.io/policy"
PRESERVE = "fedns.io/preserve"
PRUNE = "fedns.io/prune"
PARTING = "fedns.io/parting"
"""Since when clients of a Service are sent to others: it goes from there, or what is behind it does."""
NOTES = (POLICY, PRESERVE, PRUNE, PARTING)


class Told(NamedTuple):
    """What a copy tells of itself."""

    policy: str = ""
    preserve: bool = False
    prune: bool = False
    parting: str = ""


def told(found: item.Item) -> Told:
    return Told(policy(found), preserved(found), pruned(found), item.annotations(found).get(PARTING, ""))


def ours(found: item.Item) -> bool:
    """Whether a copy is one of ours: it says so, and we are among those who wrote it, if that is told."""
    if item.labels(found).get(LABEL) != "true":
        return False
    rows = item.several(found, "metadata", "managedFields")
    return not rows or any(row.get("manager") == item.MANAGER for row in rows)


def preserved(found: item.Item) -> bool:
    """Whether a copy stays where its template, or the choice of the member, is gone."""
    return item.annotations(found).get(PRESERVE) == "true"


def pruned(found: item.Item) -> bool:
    """Whether a copy goes when no policy selects its template any more."""
    return item.annotations(found).get(PRUNE) == "true"


def policy(found: item.Item) -> str:
    """The title of the policy that a copy was made by."""
    return item.annotations(found).get(POLICY, "")


def marked(made: dict[str, Any], by: Propagation) -> dict[str, Any]:
    """A copy that tells so."""
    made = unmarked(made)
    item.put(made, "true", "metadata", "labels", LABEL)
    item.put(made, by.title, "metadata", "annotations", POLICY)
    if by.preserve:
        item.put(made, "true", "metadata", "annotations", PRESERVE)
    if by.prune:
        item.put(made, "true", "metadata", "annotations", PRUNE)
    return made


def stray(there: item.Item, sent: item.Item) -> bool:
    """Whether a copy has one of our marks that is not sent any more."""
    told, wanted = item.annotations(there), item.annotations(sent)
    return any(note in told and note not in wanted for note in NOTES)


def unmarked(found: item.Item) -> dict[str, Any]:
    """The same as nobody's copy."""
    made = item.own(found)
    item.drop(made, "metadata", "labels", LABEL)
    for note in NOTES:
        item.drop(made, "metadata", "annotations", note)
    for field in ("labels", "annotations"):
        if item.metadata(made).get(field) == {}:
            item.drop(made, "metadata", field)
    return made
