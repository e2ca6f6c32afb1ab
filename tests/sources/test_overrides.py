"""Override policies in every dialect."""

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


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("overrideRules: []", "it overrides something"),
        ("overrideRules: [{overriders: {imageOveride: []}}]", "did you mean 'imageOverrider'?"),
        ("overriders: {imageOverrider: [{component: Tag, operator: add}]}", "goes with a value"),
        ("overriders: {argsOverrider: [{containerName: c, operator: replace}]}", "add or remove"),
        ("overriders: {fieldOverrider: [{fieldPath: /a}]}", "either json or yaml"),
    ],
)
def test_mistakes(line: str, told: str) -> None:
    (found,) = content(line).problems
    assert told in str(found), found
