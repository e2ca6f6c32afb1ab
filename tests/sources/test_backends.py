"""Slices with addresses and ports, and the endpoints of a member's services that come of them."""

from typing import Any

import msgspec
import pytest

from fedns.model.facts import Endpoint
from fedns.sources import backends, cluster, objects

V1 = ("discovery.k8s.io/v1", "EndpointSlice")
WEB = ("Service", "default", "web")


def stripped(**found: Any) -> Any:
    meta = {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}
    kind = backends.KINDS[V1]
    return kind.strip(msgspec.convert({"metadata": meta} | found, kind.shape))


def sliced(*addresses: str, ready: bool = True, pod: str = "") -> Any:
    rows = [
        {"addresses": [each], "conditions": {"ready": ready}, "targetRef": {"name": pod or each}, "zone": "z"}
        for each in addresses
    ]
    return stripped(endpoints=rows, ports=[{"name": "http", "port": 8080}], addressType="IPv4")


def of(*slices: Any, legacy: bool = False, named: bool = True) -> tuple[Endpoint, ...] | None:
    one = cluster.Cluster(cluster.Member("m", endpoints=True))
    service = objects.Declared("default/web", ("192.0.2.1",), (), ())
    one.update([(WEB, service), *((("EndpointSlice", "default", str(n)), s) for n, s in enumerate(slices))])
    assert one.shards["default/web"].endpoints is None
    if named:
        assert one.detail(frozenset({"default/web", "no/where"})) == {"default/web"}
    found: tuple[Endpoint, ...] | None = one.shards["default/web"].endpoints
    return found


def test_the_endpoints_of_named_services_are_told() -> None:
    ports = (("http", 8080),)
    assert of(sliced("10.0.0.2", "10.0.0.1"), sliced("10.0.0.3", ready=False)) == (
        Endpoint("10.0.0.1", ports, "z"),
        Endpoint("10.0.0.2", ports, "z"),
        Endpoint("10.0.0.3", ports, "z", False, False),
    )
    assert of(sliced("10.0.0.1"), named=False) is None


def test_a_pod_of_two_families_is_one_endpoint() -> None:
    both = of(sliced("2001:db8::1", pod="p"), sliced("10.0.0.1", pod="p"))
    assert both is not None and [each.address for each in both] == ["10.0.0.1"]


def test_names_instead_of_addresses_are_not_gone_to() -> None:
    assert not isinstance(stripped(endpoints=[{"addresses": ["a.b"]}], addressType="FQDN"), objects.Placed)
    with pytest.raises(objects.WrongShape):
        stripped(endpoints=[{"addresses": ["a.b"]}])


def test_legacy_objects_tell_no_endpoints() -> None:
    assert cluster.Cluster(cluster.Member("m")).detail(frozenset({"default/web"})) == frozenset()
    old = objects.Slice("default/web", (objects.Endpoint(1, "", "", True, True, False),), legacy=True)
    one = cluster.Cluster(cluster.Member("m", endpoints=True))
    one.update([(WEB, objects.Declared("default/web", (), (), ())), (("Endpoints", "default", "web"), old)])
    assert one.detail(frozenset({"default/web"})) == frozenset()
