"""Whole objects of a directory: as JSON has them."""

from pathlib import Path

import pytest

from fedns.sources import templates

TEXT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: c, creationTimestamp: 2026-01-02T03:04:05Z}
data: &data {1: x, day: 2026-01-02}
more: *data
---
apiVersion: fedns.io/v1alpha1
kind: TrafficPolicy
metadata: {name: t}
spec: {anything: 1}
---
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterOverridePolicy
metadata: {name: o}
spec: {overriders: {}}
"""


def test_objects_policies_and_nothing_that_is_told_to_us(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(TEXT)
    found = templates.read(str(tmp_path))
    (item,) = found.items
    assert item["metadata"]["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert item["data"] == {"1": "x", "day": "2026-01-02"} and item["more"] is not item["data"]
    assert [each.title for each in found.overrides] == ["ClusterOverridePolicy o"]
    assert found.whole and not found.problems


def test_a_directory_that_cannot_be_read_whole(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("a: [")
    found = templates.read(str(tmp_path))
    assert not found.whole and len(found.problems) == 1


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        templates.read(str(tmp_path / "none"))
