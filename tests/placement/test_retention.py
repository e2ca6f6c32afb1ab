"""What a member keeps, by kind."""

from typing import Any

import pytest

from fedns.placement import retention


def made(kind: str, version: str = "v1", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "y"}, **fields}


@pytest.mark.parametrize(
    ("wanted", "there", "kept"),
    [
        (
            made("Pod", spec={"containers": [{"name": "c"}], "nodeName": "other"}),
            made(
                "Pod",
                spec={
                    "nodeName": "n1",
                    "serviceAccountName": "default",
                    "volumes": [{"name": "token"}],
                    "containers": [{"name": "c", "volumeMounts": [{"mountPath": "/t"}]}],
                },
            ),
            {
                "nodeName": "n1",
                "serviceAccountName": "default",
                "volumes": [{"name": "token"}],
                "containers": [{"name": "c", "volumeMounts": [{"mountPath": "/t"}]}],
            },
        ),
        (made("Pod", spec=["odd"]), made("Pod", spec={"nodeName": "n1"}), ["odd"]),
        (
            made("PersistentVolume", spec={}),
            made("PersistentVolume", spec={"claimRef": {"name": "c"}}),
            {"claimRef": {"name": "c"}},
        ),
        (
            made("Job", "batch/v1", spec={"template": {}}),
            made(
                "Job",
                "batch/v1",
                spec={
                    "selector": {"matchLabels": {"u": "1"}},
                    "template": {"metadata": {"labels": {"u": "1"}}},
                },
            ),
            {"selector": {"matchLabels": {"u": "1"}}, "template": {"metadata": {"labels": {"u": "1"}}}},
        ),
    ],
    ids=["Pod", "Pod of no shape", "PersistentVolume", "Job"],
)
def test_fields_that_the_member_gives_out(wanted: Any, there: Any, kept: Any) -> None:
    assert retention.retained(wanted, there)["spec"] == kept


def test_secrets_of_an_account_are_both_clusters() -> None:
    wanted, there = (
        made("ServiceAccount", secrets=[{"name": "a"}]),
        made("ServiceAccount", secrets=[{"name": "b"}]),
    )
    assert retention.retained(wanted, there)["secrets"] == [{"name": "a"}, {"name": "b"}]


def test_a_kind_without_a_rule_keeps_metadata_only() -> None:
    wanted = made("ConfigMap", data={"a": "1"})
    there = made("ConfigMap", data={"b": "2"})
    there["metadata"]["labels"] = {"local": "1"}
    found = retention.retained(wanted, there)
    assert found["data"] == {"a": "1"} and found["metadata"]["labels"] == {"local": "1"}
