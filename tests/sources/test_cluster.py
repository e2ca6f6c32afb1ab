"""Objects of one member become facts, and only what differs is named."""

import msgspec

from fedns.model.facts import NodeZone, ZoneReadiness
from fedns.sources import cluster, inward, objects
from fedns.sources.objects import Declared, Endpoint, Node, Slice
from tests.fakes import kubecluster

WEB = ("Service", "default", "web")


def declared(*addresses: str) -> Declared:
    return Declared("default/web", addresses, (), ())


def backend(pod: int, zone: str = "", node: str = "", ready: bool = True) -> Endpoint:
    return Endpoint(pod, zone, node, ready, ready, False)


def test_only_services_that_differ_are_touched() -> None:
    one = cluster.Cluster(cluster.Member("m", "r", ("z",)))
    assert one.update([(WEB, declared("192.0.2.1"))]) == {"default/web"}
    assert one.update([(WEB, declared("192.0.2.1"))]) == frozenset()
    assert one.update([(WEB, None)]) == {"default/web"}
    assert one.shards == {}


def test_a_service_that_selects_pods_has_none_ready_until_its_slice_comes() -> None:
    one = cluster.Cluster(cluster.Member("m", "r", ("z",)))
    selects = Declared("default/web", ("192.0.2.1",), (), (), selects=True)
    one.update([(WEB, selects)])
    assert one.shards["default/web"].readiness is None
    assert one.listed(True) == {"default/web"} and one.listed(True) == frozenset()
    assert one.shards["default/web"].readiness == ()
    one.update([(WEB, declared("192.0.2.1"))])
    assert one.shards["default/web"].readiness is None
    one.update([(WEB, selects), (("EndpointSlice", "default", "x"), Slice("default/web", (backend(1),)))])
    assert one.shards["default/web"].readiness == (ZoneReadiness("", 1, 1, 0, 1),)
    one.update([(("EndpointSlice", "default", "x"), None)])
    assert one.shards["default/web"].readiness == ()
    assert one.listed(False) == {"default/web"}
    assert one.shards["default/web"].readiness is None


def test_endpoints_count_once_over_slices_and_per_zone() -> None:
    one = cluster.Cluster(cluster.Member("m"))
    first = Slice("default/web", (backend(1, "a"), backend(2, "b", ready=False)))
    second = Slice("default/web", (backend(1, "a"), backend(3, "b")))
    slices = [(("EndpointSlice", "default", name), found) for name, found in (("x", first), ("y", second))]
    one.update([(WEB, declared()), *slices])
    assert one.shards["default/web"].readiness == (
        ZoneReadiness("a", 1, 1, 0, 1),
        ZoneReadiness("b", 1, 1, 0, 2),
    )
    one.update([(slices[1][0], None)])
    assert one.shards["default/web"].readiness == (
        ZoneReadiness("a", 1, 1, 0, 1),
        ZoneReadiness("b", 0, 0, 0, 1),
    )


def test_no_endpoints_object_is_not_zero_endpoints() -> None:
    one = cluster.Cluster(cluster.Member("m"))
    one.update([(WEB, declared())])
    assert one.shards["default/web"].readiness is None
    one.update([(("EndpointSlice", "default", "x"), Slice("default/web", ()))])
    assert one.shards["default/web"].readiness == ()


def test_legacy_endpoints_count_where_there_are_no_slices_and_take_zones_from_nodes() -> None:
    one = cluster.Cluster(cluster.Member("m", "r", ("z",)))
    legacy = Slice("default/web", (backend(1, node="n"),), legacy=True)
    one.update([(WEB, declared()), (("Endpoints", "default", "web"), legacy)])
    assert one.shards["default/web"].readiness == (ZoneReadiness("", 1, 1, 0, 1),)
    assert one.update([(("Node", "default", "n"), Node("n", "", "z", True))]) == {"default/web"}
    assert one.shards["default/web"].readiness == (ZoneReadiness("z", 1, 1, 0, 1),)
    one.update(
        [(("EndpointSlice", "default", "x"), Slice("default/web", (backend(7, "y"), backend(8, "y"))))]
    )
    assert one.shards["default/web"].readiness == (ZoneReadiness("y", 2, 2, 0, 2),)


def test_places_come_from_nodes_unless_configured() -> None:
    nodes = [
        (("Node", "default", name), Node(name, "r", zone, name != "b"))
        for name, zone in (("a", "z1"), ("b", "z2"), ("c", ""))
    ]
    told, silent = cluster.Cluster(cluster.Member("m", "R", ("Z",))), cluster.Cluster(cluster.Member("m"))
    assert silent.update(nodes) is None
    assert (silent.places.region, silent.places.zones) == ("r", ("z1", "z2"))
    assert told.update(nodes) == frozenset()
    assert (told.places.region, told.places.zones) == ("R", ("Z",))
    assert told.places.nodes == (NodeZone("z1", 1, 1), NodeZone("z2", 0, 1))


def test_a_service_whose_workload_is_elsewhere_is_a_shard_only_with_endpoints() -> None:
    one, away = (
        cluster.Cluster(cluster.Member("m")),
        Declared("default/web", ("192.0.2.1",), (), (), True, True),
    )
    one.update([(WEB, away)])
    slice_key = ("EndpointSlice", "default", "x")
    one.update([(slice_key, Slice("default/web", ()))])
    assert one.shards == {}
    one.update([(slice_key, Slice("default/web", (backend(1, ready=False),)))])
    assert one.shards["default/web"].readiness == (ZoneReadiness("", 0, 0, 0, 1),)
    one.update([(slice_key, Slice("default/web", ()))])
    assert one.shards == {}
    one.update([(WEB, declared("192.0.2.1"))])
    assert one.shards["default/web"].readiness == ()


def test_a_service_says_since_when_it_is_to_be_left() -> None:
    for text, since in (("1970-01-01T00:01:40Z", 100.0), ("soon", 0.0)):
        service = kubecluster.service("web", "192.0.2.1")
        service["metadata"]["annotations"] = {"fedns.io/parting": text}
        for kinds in (objects.KINDS, inward.PUBLISHED):
            row = kinds["v1", "Service"]
            found, key = cluster.Cluster(cluster.Member("m")), ("Service", "mynamespace", "web")
            found.update([(key, row.strip(msgspec.convert(service, row.shape)))])
            assert found.shards["mynamespace/web"].parting == since
