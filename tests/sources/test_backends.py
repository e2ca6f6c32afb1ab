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


def legacy(*subsets: dict[str, Any]) -> Any:
    kind = backends.KINDS["v1", "Endpoints"]
    return kind.strip(msgspec.convert({"metadata": {"name": "web"}, "subsets": subsets}, kind.shape))


def test_objects_that_slices_replaced_tell_endpoints_too() -> None:
    ports = [{"name": "http", "port": 8080}, {"name": "admin", "port": 9090}]
    found = of(
        legacy(
            {"addresses": [{"ip": "10.0.0.2"}], "notReadyAddresses": [{"ip": "10.0.0.1"}]} | {"ports": ports}
        )
    )
    told = (("http", 8080), ("admin", 9090))
    assert found == (Endpoint("10.0.0.1", told, "", False, False), Endpoint("10.0.0.2", told))
    assert of(legacy()) == ()
    with pytest.raises(objects.WrongShape, match=r"subsets\[0\].addresses\[1\].ip"):
        legacy({"addresses": [{"ip": "10.0.0.1"}, {"ip": "here"}]})


def test_of_pods_with_different_ports_it_is_not_told_where_they_are() -> None:
    subsets = [{"addresses": [{"ip": f"10.0.0.{port}"}], "ports": [{"port": port}]} for port in (80, 81)]
    assert not isinstance(legacy(*subsets), objects.Placed)


def test_without_a_gateway_no_endpoints_are_told() -> None:
    assert cluster.Cluster(cluster.Member("m")).detail(frozenset({"default/web"})) == frozenset()
    old = objects.Slice("default/web", (objects.Endpoint(1, "", "", True, True, False),), legacy=True)
    one = cluster.Cluster(cluster.Member("m", endpoints=True))
    one.update([(WEB, objects.Declared("default/web", (), (), ())), (("Endpoints", "default", "web"), old)])
    assert one.detail(frozenset({"default/web"})) == frozenset()
