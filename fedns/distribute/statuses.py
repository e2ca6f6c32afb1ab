"""What is known of members and policies -> the statuses of their objects in the fleet.

Law: pure. A status says what holds, and nothing that changes by itself: no ages, no counters of events. A
condition's time moves only when its status does; what is not known (any more, or by this process) stays as it
is written. What is equal is not written again.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from msgspec import Struct

LONGEST = 4096
"""Characters of a message; the API takes eight times as many."""
Word = Literal["True", "False", "Unknown"]


class Condition(Struct, frozen=True):
    """One judgement. `reason` is one CamelCase word, `message` for people."""

    type: str
    status: Word
    reason: str
    message: str = ""


class Verdict(Struct, frozen=True):
    """What an object's status shall say. `fields` beside the conditions; None: not known. `plain`: the
    conditions of its kind tell no generation."""

    conditions: tuple[Condition, ...]
    fields: Mapping[str, Any] = {}
    plain: bool = False


class Live(Struct, frozen=True):
    """An object as it is: its generation, why it cannot be read (if so), and the status it has. Conditions
    are kept as the API has them. `ours`: its addresses are those that we wrote; `others`: which other manager
    wrote a field of the status, `last`: who did so last (empty: nobody whose word is left)."""

    generation: int = 0
    trouble: str = ""
    conditions: tuple[Mapping[str, Any], ...] = ()
    fields: Mapping[str, Any] = {}
    ours: bool = False
    others: Mapping[str, str] = {}
    last: str = ""


class Change(NamedTuple):
    """A status to write; `moved`: a condition is not as it was."""

    status: Mapping[str, Any]
    moved: bool


class Feed(NamedTuple):
    """One resource watched at a member: `off` is the refusal, `trouble` what it meets with just now."""

    resource: str
    synced: bool
    off: str = ""
    trouble: str = ""


class Member(NamedTuple):
    """What is known of one member. `api`: its reachability, `evidence`: what a question met with; `foreign`:
    why it is not the cluster that it was. None: not known."""

    api: str = "unknown"
    evidence: str = ""
    foreign: str = ""
    feeds: tuple[Feed, ...] = ()
    version: str | None = None
    region: str | None = None
    zones: tuple[str, ...] | None = None
    services: int | None = None
    identity: str | None = None


def policy(live: Live, complaint: str) -> Verdict:
    """A TrafficPolicy's. `complaint`: what is wrong with it beside what can be read in it."""
    return Verdict((_accepted(live, complaint),))


def member(live: Live, complaint: str, known: Member | None) -> Verdict:
    """A MemberCluster's; `known` None: it is not taken up as a member."""
    conditions = (_accepted(live, complaint), _ready(known or Member()), _synced(known or Member()))
    if known is None:
        return Verdict(conditions)
    fields = {
        "version": known.version or None,
        "region": known.region,
        "zones": None if known.zones is None else list(known.zones),
        "services": known.services,
        "identity": known.identity or None,
    }
    return Verdict(conditions, fields)


def ingress(live: Live, served: bool, addresses: tuple[Mapping[str, str], ...]) -> Verdict | None:
    """An Ingress's: where clients reach it. What somebody else wrote there stays, if we do not serve it."""
    if served and addresses:
        return Verdict((), {"loadBalancer": {"ingress": [dict(each) for each in addresses]}})
    return Verdict((), {"loadBalancer": {}}) if live.ours else None


def difference(live: Live, verdict: Verdict, now: str) -> Change | None:
    """The status to write, whole; None where all of it is there already. `now` as RFC 3339."""
    before = {str(row.get("type")): row for row in live.conditions}
    seen = {} if verdict.plain else {"observedGeneration": live.generation}
    rows = [_row(one, before.get(one.type, {}), seen, now) for one in verdict.conditions]
    known = {name: value for name, value in verdict.fields.items() if value is not None}
    kept = {name: live.fields[name] for name in verdict.fields.keys() - known.keys() & live.fields.keys()}
    fields = {**kept, **known}
    if all(row == before.get(row["type"]) for row in rows) and _equal(fields, live.fields):
        return None
    moved = any(before.get(row["type"], {}).get("status") != row["status"] for row in rows)
    return Change({**({"conditions": rows} if rows else {}), **fields}, moved)


def rival(live: Live, change: Change) -> str:
    """Who wrote otherwise what a change would write. Who leaves out what is nothing is not named by it."""
    there = {**live.fields, "conditions": list(live.conditions)}
    differ = (name for name, value in change.status.items() if there.get(name) != value)
    found = (live.others[name] for name in differ if name in live.others)
    return next(found, "") or live.last or "somebody else"


def undone(live: Live, sent: Verdict) -> bool:
    """Whether what was written is not there any more; another generation undoes nothing."""
    rows = {
        row.get("type"): (row.get("status"), row.get("reason"), row.get("message")) for row in live.conditions
    }
    said = ((each.type, (each.status, each.reason, each.message[:LONGEST])) for each in sent.conditions)
    known = {name: value for name, value in sent.fields.items() if value is not None}
    return any(rows.get(name) != row for name, row in said) or not _equal(known, live.fields)


def _row(one: Condition, before: Mapping[str, Any], seen: Mapping[str, int], now: str) -> dict[str, Any]:
    since = before.get("lastTransitionTime") if before.get("status") == one.status else None
    return {
        "type": one.type,
        "status": one.status,
        **seen,
        "lastTransitionTime": since or now,
        "reason": one.reason,
        "message": one.message[:LONGEST],
    }


def _equal(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    return all(name in there and there[name] == value for name, value in wanted.items())


def _accepted(live: Live, complaint: str) -> Condition:
    if live.trouble:
        return Condition("Accepted", "False", "Invalid", f"{live.trouble}; what was good before stays in use")
    if complaint:
        return Condition("Accepted", "False", "NotTakenUp", complaint)
    return Condition("Accepted", "True", "Accepted")


def _ready(known: Member) -> Condition:
    if known.foreign:
        return Condition("Ready", "False", "AnotherCluster", known.foreign)
    if known.api == "reachable":
        return Condition("Ready", "True", "Reachable", "the API server answers")
    if known.api == "unreachable":
        return Condition("Ready", "False", "Unreachable", known.evidence or "the API server does not answer")
    return Condition("Ready", "Unknown", "NotAsked", known.evidence or "nobody has answered yet")


def _synced(known: Member) -> Condition:
    refused = _told((feed.resource, feed.off) for feed in known.feeds if feed.off)
    if refused:
        return Condition("Synced", "False", "Refused", refused)
    waiting = [feed for feed in known.feeds if not feed.synced]
    if waiting or not known.feeds:
        why = _told((feed.resource, feed.trouble or "not listed yet") for feed in waiting)
        return Condition("Synced", "False", "NotListed", why or "nothing is listed yet")
    if known.api == "unreachable" or known.foreign:
        return Condition("Synced", "False", "Frozen", "the last known facts stay in use")
    watched = ", ".join(feed.resource for feed in known.feeds)
    return Condition("Synced", "True", "Watched", f"{watched}: all is known")


def _told(rows: Iterable[tuple[str, str]]) -> str:
    def each() -> Iterator[str]:
        for resource, what in rows:
            yield f"{resource}: {what}"

    return "; ".join(each())
