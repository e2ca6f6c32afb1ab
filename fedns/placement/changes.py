"""An object as one member gets it: override policies applied, rule by rule.

Law: pure. Who an object is never changes. One change that cannot be made makes the whole object impossible
for that member, and for no other.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import yaml

from fedns.model.propagation import ImageChange, ListChange, MapChange, Override, Patch, Rule, TextChange
from fedns.placement import image, item, matching, patches, pod

IDENTITY = ("apiVersion", "kind", "name", "namespace")


class Impossible(ValueError):
    """Which policy cannot be applied, and why."""


class Changed(NamedTuple):
    """The object, `applied`: the keys of policies by rule, and `doubts` about them."""

    item: dict[str, Any]
    applied: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def overridden(found: item.Item, overrides: Iterable[Override], member: matching.Member) -> Changed:
    """With the overrides (in their order) that are for a member. Impossible."""
    made, applied = item.own(found), []
    doubts: list[str] = []
    for override in overrides:
        for rule in override.rules:
            if not matching.selects(member, rule.clusters):
                continue
            try:
                made = _ruled(made, rule, doubts)
            except (image.Unusable, patches.Refused) as error:
                raise Impossible(f"{override.title}: {error}") from None
            _same(found, made, override)
            applied.append(override.key)
    return Changed(made, tuple(applied), tuple(dict.fromkeys(doubts)))


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
    read, write = SYNTAXES[change.syntax]
    try:
        document = read(before)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise patches.Refused(f"{change.path} is no {change.syntax.upper()}: {error}") from None
    text = write(patches.applied(document, change.patches))
    patched: dict[str, Any] = patches.applied(made, (Patch("replace", change.path, text),))
    return patched


class _Dumper(yaml.SafeDumper):
    """Words that need quotes get double ones, as Go's YAML writes them."""

    def analyze_scalar(self, scalar: str) -> Any:
        found = super().analyze_scalar(scalar)
        found.allow_single_quoted = False
        return found

    def represent_str(self, data: str) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"' if data in BOOLEAN else None)


BOOLEAN = ("y", "Y", "n", "N")
"""Words that are true or false to some readers of YAML 1.1; all others are quoted by the library."""
_Dumper.add_representer(str, _Dumper.represent_str)


def _written(document: Any) -> str:
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=1 << 20)
    return str(text)


def _compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


SYNTAXES: dict[str, tuple[Callable[[str], Any], Callable[[Any], str]]] = {
    "json": (json.loads, _compact),
    "yaml": (yaml.safe_load, _written),
}
