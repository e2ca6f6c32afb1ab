"""Kubernetes objects stripped to what we use."""

from typing import Any

import msgspec
import pytest

from fedns.model.facts import Port
from fedns.sources import objects


def strip(version: str, kind: str, found: dict[str, Any]) -> Any:
    row = objects.KINDS[version, kind]
    return row.strip(msgspec.convert({"metadata": {"name": "web"}} | found, row.shape))


@pytest.mark.parametrize(
    ("annotations", "spec", "federated"),
    [
        ({}, {"type": "ClusterIP"}, False),
        ({}, {"type": "LoadBalancer"}, True),
        ({}, {"externalIPs": ["192.0.2.1"]}, True),
        ({"fedns.io/publish": "true"}, {}, True),
        ({"fedns.io/publish": "false"}, {"type": "LoadBalancer"}, False),
    ],
)
def test_which_services_are_federated(
    annotations: dict[str, str], spec: dict[str, Any], federated: bool
) -> None:
    meta = {"name": "web", "annotations": annotations}
    assert (strip("v1", "Service", {"metadata": meta, "spec": spec}) is not None) is federated


def test_published_addresses_hostnames_and_ports() -> None:
    ingress = [{"ip": "2001:DB8::0:1"}, {"hostname": "LB.example.net."}, {"ip": "192.0.2.1"}]
    spec = {
        "externalIPs": ["192.0.2.1", "192.0.2.2"],
        "ports": [
            {"port": 53, "name": "dns", "protocol": "UDP"},
            {"port": 9, "appProtocol": "kubernetes.io/h2c"},
        ],
    }
    found = strip("v1", "Service", {"spec": spec, "status": {"loadBalancer": {"ingress": ingress}}})
    assert found.addresses == ("2001:db8::1", "192.0.2.1", "192.0.2.2")
    assert found.hostnames == ("lb.example.net",)
    assert found.ports == (Port("dns", "udp", 53), Port("", "tcp", 9, h2c=True))


def test_the_annotation_overrides_addresses() -> None:
    meta = {"name": "web", "annotations": {"fedns.io/addresses": "192.0.2.7, 2001:db8::7"}}
    spec = {"type": "LoadBalancer", "externalIPs": ["192.0.2.1"]}
    assert strip("v1", "Service", {"metadata": meta, "spec": spec}).addresses == ("192.0.2.7", "2001:db8::7")


@pytest.mark.parametrize(
    "found",
    [
        {"spec": {"externalIPs": ["192.0.2.300"]}},
        {"metadata": {"name": "a.b"}, "spec": {"type": "LoadBalancer"}},
        {"metadata": {"name": "x" * 64}, "spec": {"type": "LoadBalancer"}},
        {"metadata": {"name": "a", "namespace": "A"}, "spec": {"type": "LoadBalancer"}},
        {"spec": {"type": "LoadBalancer", "ports": [{"port": 65536}]}},
        {"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {"ingress": [{"hostname": "a..b"}]}}},
    ],
)
def test_values_that_cannot_be_served_are_wrong(found: dict[str, Any]) -> None:
    with pytest.raises(objects.WrongShape, match=r" - at `\$\."):
        strip("v1", "Service", found)


def test_conditions_of_a_slice_nil_ready_is_ready() -> None:
    meta = {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}
    ends: list[dict[str, Any]] = [
        {"addresses": ["10.0.0.1"]},
        {
            "addresses": ["10.0.0.2"],
            "conditions": {"ready": False, "serving": True, "terminating": True},
            "zone": "z",
        },
        {"addresses": []},
    ]
    found = strip("discovery.k8s.io/v1", "EndpointSlice", {"metadata": meta, "endpoints": ends})
    assert found.key == "default/web"
    assert [(one.ready, one.serving, one.terminating, one.zone) for one in found.endpoints] == [
        (True, True, False, ""),
        (False, True, True, "z"),
    ]


def test_a_beta_slice_tells_its_zone_by_topology() -> None:
    meta = {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}
    topology = {"topology.kubernetes.io/zone": "z", "kubernetes.io/hostname": "n"}
    ends = [{"addresses": ["10.0.0.1"], "topology": topology}]
    (one,) = strip(
        "discovery.k8s.io/v1beta1", "EndpointSlice", {"metadata": meta, "endpoints": ends}
    ).endpoints
    assert (one.zone, one.node) == ("z", "n")


def test_a_slice_of_no_service_does_not_concern_us() -> None:
    assert strip("discovery.k8s.io/v1", "EndpointSlice", {"endpoints": None}) is None


def test_legacy_endpoints() -> None:
    subsets = [
        {"addresses": [{"ip": "10.0.0.1", "nodeName": "n"}], "notReadyAddresses": [{"ip": "10.0.0.2"}]}
    ]
    found = strip("v1", "Endpoints", {"subsets": subsets})
    assert found.legacy
    assert [(one.node, one.ready) for one in found.endpoints] == [("n", True), ("", False)]


@pytest.mark.parametrize("prefix", ["topology.kubernetes.io", "failure-domain.beta.kubernetes.io"])
def test_a_node_by_new_and_old_labels(prefix: str) -> None:
    meta = {"name": "n", "labels": {f"{prefix}/region": "r", f"{prefix}/zone": "z"}}
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert strip("v1", "Node", {"metadata": meta, "status": status}) == objects.Node("n", "r", "z", True)
