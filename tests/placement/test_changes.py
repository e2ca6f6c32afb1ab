"""Override policies applied: what vectors do not show."""

from typing import Any

import pytest

from fedns.placement import changes, choice
from tests.placement import worlds

CRON = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: w, namespace: prod}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: nginx}]}}}}}
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: prod}
data: {"a.yaml": "{b: [1, no], a: 'n'}", "bad.json": "{"}
"""


def overridden(text: str, *overrides: Any, member: str = "a") -> changes.Changed:
    found = worlds.one(text)
    return changes.overridden(found, choice.overrides(found, overrides), worlds.MEMBERS[member])


def image(*rows: str) -> Any:
    return worlds.override(f"overriders: {{imageOverrider: [{', '.join(rows)}]}}")


def test_only_rules_for_the_member_are_applied() -> None:
    told = worlds.override(
        "overrideRules:\n- targetCluster: {labelSelector: {matchLabels: {env: prod}}}\n"
        "  overriders: {labelsOverrider: [{operator: add, value: {x: y}}]}"
    )
    assert overridden(worlds.SERVICE, told).item["metadata"]["labels"] == {"x": "y"}
    assert overridden(worlds.SERVICE, told, member="c").applied == ()


def test_those_of_the_cluster_come_first_so_those_of_the_namespace_win() -> None:
    spec = "overriders: {labelsOverrider: [{operator: add, value: {x: WHO}}]}"
    wide = worlds.override(spec.replace("WHO", "wide"), namespace="", name="z")
    near = worlds.override(spec.replace("WHO", "near"), name="a")
    found = overridden(worlds.SERVICE, near, wide)
    assert found.applied == ("z", "prod/a") and found.item["metadata"]["labels"] == {"x": "near"}


def test_what_may_not_be_meant_is_told() -> None:
    add = "{component: Registry, operator: add, value: r.example}"
    tag = "{component: Tag, operator: add, value: -x}"
    text = worlds.DEPLOYMENT.replace("nginx:1", "docker.io/nginx")
    doubts = overridden(text, image(add, tag)).doubts
    assert "makes docker.ior.example/nginx" in doubts[0] and "makes no tag of it" in doubts[1]
    assert "changes nothing of a CronJob" in overridden(CRON, image(add)).doubts[0]
    assert overridden(worlds.SERVICE, image(add)).doubts


@pytest.mark.parametrize("version", ["apps/v1", "apps.kruise.io/v1beta1", "apps.example.com/v1"])
def test_kinds_with_pods_are_known_by_their_names_in_every_group(version: str) -> None:
    text = worlds.DEPLOYMENT.replace("apps/v1", version).replace("Deployment", "StatefulSet")
    told = worlds.override(
        "overriders: {imageOverrider: [{component: Tag, operator: replace, value: '2'}],"
        " argsOverrider: [{containerName: c, operator: add, value: [-v]}]}"
    )
    (found,) = overridden(text, told).item["spec"]["template"]["spec"]["containers"]
    assert (found["image"], found["args"]) == ("nginx:2", ["-v"])


def test_a_kind_that_is_not_known_is_changed_by_path() -> None:
    path = "/spec/jobTemplate/spec/template/spec/containers/0/image"
    row = f"{{component: Tag, operator: replace, value: v2, predicate: {{path: {path}}}}}"
    made = overridden(CRON, image(row)).item
    assert made["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:v2"


@pytest.mark.parametrize(
    ("text", "spec", "told"),
    [
        (
            worlds.DEPLOYMENT,
            "{imageOverrider: [{component: Tag, operator: remove, predicate: {path: /spec/x}}]}",
            "there is no /spec/x",
        ),
        (
            worlds.DEPLOYMENT,
            "{imageOverrider: [{component: Tag, operator: remove, predicate: {path: /spec}}]}",
            "no image",
        ),
        (
            worlds.DEPLOYMENT,
            '{plaintext: [{path: "", operator: replace, value: {}}]}',
            "it would change apiVersion",
        ),
        (
            worlds.DEPLOYMENT,
            "{plaintext: [{path: /kind, operator: replace, value: Job}]}",
            "it would change kind",
        ),
        (worlds.DEPLOYMENT, '{plaintext: [{path: "", operator: replace, value: 7}]}', "no object"),
        (
            CONFIG,
            "{fieldOverrider: [{fieldPath: /data/bad.json, json: [{subPath: /a, operator: remove}]}]}",
            "is no JSON",
        ),
        (CONFIG, "{fieldOverrider: [{fieldPath: /data, json: []}]}", "is no text"),
    ],
)
def test_what_cannot_be_done_names_the_policy(text: str, spec: str, told: str) -> None:
    with pytest.raises(changes.Impossible, match=f"OverridePolicy prod/web: .*{told}"):
        overridden(text, worlds.override(f"overriders: {spec}"))


def test_a_document_of_which_nothing_changes_stays_as_it_is_written() -> None:
    told = worlds.override("overriders: {fieldOverrider: [{fieldPath: /data/a.yaml, yaml: []}]}")
    assert overridden(CONFIG, told).item == worlds.one(CONFIG)


def test_a_document_in_a_string_keeps_words_that_yaml_would_misread() -> None:
    told = worlds.override(
        "overriders: {fieldOverrider: [{fieldPath: /data/a.yaml, yaml: "
        "[{subPath: /b/0, operator: replace, value: 'yes'}]}]}"
    )
    assert overridden(CONFIG, told).item["data"]["a.yaml"] == 'a: "n"\nb:\n- "yes"\n- false\n'


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("{path: /data/no/x, operator: replace, value: v}", "there is no /data/no"),
        ("{path: /data/no, operator: remove}", "there is no /data/no"),
        ("{path: /no/x, operator: add, value: v}", "there is no /no"),
        ("{path: /data/key/x, operator: add, value: v}", ""),
    ],
)
def test_what_cannot_be_done_tells_nothing_that_is_secret(operation: str, told: str) -> None:
    text = "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: prod}, data: {key: aHVudGVyMg==}}"
    with pytest.raises(changes.Impossible) as raised:
        overridden(text, worlds.override(f"overriders: {{plaintext: [{operation}]}}"))
    assert told in str(raised.value) and "aHVudGVyMg" not in str(raised.value)
