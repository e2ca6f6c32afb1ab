"""One object in one member: as it is to be there, and what has to be done for that.

Law: pure. What is not marked as ours changes only by leave: where it is equal already, or the policy
overwrites. What cannot be done is refused, and the object there stays as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from fedns.model.propagation import Override, Propagation
from fedns.placement import (
    changes,
    item,
    marks,
    matching,
    merging,
    owned,
    pod,
    retention,
    shares,
    template,
)

Action = Literal["create", "update", "delete", "orphan", "refuse", "keep"]
CONFLICT = "work.karmada.io/conflict-resolution"
"""Karmada's annotation of a template, which counts more than its policy."""
SCALERS = (("autoscaling", "HorizontalPodAutoscaler"),)
IMMUTABLE = {("", "Service"): ("spec", "clusterIP")}
"""Fields that a member gives out once, and that headless services want otherwise."""


class Wanted(NamedTuple):
    """An object for a member; `replicas` None: its kind has none, or it is told of none."""

    found: item.Item
    policy: Propagation
    replicas: int | None = None
    total: Mapping[str, int] = {}


class Beaten(NamedTuple):
    """The override policy that has a say about replicas which were scheduled otherwise, and which."""

    policy: str
    what: str


class Ready(NamedTuple):
    """The object as members with the same rules get it: `bare`, and `sent` with our marks. `refused`: why it
    cannot be made; `doubts` are for people, and `beaten` too."""

    bare: item.Item
    sent: item.Item
    why: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    beaten: Beaten | None = None
    refused: str = ""
    overwrite: bool = False


class Made(NamedTuple):
    """The step to be taken: `after` is the object as it will be, and `why` tells of each change; `doubts`
    are for people, and `beaten` too. `sent` is what is applied for it; `stands`: what need not be."""

    action: Action
    after: item.Item | None
    why: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    sent: item.Item | None = None
    beaten: Beaten | None = None
    stands: item.Item | None = None


def ready(wanted: Wanted, member: matching.Member, overrides: Sequence[Override]) -> Ready:
    """With the member's share, and the overrides that are for it."""
    overwrite = overwrites(wanted)
    try:
        changed = changes.overridden(revised(wanted, member), overrides, member)
    except changes.Impossible as error:
        return Ready({}, {}, refused=str(error), overwrite=overwrite)
    titles = {each.key: each.title for each in overrides}
    why = tuple(f"{titles[name]} applies" for name in dict.fromkeys(changed.applied))
    sent = marks.marked(changed.item, wanted.policy)
    return Ready(changed.item, sent, why, changed.doubts, _beaten(wanted, changed), "", overwrite)


def made(
    found: Ready,
    there: item.Item | None,
    scaled: bool = False,
    seen: dict[tuple[int, ...], bool] | None = None,
) -> Made:
    """What is to be done; `scaled`: an autoscaler in the member has the object's replicas. `seen`: of
    parts, as `owned.Seen` has it."""
    if found.refused:
        return Made("refuse", None, (found.refused,), (f"{found.refused}: {_stays(there)}",))
    why, doubts, beaten = found.why, found.doubts, found.beaten
    if there is None:
        return Made("create", found.sent, why, doubts, found.sent, beaten)
    bare, sent = found.bare, found.sent
    if scaled and _replicas(there) is not None:
        bare, sent = (pod.revised(each, _replicas(there) or 0) for each in (bare, sent))
        why = (*why, "its replicas are its autoscaler's")
    fixed = _immutable(sent, there)
    if fixed:
        return Made("refuse", None, (*why, fixed), (fixed,))
    ours = marks.ours(there)
    if not ours and not found.overwrite and not equal(there, retention.kept(bare, there)):
        taken = "it is there already, other than it is to be, and not ours"
        return Made("refuse", None, (*why, taken), (f"{taken} (conflictResolution: Overwrite takes it)",))
    sent = retention.kept(sent, there)
    parts = None if seen is None else owned.Seen(seen, found.sent)
    if ours and not marks.stray(there, sent) and merging.stands(there, sent, parts):
        return Made("keep", there, why, doubts, beaten=beaten, stands=sent)
    after = written(there, sent)
    if after == merging.tidy(there):
        return Made("keep", there, why, doubts, beaten=beaten, stands=sent)
    adopted = () if ours else ("it is there already, and becomes ours",)
    return Made("update", after, (*why, *adopted), doubts, sent, beaten)


def written(there: item.Item, sent: item.Item) -> dict[str, Any]:
    """What is there after `sent` was applied."""
    after: dict[str, Any] = merging.tidy(merging.merged(_fresh(there), sent))
    return after


def equal(there: item.Item, sent: item.Item) -> bool:
    """Whether what is there is what is `sent` (unmarked) already: nothing of it would change but our marks,
    which it may have lost in part."""
    after = marks.unmarked(merging.merged(there, sent))
    return bool(merging.tidy(after) == merging.tidy(marks.unmarked(there)))


def _fresh(there: item.Item) -> item.Item:
    """Without what an earlier policy marked and this one may not."""
    return marks.unmarked(there) if marks.ours(there) else there


def _stays(there: item.Item | None) -> str:
    return "it is not created" if there is None else "what is there stays as it is"


def revised(wanted: Wanted, member: matching.Member) -> dict[str, Any]:
    """The template with the member's share of it, before overrides."""
    copy = template.pruned(wanted.found)
    item.drop(copy, "metadata", "annotations", CONFLICT)
    if wanted.replicas is None:
        return copy
    copy = pod.revised(copy, wanted.replicas)
    completions = item.number(copy, "spec", "completions")
    if pod.kind(copy) == ("batch", "Job") and completions and wanted.policy.placement.division:
        item.put(copy, shares.divided(completions, wanted.total)[member.name], "spec", "completions")
    return copy


def _beaten(wanted: Wanted, changed: changes.Changed) -> Beaten | None:
    """An override of the replicas: allowed, and rarely meant."""
    after = pod.replicas(changed.item)
    if wanted.replicas is None or after == wanted.replicas:
        return None
    return Beaten(changed.scaler, f"an override makes its replicas {after}, {wanted.replicas} were scheduled")


def _replicas(there: item.Item) -> int | None:
    return item.number(there, "spec", pod.REPLICAS.get(pod.kind(there), ""))


def _immutable(sent: item.Item, there: item.Item) -> str:
    path = IMMUTABLE.get(pod.kind(sent))
    want, have = (item.at(each, *path) if path else None for each in (sent, there))
    if want == "None" and have not in (None, "", "None"):
        return f"it is to be headless, and has the address {have}, which cannot change: remove it there first"
    return ""


def overwrites(wanted: Wanted) -> bool:
    """Whether what is there already may be taken."""
    told = item.annotations(wanted.found).get(CONFLICT)
    return wanted.policy.overwrite if told is None else told.lower() == "overwrite"


def scaled(items: Mapping[item.Ref, item.Item]) -> frozenset[item.Ref]:
    """The objects whose replicas an autoscaler in the same member decides."""
    found = set()
    for what, each in items.items():
        if (what.group, what.kind) in SCALERS:
            target = item.at(each, "spec", "scaleTargetRef")
            version, kind, name = (str(item.at(target, field)) for field in ("apiVersion", "kind", "name"))
            found.add(item.Ref(version.rpartition("/")[0], kind, what.namespace, name))
    return frozenset(found)
