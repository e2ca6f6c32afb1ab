"""An object as one member gets it: override policies applied, rule by rule.

Law: pure. Who an object is never changes. One change that cannot be made makes the whole object impossible
for that member, and for no other.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from fedns.model.propagation import ImageChange, ListChange, MapChange, Override, Patch, Rule, TextChange
from fedns.placement import image, item, matching, patches, pod, texts

IDENTITY = ("apiVersion", "kind", "name", "namespace")


class Impossible(ValueError):
    """Which policy cannot be applied, and why."""


class Changed(NamedTuple):
    """The object, `applied`: the keys of policies by rule, and `doubts` about them. `scaler`: the policy that
    changed its replicas last."""

    item: dict[str, Any]
    applied: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    scaler: str = ""


def overridden(found: item.Item, overrides: Iterable[Override], member: matching.Member) -> Changed:
    """With the overrides (in their order) that are for a member. Impossible."""
    made, applied = item.own(found), []
    doubts: list[str] = []
    scaler = ""
    for override in overrides:
        before, known = pod.replicas(made), len(doubts)
        for rule in override.rules:
            if not matching.selects(member, rule.clusters):
                continue
            try:
                made = _ruled(made, rule, doubts)
            except (image.Unusable, patches.Refused) as error:
                raise Impossible(f"{override.title}: {error}") from None
            _same(found, made, override)
            applied.append(override.key)
        doubts[known:] = [f"{override.title}: {each}" for each in doubts[known:]]
        scaler = override.title if pod.replicas(made) != before else scaler
    return Changed(made, tuple(applied), tuple(dict.fromkeys(doubts)), scaler)


def _same(before: item.Item, after: item.Item, override: Override) -> None:
    names = ((before.get(each), after.get(each)) for each in IDENTITY[:2])
    metas = ((item.metadata(before).get(each), item.metadata(after).get(each)) for each in IDENTITY[2:])
    for field, (old, new) in zip(IDENTITY, (*names, *metas), strict=True):
        if old != new:
            raise Impossible(f"{override.title}: it would change {field} from {old!r} to {new!r}")


def _ruled(made: dict[str, Any], rule: Rule, doubts: list[str]) -> dict[str, Any]:
    for image_change in rule.images:
        made = _imaged(made, image_change, doubts)
    for list_change in rule.lists:
        _listed(made, list_change)
    for map_change in rule.maps:
        _mapped(made, map_change)
    for text in rule.texts:
        made = _texted(made, text)
    patched = patches.applied(made, rule.patch)
    if not isinstance(patched, dict):
        raise patches.Refused("what it leaves is no object")
    return patched


def _imaged(made: dict[str, Any], change: ImageChange, doubts: list[str]) -> dict[str, Any]:
    if change.path:
        before = patches.looked(made, change.path)
        if not isinstance(before, str):
            raise patches.Refused(f"{change.path} is no image")
        after = Patch("replace", change.path, _image(before, change, doubts))
        patched: dict[str, Any] = patches.applied(made, (after,))
        return patched
    found = pod.containers(made)
    if not found:
        doubts.append(f"an imageOverrider without a path changes nothing of a {item.ref(made).kind}")
    for each in found:
        each["image"] = _image(str(each.get("image") or ""), change, doubts)
    return made


def _image(text: str, change: ImageChange, doubts: list[str]) -> str:
    doubts.extend(filter(None, [image.doubt(text, change)]))
    return image.changed(text, change)


def _listed(made: dict[str, Any], change: ListChange) -> None:
    for each in pod.containers(made):
        if each.get("name") != change.container:
            continue
        before = list(each.get(change.field) or ())
        if change.operator == "add":
            after = before + list(change.value)
        else:
            after = [word for word in before if word not in change.value]
        if after != each.get(change.field):
            each[change.field] = after


def _mapped(made: dict[str, Any], change: MapChange) -> None:
    before = dict(item.texts(made, change.field))
    for key, value in change.value:
        if change.operator == "remove":
            before.pop(key, None)
        elif change.operator == "add" or key in before:
            before[key] = value
    if before != item.texts(made, change.field):
        item.put(made, before, "metadata", change.field)


def _texted(made: dict[str, Any], change: TextChange) -> dict[str, Any]:
    before = patches.looked(made, change.path)
    if not isinstance(before, str):
        raise patches.Refused(f"{change.path} is no text")
    if not change.patches or (not before and change.syntax == "json"):
        return made  # there is nothing to be changed, or nothing in it
    try:
        found = texts.read(before, change.syntax)
    except texts.Unreadable as error:
        raise patches.Refused(f"{change.path} is {error}") from None
    if not isinstance(found, dict | list | None):
        raise patches.Refused(f"{change.path} is neither a map nor a list")
    after = patches.applied(found, change.patches)
    if not isinstance(after, dict | list):
        raise patches.Refused(f"what is left at {change.path} is neither a map nor a list")
    text = texts.written(after, change.syntax)
    patched: dict[str, Any] = patches.applied(made, (Patch("replace", change.path, text),))
    return patched
