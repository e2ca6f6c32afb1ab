"""Override policies in every dialect."""

import json

import pytest

from fedns.model.propagation import (
    Clusters,
    ImageChange,
    ListChange,
    MapChange,
    Override,
    Patch,
    Resources,
    Rule,
    TextChange,
)
from fedns.sources import documents, overrides

HEAD = "apiVersion: policy.karmada.io/v1alpha1\nkind: {}\nmetadata: {{name: web, namespace: prod}}\nspec:\n"


def content(*lines: str, kind: str = "OverridePolicy") -> documents.Content:
    text = HEAD.format(kind) + "".join(f"  {line}\n" for line in lines)
    return documents.read("f.yaml", text.encode(), overrides.KINDS, documents.Content())


def value(*lines: str, kind: str = "OverridePolicy") -> Override:
    found = content(*lines, kind=kind)
    assert not found.problems, found.problems
    (entry,) = found.entries.values()
    assert isinstance(entry.value, Override)
    return entry.value


def test_every_overrider() -> None:
    found = value(
        "resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: web}]",
        "overrideRules:",
        "- targetCluster: {clusterNames: [a]}",
        "  overriders:",
        "    plaintext: [{path: /spec/replicas, operator: replace, value: 1}]",
        "    imageOverrider:",
        "    - {component: Registry, operator: add, value: r.example}",
        "    - {component: Tag, operator: remove, predicate: {path: /spec/image}}",
        "    commandOverrider: [{containerName: c, operator: add, value: [x]}]",
        "    argsOverrider: [{containerName: c, operator: remove, value: [y]}]",
        "    labelsOverrider: [{operator: add, value: {k: v}}]",
        "    annotationsOverrider: [{operator: remove, value: {a: ''}}]",
        "    fieldOverrider:",
        "    - {fieldPath: /data/x, json: [{subPath: /y, operator: replace, value: 2}]}",
    )
    assert found.key == "prod/web" and found.resources == (Resources("apps/v1", "Deployment", "prod", "web"),)
    assert found.rules == (
        Rule(
            Clusters(names=("a",)),
            (ImageChange("Registry", "add", "r.example"), ImageChange("Tag", "remove", "", "/spec/image")),
            (ListChange("command", "c", "add", ("x",)), ListChange("args", "c", "remove", ("y",))),
            (MapChange("labels", "add", (("k", "v"),)), MapChange("annotations", "remove", (("a", ""),))),
            (TextChange("/data/x", "json", (Patch("replace", "/y", 2),)),),
            (Patch("replace", "/spec/replicas", 1),),
        ),
    )


def test_the_older_shape_is_one_rule() -> None:
    found = value(
        "targetCluster: {clusterIds: [a]}",
        "overriders: {plaintext: [{path: /x, operator: remove}]}",
        kind="ClusterOverridePolicy",
    )
    assert found.key == "web" and not found.resources
    assert found.rules == (Rule(Clusters(names=("a",)), patch=(Patch("remove", "/x"),)),)


def test_the_older_shape_beside_rules_is_told_to_do_nothing() -> None:
    found = content("overriders: {}", "overrideRules: [{overriders: {}}]")
    assert "no effect beside" in found.problems[0].what


def test_values_are_as_json_has_them() -> None:
    value_of = "{3: 2026-01-02, on: &l [x], off: *l}"
    found = value(f"overriders: {{plaintext: [{{path: /a, operator: add, value: {value_of}}}]}}")
    told = found.rules[0].patch[0].value
    assert told == {"3": "2026-01-02", "true": ["x"], "false": ["x"]} and told["true"] is not told["false"]


def test_null_is_a_value() -> None:
    found = value("overriders: {plaintext: [{path: /spec/x, operator: add, value: null}]}")
    assert found.rules[0].patch == (Patch("add", "/spec/x"),)


def test_keys_and_words_that_api_servers_take() -> None:
    labels = {"app": "web", "a.example/B_c.d-e": "", "x" * 63: "V-1_2.3"}
    notes = {"a/b": "anything at all, *", "Upper.Example/C": "{}"}
    for field, told in (("labels", labels), ("annotations", notes)):
        assert value(f"overriders: {{{field}Overrider: [{{operator: add, value: {json.dumps(told)}}}]}}")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("overrideRules: []", "it overrides something"),
        ("overrideRules: [{overriders: {imageOveride: []}}]", "did you mean 'imageOverrider'?"),
        ("overriders: {imageOverrider: [{component: Tag, operator: add}]}", "goes with a value"),
        ("overriders: {argsOverrider: [{containerName: c, operator: replace}]}", "add or remove"),
        ("overriders: {fieldOverrider: [{fieldPath: /a}]}", "either json or yaml"),
        ("overriders: {plaintext: [{path: /spec/replicas, operator: replace}]}", "replace goes with a value"),
        ("overriders: {plaintext: [{path: /a, operator: add, value: .nan}]}", "JSON has no word for `nan`"),
        ("overriders: {plaintext: [{path: /a, operator: add, value: !!set {b}}]}", "JSON has no word for"),
        ("overriders: {plaintext: [{path: /a, operator: add, value: &a {b: *a}}]}", "contains itself"),
        ("overriders: {plaintext: [{path: spec/x, operator: remove}]}", "begins with a slash: `/spec/x`"),
        ("overriders: {plaintext: [{path: /a/b~c, operator: remove}]}", "`~` in a path is written `~0`"),
        ("overriders: {fieldOverrider: [{fieldPath: data, yaml: []}]}", "fieldOverrider[...].fieldPath"),
        ("overriders: {imageOverrider: [{component: Tag, operator: remove, predicate: {path: x}}]}", "slash"),
        ("overriders: {labelsOverrider: [{operator: add, value: {a b: c}}]}", "`a b` is no key of labels"),
        ("overriders: {labelsOverrider: [{operator: add, value: {-/a: c}}]}", "`-/a` is no key of labels"),
        ("overriders: {labelsOverrider: [{operator: add, value: {a: c d}}]}", "`c d` is no label"),
        (f"overriders: {{labelsOverrider: [{{operator: add, value: {{a: {'c' * 64}}}}}]}}", "is no label"),
        ("overriders: {annotationsOverrider: [{operator: add, value: {a/b/c: d}}]}", "no key of annotations"),
        (
            "overriders: {fieldOverrider: [{fieldPath: /a, yaml: [{subPath: /b, operator: add}]}]}",
            "`remove` is the word) - at `$.spec..fieldOverrider[...].value`",
        ),
        ("overriders: {plaintext: [{path: /a, operator: move, from: /b}]}", "(known: add, remove, replace)"),
        ("overriders: {plaintext: [{path: /a, operator: test, value: 1}]}", "(known: add, remove, replace)"),
    ],
)
def test_mistakes(line: str, told: str) -> None:
    (found,) = content(line).problems
    assert told in str(found), found
