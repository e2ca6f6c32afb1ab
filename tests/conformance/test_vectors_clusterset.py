"""Outside vectors of cluster sets: CoreDNS' multicluster plugin, and its kubernetes plugin for such a zone.

Both suites share one mock world, of one exporting cluster. What differs by design stands in
`clusterset_deviations.json` with the reason, and must differ.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedns.dns import clusterset
from tests.conformance import vectors
from tests.golden import fleet

_DEVIATIONS: dict[str, str] = {
    name: group["reason"]
    for group in json.loads((Path(__file__).parent / "clusterset_deviations.json").read_text())
    for name in group["vectors"]
}
_MULTICLUSTER, _KUBERNETES = "coredns_multicluster", "coredns_kubernetes"
_GROUP = "TestMultiClusterServeDNS"
_CALLED = {_MULTICLUSTER: "clusterid", _KUBERNETES: "cluster1"}


def _rows() -> Iterator[object]:
    for suite in (_MULTICLUSTER, _KUBERNETES):
        for each in vectors.load(suite)["vectors"]:
            if suite == _MULTICLUSTER or each["group"] == _GROUP:
                yield pytest.param(suite, each, id=f"{suite}/{each['id']}")


def _world() -> dict[str, Any]:
    groups = vectors.load(_KUBERNETES)["groups"]
    return next(each["world"] for each in groups if "svcImportIndex" in each.get("world", {}))


def _view(suite: str) -> dict[bytes, bytes]:
    """The world's services, exported by one member; those with clusterset IPs are imported there too."""
    world, services = _world(), {}
    for found in world["svcImportIndex"].values():
        for one in found:
            told = world["mcEpsIndex"].get(f"{one['Name']}.{one['Namespace']}", [])
            services[f"{one['Namespace']}/{one['Name']}"] = _service(one, told)
    settings = {"federation": "fed", "domain": "example.com"}
    members = {"m": {"clusterid": _CALLED[suite]}}
    built = fleet.build({"settings": settings, "members": members, "services": services})
    return built.table(clusterset.Kind(clusterset.Settings("cluster.local")))


def _service(one: dict[str, Any], told: list[dict[str, Any]]) -> dict[str, Any]:
    subsets = [subset for each in told for subset in each["Endpoints"]["Subsets"]]
    backends = [
        {
            "address": row["IP"],
            "hostname": row.get("Hostname", ""),
            "ports": [[port["Name"], port["Port"]] for port in subset["Ports"] if port.get("Name")],
        }
        for subset in subsets
        for row in subset["Addresses"] or ()
    ]
    ports = [
        [port["Name"], port["Protocol"], port["Port"]]
        for rows in (one.get("Ports") or (port for subset in subsets for port in subset["Ports"]),)
        for port in rows
        if port.get("Name")
    ]
    headless = one["Type"] == "Headless"
    inside = {"headless": headless, "backends": backends if headless else None, "export": {"created": 1.0}}
    return {
        "policy": {"ttl": {"min": 5, "max": 5}},
        "ports": ports,
        "shards": {"m": {"inside": inside}},
        "imports": {} if headless else {"m": one["ClusterIPs"]},
    }


@pytest.mark.parametrize(("suite", "vector"), list(_rows()))
def test_answers_as_coredns_does(suite: str, vector: dict[str, Any]) -> None:
    found = vectors.grade(vectors.ask(_view(suite), vector), vector["expect"])
    reason = _DEVIATIONS.get(vector["id"])
    if reason is None:
        assert found in vectors.PASS
        return
    assert found not in vectors.PASS, f"no longer a deviation: {reason}"
    pytest.skip(reason)
