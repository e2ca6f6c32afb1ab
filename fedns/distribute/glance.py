"""What a look at an object in a member tells of it, in a few words.

Law: pure.
"""

from typing import Any, NamedTuple

from fedns.placement import assignment, item, marks

VOLATILE = ("managedFields", "resourceVersion", "generation")


class There(NamedTuple):
    """A copy as it is. `settled`: the digest of what it is as, empty: it differs; `last`: the last such;
    `going`: that it is being removed, and who keeps it; empty: it stays."""

    uid: str
    told: marks.Told
    settled: bytes
    last: bytes
    going: str
    replicas: int | None
    generation: int
    status: Any = None
    fit: bool | None = None
    """Whether it does what it is to do, by its own status; None: its kind does not tell."""
    unjudged: str = ""
    """Its version, where a write was on its way: it is not the same as what comes later, and is judged."""


def fingerprint(found: item.Item) -> bytes:
    """Of what clients say in an object."""
    meta = {name: value for name, value in item.metadata(found).items() if name not in VOLATILE}
    rest = {name: value for name, value in found.items() if name not in ("metadata", "status")}
    return assignment.digest({**rest, "metadata": meta})


def going(meta: item.Item) -> str:
    if "deletionTimestamp" not in meta:
        return ""
    keeps = ", ".join(map(str, meta.get("finalizers") or ()))
    return f"it is being removed, which waits for {keeps}" if keeps else "it is being removed"


def status(found: item.Item) -> Any:
    status = found.get("status")
    return {**status, "generation": item.metadata(found).get("generation") or 0} if status else None
