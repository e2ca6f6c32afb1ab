"""Applying one object to another as server-side apply does it."""

import json
from typing import Any

from fedns.placement import merging
from tests.placement import worlds


def managed(manager: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "fieldsV1": fields}


def service(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "x"}, "spec": spec}


def test_what_is_not_sent_stays() -> None:
    there = service(clusterIP="10.0.0.1", ports=[{"port": 80, "nodePort": 30080, "protocol": "TCP"}])
    found = merging.merged(there, service(ports=[{"port": 80, "name": "web"}]))
    assert found["spec"] == {
        "clusterIP": "10.0.0.1",
        "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP", "name": "web"}],
    }


def test_ports_of_one_number_differ_by_protocol() -> None:
    there = service(ports=[{"port": 53, "protocol": "UDP", "nodePort": 1}])
    found = merging.merged(
        there, service(ports=[{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}])
    )
    assert found["spec"]["ports"] == [
        {"port": 53, "protocol": "UDP", "nodePort": 1},
        {"port": 53, "protocol": "TCP"},
    ]


def test_what_was_ours_and_is_not_sent_goes_unless_it_is_anothers_too() -> None:
    there = service(a=1, b=2, ports=[{"port": 80}, {"port": 81}], selector={"x": "1", "y": "2"})
    keys = {
        f"k:{json.dumps({'port': port, 'protocol': 'TCP'})}": {".": {}, "f:port": {}} for port in (80, 81)
    }
    ours = {"f:spec": {"f:a": {}, "f:b": {}, "f:ports": keys, "f:selector": {"f:x": {}}}}
    there["metadata"]["managedFields"] = [managed("fedns", ours), managed("other", {"f:spec": {"f:b": {}}})]
    found = merging.merged(there, service(ports=[{"port": 81}]))
    assert found["spec"] == {"b": 2, "ports": [{"port": 81}], "selector": {"y": "2"}}


def test_values_of_a_set_and_whole_lists() -> None:
    there = {**service(), "metadata": {"name": "s", "namespace": "x", "finalizers": ["a", "b"]}}
    there["metadata"]["managedFields"] = [managed("fedns", {"f:metadata": {"f:finalizers": {'v:"a"': {}}}})]
    assert merging.merged(there, service())["metadata"]["finalizers"] == ["b"]


def test_containers_and_their_variables_merge_by_name() -> None:
    there, sent = worlds.one(worlds.DEPLOYMENT), worlds.one(worlds.DEPLOYMENT)
    spec = there["spec"]["template"]["spec"]
    spec["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    spec["containers"].append({"name": "sidecar", "image": "s"})
    container = sent["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": "nginx:2", "env": [{"name": "B", "value": "2"}]}
    after = merging.merged(there, sent)["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in after] == ["c", "sidecar"] and after[0]["image"] == "nginx:2"
    assert [each["name"] for each in after[0]["env"]] == ["A", "B"]


def test_lists_of_other_kinds_are_replaced_whole() -> None:
    there = {"apiVersion": "x.example/v1", "kind": "K", "metadata": {"name": "k"}, "ports": [{"port": 1}]}
    assert merging.merged(there, {**there, "ports": [{"port": 2}]})["ports"] == [{"port": 2}]


def test_the_same_again_changes_nothing_and_nothing_is_changed_in_place() -> None:
    there, sent = service(ports=[{"port": 80, "nodePort": 3}]), service(ports=[{"port": 80}])
    once = merging.merged(there, sent)
    assert merging.merged(once, sent) == once == there
    assert sent == service(ports=[{"port": 80}])


def test_what_servers_do_not_keep_is_no_difference() -> None:
    told = {"a": None, "b": [], "labels": {}, "emptyDir": {}, "c": [{"d": [], "e": 0}], "f": "", "g": False}
    assert merging.tidy(told) == {"emptyDir": {}, "c": [{"e": 0}], "f": "", "g": False}


def test_an_amount_in_another_spelling_is_the_same_amount() -> None:
    there, sent = worlds.one(worlds.DEPLOYMENT), worlds.one(worlds.DEPLOYMENT)
    for found, cpu, memory in ((there, "500m", "1Gi"), (sent, "0.5", "1024Mi")):
        container = found["spec"]["template"]["spec"]["containers"][0]
        container["resources"] = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": "1"}}
        found["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "emptyDir": {"sizeLimit": memory}}]
    sent["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = 1
    assert merging.merged(there, sent) == there
    sent["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "0.6"
    (after,) = merging.merged(there, sent)["spec"]["template"]["spec"]["containers"]
    assert after["resources"]["requests"] == {"cpu": "0.6", "memory": "1Gi"}
    words = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"divisor": "1.0"}}
    assert merging.merged(words, {**words, "data": {"divisor": "1"}})["data"] == {"divisor": "1"}
    other = {"apiVersion": "x.example/v1", "kind": "K", "metadata": {"name": "k"}, "limits": {"a": "1.0"}}
    assert merging.merged(other, {**other, "limits": {"a": "1"}})["limits"] == {"a": "1"}, "as it is sent"
