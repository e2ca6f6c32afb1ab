"""Services, slices, exports and imports as they are inside: read from objects, told by a member."""

from typing import Any

import msgspec
import pytest

from fedns.model import facts
from fedns.sources import cluster, objects, subjects

WISH = subjects.Wish(clusterset=True)
META = {"name": "db", "namespace": "data"}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": META,
    "spec": {
        "clusterIP": "10.96.0.7",
        "clusterIPs": ["10.96.0.7", "fd00::7"],
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 9}},
        "internalTrafficPolicy": "Local",
        "trafficDistribution": "PreferClose",
        "ipFamilies": ["IPv4", "IPv6"],
        "ports": [{"name": "sql", "port": 5432, "appProtocol": "example.com/sql"}],
    },
}
EXPORT = {
    "apiVersion": "multicluster.x-k8s.io/v1beta1",
    "kind": "ServiceExport",
    "metadata": {**META, "creationTimestamp": "2024-05-01T00:00:00Z"},
    "spec": {"exportedLabels": {"tier": "gold"}},
}
SLICE = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {**META, "name": "db-1", "labels": {"kubernetes.io/service-name": "db"}},
    "addressType": "IPv4",
    "ports": [{"name": "sql", "port": 15432}],
    "endpoints": [
        {"addresses": ["10.1.0.2"], "hostname": "db-1", "conditions": {"ready": False}},
        {"addresses": ["10.1.0.1"], "hostname": "DB-0", "zone": "z"},
    ],
}


def read(told: dict[str, Any], wish: subjects.Wish = WISH) -> tuple[tuple[str, str, str], Any]:
    kind = subjects.kinds(wish)[told["apiVersion"], told["kind"]]
    meta = told["metadata"]
    found = kind.strip(msgspec.convert(told, kind.shape))
    return (told["kind"], meta.get("namespace", "default"), meta["name"]), found


def made(*told: dict[str, Any], **more: bool) -> cluster.Cluster:
    one = cluster.Cluster(cluster.Member("m", inside=True, clusterset=True, **more))  # type: ignore[arg-type]
    one.update(read(each) for each in told)
    return one


def spec(**fields: Any) -> dict[str, Any]:
    return {**SERVICE, "spec": {**SERVICE["spec"], **fields}}  # type: ignore[dict-item]


def test_a_service_counts_as_soon_as_it_is_exported() -> None:
    one = made(SERVICE)
    assert not one.shards
    assert one.update([read(EXPORT)]) == frozenset({"data/db"})
    shard = one.shards["data/db"]
    inside = shard.inside
    assert inside is not None and not shard.addresses and not inside.published
    assert inside.cluster_ips == ("10.96.0.7", "fd00::7") and not inside.headless
    assert inside.export == facts.Export(1714521600.0, (("tier", "gold"),))
    assert inside.traffic == facts.Traffic("ClientIP", 9, "Local", "PreferClose", ("IPv4", "IPv6"))
    assert inside.protocols == ("example.com/sql",) and inside.backends is None
    assert one.update([(("ServiceExport", "data", "db"), None)]) == frozenset({"data/db"})
    assert not one.shards and not one.exports


def test_an_export_of_what_is_not_there_is_told_all_the_same() -> None:
    one = made(EXPORT)
    assert not one.shards and one.exports.keys() == {"data/db"}


def test_endpoints_of_headless_services_are_told_one_by_one() -> None:
    one = made(spec(clusterIP="None", clusterIPs=None), EXPORT, SLICE)
    inside = one.shards["data/db"].inside
    assert inside is not None and inside.headless and inside.cluster_ips == ()
    ports = (("sql", 15432),)
    assert inside.backends == (
        facts.Backend("10.1.0.1", "db-0", ports, "z"),
        facts.Backend("10.1.0.2", "db-1", ports, ready=False),
    )
    one.update([read(spec(clusterIP="None", clusterIPs=["None"], publishNotReadyAddresses=True))])
    inside = one.shards["data/db"].inside
    assert inside is not None and inside.backends is not None and all(each.ready for each in inside.backends)


def test_endpoints_of_other_services_are_told_where_somebody_wants_them() -> None:
    for wanted in (False, True):
        inside = made(SERVICE, EXPORT, SLICE, backends=wanted).shards["data/db"].inside
        assert inside is not None and (inside.backends is not None) is wanted


def test_endpoints_objects_tell_hostnames_too() -> None:
    told = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": META,
        "subsets": [
            {
                "ports": [{"port": 1}],
                "addresses": [{"ip": "10.1.0.1", "hostname": "a"}],
                "notReadyAddresses": [{"ip": "10.1.0.2"}],
            }
        ],
    }
    inside = made(spec(clusterIP="None", clusterIPs=None), EXPORT, told).shards["data/db"].inside
    assert inside is not None and inside.backends is not None
    assert [(each.hostname, each.ready) for each in inside.backends] == [("a", True), ("", False)]


def test_an_external_name_is_no_address() -> None:
    inside = made(spec(type="ExternalName", externalName="DB.example.net.", clusterIP=None), EXPORT).shards
    told = inside["data/db"].inside
    assert told is not None and told.type == "ExternalName" and told.external_name == "db.example.net"


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_imports_tell_their_addresses(version: str) -> None:
    told = {
        "apiVersion": f"multicluster.x-k8s.io/{version}",
        "kind": "ServiceImport",
        "metadata": META,
        "spec": {"type": "ClusterSetIP", "ips": ["10.98.0.1", "FD00::1"]},
    }
    one = made()
    assert one.update([read(told)]) == frozenset({"data/db"})
    assert dict(one.imports) == {"data/db": ("10.98.0.1", "fd00::1")}
    assert one.update([read(told)]) == frozenset()


def test_how_a_cluster_is_called_touches_all() -> None:
    one = made(SERVICE, EXPORT)
    told = {
        "apiVersion": "about.k8s.io/v1beta1",
        "kind": "ClusterProperty",
        "metadata": {"name": "cluster.clusterset.k8s.io"},
        "spec": {"value": "eu-1"},
    }
    assert one.update([read(told)]) is None and one.places.clusterid == "eu-1"
    assert one.update([read(told)]) == frozenset()


@pytest.mark.parametrize(
    "told",
    [
        spec(clusterIPs=["10.0.0"]),
        spec(type="ExternalName", externalName="-"),
        {**SLICE, "endpoints": [{"addresses": ["10.1.0.1"], "hostname": "a.b"}]},
        {**EXPORT, "metadata": {**META, "name": "a.b"}},
    ],
)
def test_what_cannot_be_used_is_a_wrong_shape(told: dict[str, Any]) -> None:
    with pytest.raises(objects.WrongShape):
        read(told)


def test_a_fleet_without_a_cluster_set_reads_published_services_only() -> None:
    wish = subjects.Wish(inside=True)
    assert read(SERVICE, wish)[1] is None
    assert read(spec(type="LoadBalancer"), wish)[1].inside.type == "LoadBalancer"
    assert type(read(spec(type="LoadBalancer"), subjects.Wish())[1]) is objects.Declared
