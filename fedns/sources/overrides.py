"""`OverridePolicy` and `ClusterOverridePolicy` of the fleet, in every dialect -> values.

Law: as in `propagation`. The older shape, one target and its overriders beside no rules, is one rule.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import UNSET, Struct

from fedns.model import propagation as values
from fedns.sources import admission, objects, propagation

UNVALUED = ("remove",)


class _Predicate(Struct, forbid_unknown_fields=True):
    path: str = ""


class _Image(Struct, forbid_unknown_fields=True):
    component: values.Component
    operator: values.Change
    value: str = ""
    predicate: _Predicate | None = None


class _List(Struct, rename="camel", forbid_unknown_fields=True):
    container_name: str
    operator: values.Change
    value: list[str] | None = None


class _Map(Struct, forbid_unknown_fields=True):
    operator: values.Change
    value: dict[str, str] | None = None


class _Patch(Struct, forbid_unknown_fields=True):
    path: str
    operator: values.Change
    value: Any = UNSET


class _Below(Struct, rename="camel", forbid_unknown_fields=True):
    sub_path: str
    operator: values.Change
    value: Any = UNSET


class _Field(Struct, rename="camel", forbid_unknown_fields=True):
    field_path: str
    json: list[_Below] | None = None
    yaml: list[_Below] | None = None


class _Overriders(Struct, rename="camel", forbid_unknown_fields=True):
    plaintext: list[_Patch] | None = None
    image_overrider: list[_Image] | None = None
    command_overrider: list[_List] | None = None
    args_overrider: list[_List] | None = None
    labels_overrider: list[_Map] | None = None
    annotations_overrider: list[_Map] | None = None
    field_overrider: list[_Field] | None = None


class _Rule(Struct, rename="camel", forbid_unknown_fields=True):
    overriders: _Overriders
    target_cluster: propagation.Clusters | None = None


class _Spec(Struct, rename="camel", forbid_unknown_fields=True):
    resource_selectors: list[propagation.Resources] | None = None
    override_rules: list[_Rule] | None = None
    target_cluster: propagation.Clusters | None = None
    overriders: _Overriders | None = None


class _Override(Struct):
    metadata: objects.Meta
    spec: _Spec


def override(found: _Override, clusterwide: bool) -> values.Override:
    """The value of one object. WrongShape."""
    meta, spec = found.metadata, found.spec
    own = "" if clusterwide else meta.namespace or "default"
    rules, doubts = spec.override_rules, []
    if not rules and spec.overriders:
        rules = [_Rule(spec.overriders, spec.target_cluster)]
    elif rules and (spec.overriders or spec.target_cluster):
        doubts = ["`overriders` and `targetCluster` have no effect beside `overrideRules`"]
    admission.named(meta)
    objects.require(bool(rules), "it overrides something", "overrideRules")
    selected = tuple(propagation.resources(each, own) for each in spec.resource_selectors or ())
    made = tuple(_rule(each) for each in rules or ())
    for each in made:
        admission.clusters(each.clusters)
        admission.maps(each.maps)
    more = (*admission.doubts(selected), *admission.ineffective(made))
    return values.Override(meta.name, own, selected, made, (*doubts, *more))


def _rule(told: _Rule) -> values.Rule:
    over = told.overriders
    return values.Rule(
        clusters=propagation.clusters(told.target_cluster or propagation.Clusters()),
        images=tuple(_image(each) for each in over.image_overrider or ()),
        lists=(*_lists("command", over.command_overrider), *_lists("args", over.args_overrider)),
        maps=(*_maps("labels", over.labels_overrider), *_maps("annotations", over.annotations_overrider)),
        texts=tuple(_text(each) for each in over.field_overrider or ()),
        patch=tuple(_patch(each, each.path, "plaintext") for each in over.plaintext or ()),
    )


def _image(told: _Image) -> values.ImageChange:
    valued = bool(told.value) or told.operator in UNVALUED
    objects.require(valued, f"{told.operator} goes with a value", ".imageOverrider[...].value")
    path = told.predicate.path if told.predicate else ""
    objects.require(bool(path) or not told.predicate, "it has a path", ".imageOverrider[...].predicate")
    admission.pointer(path, ".imageOverrider[...].predicate.path")
    return values.ImageChange(told.component, told.operator, told.value, path)


def _lists(field: Literal["command", "args"], told: list[_List] | None) -> tuple[values.ListChange, ...]:
    for each in told or ():
        objects.require(each.operator != "replace", "add or remove", f".{field}Overrider[...].operator")
    return tuple(
        values.ListChange(field, each.container_name, each.operator, tuple(each.value or ()))
        for each in told or ()
    )


def _maps(field: Literal["labels", "annotations"], told: list[_Map] | None) -> tuple[values.MapChange, ...]:
    return tuple(
        values.MapChange(field, each.operator, tuple((each.value or {}).items())) for each in told or ()
    )


def _text(told: _Field) -> values.TextChange:
    one = (told.json is None) != (told.yaml is None)
    objects.require(one, "either json or yaml", ".fieldOverrider")
    admission.pointer(told.field_path, ".fieldOverrider[...].fieldPath")
    below = told.yaml if told.json is None else told.json
    patches = tuple(_patch(each, each.sub_path, "fieldOverrider") for each in below or ())
    return values.TextChange(told.field_path, "yaml" if told.json is None else "json", patches)


def _patch(told: _Patch | _Below, path: str, field: str) -> values.Patch:
    """What has no value is not null by that: a field left out by mistake would take away what is there."""
    valued = told.operator in UNVALUED or told.value is not UNSET
    hint = (
        f"{told.operator} goes with a value (of a null that an API server has dropped, `remove` is the word)"
    )
    objects.require(valued, hint, f".{field}[...].value")
    admission.pointer(path, f".{field}[...].{'path' if field == 'plaintext' else 'subPath'}")
    return values.Patch(told.operator, path, None if told.value is UNSET else objects.plain(told.value))


def _doubt(found: Any) -> str:
    return "; ".join(found.doubts)


KINDS: Mapping[tuple[str, str], objects.Kind] = propagation.table(
    {
        "OverridePolicy": objects.Kind(_Override, lambda each: override(each, False), _doubt, located=True),
        "ClusterOverridePolicy": objects.Kind(
            _Override, lambda each: override(each, True), _doubt, located=True
        ),
    }
)
"""All policies that distribute, by (apiVersion, kind)."""


def beside(others: Mapping[tuple[str, str], objects.Kind]) -> Mapping[tuple[str, str], objects.Kind]:
    """These, and other kinds."""
    return propagation.Table(KINDS, others)
