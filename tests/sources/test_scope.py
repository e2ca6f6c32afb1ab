"""Which services are taken up: as property, whatever comes in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fedns.sources import scope

SERVICES = [("Service", namespace, name) for namespace in "nm" for name in "ab"]
EXPORTS = [("ServiceExport", namespace, name) for _, namespace, name in SERVICES]
KEYS = [
    *SERVICES,
    *EXPORTS,
    *(("Namespace", "", namespace) for namespace in "nm"),
]
CHANGES = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from([True, None])), max_size=40)


@given(CHANGES, st.booleans(), st.booleans())
def test_what_comes_through_is_what_may(changes: list[Any], namespaces: bool, exports: bool) -> None:
    found, there = scope.Scope(namespaces, exports), set()
    passed: set[Any] = set()
    for key, value in changes:
        (there.discard if value is None else there.add)(key)
        for one, told in found.update([(key, value)]):
            (passed.discard if told is None else passed.add)(one)
    assert {one for one in passed if one[0] == "ServiceExport"} == there & set(EXPORTS)
    assert passed - set(EXPORTS) == {
        one
        for one in there & set(SERVICES)
        if (not namespaces or ("Namespace", "", one[1]) in there)
        and (not exports or ("ServiceExport", one[1], one[2]) in there)
    }


def test_what_is_no_service_passes() -> None:
    found = scope.Scope(True, True)
    changes = [(("EndpointSlice", "n", "a-1"), "slice"), (("Node", "", "n1"), None)]
    assert found.update(changes) == changes


def test_the_name_in_the_cluster_set_may_be_unknown() -> None:
    found = scope.Scope(exports=True)
    assert list(found.problems("m", "here")) == []
    found.update([(("ClusterProperty", "", scope.PROPERTY), "m")])
    assert list(found.problems("m", "here")) == []
    found.update([(("ClusterProperty", "", scope.PROPERTY), "x")])
    assert [one.where for one in found.problems("m", "here")] == ["here"]
