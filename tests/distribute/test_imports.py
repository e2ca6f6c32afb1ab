"""ServiceImports and EndpointSlices of a cluster set, as they are made from what holds of a service."""

from typing import Any

from msgspec import structs

from fedns.distribute import imports, rights
from fedns.model.clusterset import Merged, Offer
from fedns.model.facts import Backend, Inside, Port, ShardFacts, Traffic

HTTP = Offer(Port("http", "tcp", 80))
DNS = Offer(Port("dns", "udp", 53), "dns")
MERGED = Merged(offers=(HTTP, DNS))


def spec(found: Merged) -> Any:
    return imports.service_import("shop/web", found)["spec"]


def test_an_import_has_the_name_of_its_service_and_our_label() -> None:
    found = imports.service_import("shop/web", MERGED)
    assert found["metadata"] == {"name": "web", "namespace": "shop", "labels": rights.MANAGED}
    assert found["spec"] == {
        "type": "ClusterSetIP",
        "ports": [
            {"name": "http", "protocol": "TCP", "port": 80},
            {"name": "dns", "protocol": "UDP", "port": 53, "appProtocol": "dns"},
        ],
        "sessionAffinity": "None",
    }


def test_a_headless_one_has_no_session_affinity() -> None:
    assert spec(Merged(headless=True)) == {"type": "Headless", "ports": []}


def test_how_clients_are_spread_goes_along() -> None:
    traffic = Traffic("ClientIP", 60, "Local", "PreferClose", ("IPv6", "IPv4"))
    assert spec(Merged(traffic=traffic)) == {
        "type": "ClusterSetIP",
        "ports": [],
        "ipFamilies": ["IPv6", "IPv4"],
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
        "internalTrafficPolicy": "Local",
        "trafficDistribution": "PreferClose",
    }


def test_a_port_without_a_name_has_none() -> None:
    (port,) = spec(Merged(offers=(Offer(Port("", "tcp", 80)),)))["ports"]
    assert port == {"protocol": "TCP", "port": 80}


def test_exported_labels_go_along_but_for_ours() -> None:
    labels = (("app.kubernetes.io/managed-by", "helm"), ("tier", "front"))
    meta = imports.service_import("shop/web", Merged(labels=labels, annotations=(("note", "x"),)))["metadata"]
    assert meta["labels"] == {**rights.MANAGED, "tier": "front"} and meta["annotations"] == {"note": "x"}


def test_an_address_that_somebody_gave_is_not_ours_to_compare() -> None:
    found = imports.service_import("shop/web", MERGED)
    given = {**found, "spec": {**found["spec"], "ips": ["10.1.2.3"]}}
    assert imports.told(given) == imports.told(found)
    changed = {**found, "spec": {**found["spec"], "type": "Headless"}}
    assert imports.told(changed) != imports.told(found)


def shard(*backends: Backend) -> ShardFacts:
    ports = (HTTP.port, DNS.port)
    return ShardFacts(ports=ports, inside=Inside(backends=backends, protocols=("", "dns")))


LISTENS = (("dns", 5353), ("http", 8080))
ONE = Backend("10.0.0.1", "web-0", LISTENS, "a")
TWO = Backend("10.0.0.2", "", LISTENS, "b", False)
SIX = Backend("2001:db8::1", "", LISTENS)


def test_a_slice_has_the_labels_that_it_takes_and_the_endpoints_of_one_cluster() -> None:
    (found,) = imports.slices("shop/web", "east", shard(TWO, ONE)).values()
    labels = found["metadata"]["labels"]
    assert labels["multicluster.kubernetes.io/service-name"] == "web"
    assert labels["multicluster.kubernetes.io/source-cluster"] == "east"
    assert labels["endpointslice.kubernetes.io/managed-by"] not in ("", "endpointslice-controller.k8s.io")
    assert rights.MANAGED.items() <= labels.items() and "kubernetes.io/service-name" not in labels
    assert found["addressType"] == "IPv4"
    assert found["endpoints"] == [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}, "hostname": "web-0", "zone": "a"},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}, "zone": "b"},
    ]
    assert found["ports"] == [
        {"name": "dns", "protocol": "UDP", "port": 5353, "appProtocol": "dns"},
        {"name": "http", "protocol": "TCP", "port": 8080},
    ]


def test_a_slice_is_of_one_family_of_one_set_of_ports_and_not_too_long() -> None:
    crowd = [Backend(f"10.1.{at // 250}.{at % 250 + 1}", "", LISTENS) for at in range(250)]
    other = Backend("10.9.9.9", "", (("http", 9090),))
    found = imports.slices("shop/web", "east", shard(*crowd, other, SIX))
    sizes = sorted((one["addressType"], len(one["endpoints"])) for one in found.values())
    assert sizes == [("IPv4", 1), ("IPv4", 50), ("IPv4", 100), ("IPv4", 100), ("IPv6", 1)]
    assert all(name == one["metadata"]["name"] for name, one in found.items())


def test_names_of_slices_stay_and_never_meet() -> None:
    def names(service: str, cluster: str, *backends: Backend) -> set[str]:
        return set(imports.slices(f"shop/{service}", cluster, shard(*backends)))

    assert names("web", "east", ONE) == names("web", "east", TWO)
    assert all(name.startswith("imported-web-east-") for name in names("web", "east", ONE))
    assert not names("a-b", "c", ONE) & names("a", "b-c", ONE)
    assert not names("web", "east", ONE) & names("web", "east", SIX), "a slice never changes its family"
    (long,) = names("s" * 63, "c" * 63, ONE)
    assert len(long) <= 253


def test_no_endpoints_no_slices() -> None:
    assert not imports.slices("shop/web", "east", shard())
    assert not imports.slices("shop/web", "east", ShardFacts())
    untold = structs.replace(shard(), inside=Inside(backends=None))
    assert not imports.slices("shop/web", "east", untold)
    assert not imports.slices("shop/web", "c" * 64, shard(ONE)), "it is no value of a label"


def test_what_is_there_tells_whose_it_is() -> None:
    (found,) = imports.slices("shop/web", "east", shard(ONE)).values()
    assert imports.part_of(found) == ("shop/web", ("east",))
    made = {
        **imports.service_import("shop/web", MERGED),
        "status": {"clusters": [{"cluster": "east"}, {"cluster": "west"}]},
    }
    assert imports.whose(made) == ("shop/web", ("east", "west"))
