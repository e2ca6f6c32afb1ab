"""Paths as the Kubernetes API has them."""

from fedns.kube.resource import Resource

SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)


def test_paths_of_groups_and_of_the_core() -> None:
    assert SLICES.api_version == "discovery.k8s.io/v1" and NODES.api_version == "v1"
    assert SLICES.path() == "/apis/discovery.k8s.io/v1/endpointslices"
    assert SLICES.path("shop") == "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
    assert SLICES.path("shop", "a b") == "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/a%20b"
    assert NODES.path("ignored", "n1", "status") == "/api/v1/nodes/n1/status"
