"""What `explain` tells of names of a cluster set, with the very words."""

from typing import Any

import pytest

from fedns.dns import annex, clusterset, explain, explanation
from tests.dns import test_clusterset as sets
from tests.dns.test_places import From
from tests.golden import fleet


def told(
    shards: dict[str, Any], name: str = sets.NAME, where: str = "out", **service: Any
) -> explanation.Explanation:
    built, kind = sets.world(shards, **service), clusterset.Kind(clusterset.Settings())
    opened = kind.open(annex.Setting(built.layout, built.snapshot.members, 1))
    asked = explain.Question(name, "A", From(sets.IN[where]), (opened,))
    return explain.explain(built.snapshot, built.layout, built.table(kind), asked, fleet.NOW)


def test_addresses_that_members_publish() -> None:
    down = sets.shard("192.0.2.2", 2.0, state="unhealthy")
    found = told({"us": sets.shard("192.0.2.1"), "eu": down})
    assert (found.kind, found.service) == ("inside", "test/myservice")
    assert found.steps[0] == (
        "a service of the cluster set (one address), exported by us (the oldest export) and eu"
    )
    assert found.steps[2:5] == (
        "no clusterset IP (no ServiceImport has one): addresses that members publish are told",
        "eu: 192.0.2.2; it is unhealthy: 0 of 3 endpoints ready",
        "us: 192.0.2.1; it is healthy: 3 of 3 endpoints ready",
    )


def test_the_address_of_an_import() -> None:
    shards, one = {"us": sets.shard("192.0.2.1")}, {"eu": ["10.98.0.1"], "us": ["10.98.0.1"]}
    assert "the clusterset IP, the same in eu, us: 10.98.0.1" in told(shards, imports=one).steps
    two = {"eu": ["10.98.0.1"], "us": ["10.99.0.1"]}
    assert "the clusterset IP that member us has: 10.99.0.1" in told(shards, where="us", imports=two).steps
    assert any("members have different ones" in step for step in told(shards, imports=two).steps)


@pytest.mark.parametrize("name", [sets.NAME, f"web-0.us-1.{sets.NAME}"])
def test_endpoints(name: str) -> None:
    rows = ["10.2.0.5=web-0", {"address": "10.2.0.6", "ready": False}]
    found = told({"us": sets.headless(*rows), "eu": sets.shard("192.0.2.1", 2.0)}, name)
    assert found.steps[0].startswith("a service of the cluster set (headless), exported by us")
    assert "us: 1 ready of 2 endpoints; it is healthy" in found.steps
    assert "eu has type ClusterSetIP, and us Headless" in found.steps


def test_what_is_not_exported() -> None:
    plain = {"us": {"addresses": ["192.0.2.1"]}}
    for shards, name in ((plain, sets.NAME), ({}, f"other.test.svc.{sets.TOP}")):
        found = told(shards, name)
        assert found.kind == "missing" and found.rule.startswith("no member exports a service test/")
        assert "make a ServiceExport of its name in a member that has the Service" in found.steps
    external = sets.shard(inside={"type": "ExternalName", "external_name": "example.net", "cluster_ips": []})
    assert "its Service is of type ExternalName" in told({"us": external}).steps


def test_what_is_no_name_of_a_service() -> None:
    found = told({"us": sets.shard("192.0.2.1")}, f"a.pod.{sets.TOP}")
    assert found.kind == "missing" and found.rule.startswith("only exported services are names")
