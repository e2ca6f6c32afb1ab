"""The chart: the rules of the kustomize base, by our own rendering and, where it is installed, by helm's."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from msgspec import structs

from fedns import config
from tests.deploy import chart, objects

OWN: dict[str, Any] = {
    **chart.VALUES,
    "secret": "clusters",
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "dns", "operator": "Exists"}],
    "service": {"annotations": {"a/b": "c"}, "loadBalancerSourceRanges": ["192.0.2.0/24"]},
}
QUIET: dict[str, Any] = {
    **chart.VALUES,
    "config": {**chart.VALUES["config"], "fleet": {**chart.VALUES["config"]["fleet"], "status": False}},
}
GATED: dict[str, Any] = {
    **chart.VALUES,
    "config": {
        **chart.VALUES["config"],
        "gateway": {"listen": ["0.0.0.0:8080"], "tls": ["0.0.0.0:8443"], "service": "test-gateway"},
    },
    "gateway": {"annotations": {"a/b": "c"}, "loadBalancerSourceRanges": ["192.0.2.0/24"]},
}
PLAIN: dict[str, Any] = {
    **QUIET,
    "config": {**QUIET["config"], "gateway": {"listen": ["0.0.0.0:8080"], "tls": []}},
}
SET: dict[str, Any] = {
    **chart.VALUES,
    "config": {**chart.VALUES["config"], "clusterset": {"enabled": True, "write": True, "slices": True}},
}
WRONG: list[dict[str, Any]] = [
    {"config": {**chart.VALUES["config"], "gateway": {"listen": ["0.0.0.0:80"], "tls": []}}},
    {"gateway": {"port": 80}},
    {"replica": 1},
    {"replicas": "2"},
    {"storage": {"size": "much"}},
    {"secret": 1},
]
LONG = 120.0
SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())


def test_the_objects_keep_the_rules() -> None:
    objects.sound(chart.render(chart.VALUES))


def test_the_objects_are_those_of_the_base_but_for_names() -> None:
    kinds = {one["kind"] for one in chart.render(chart.VALUES)} - {"Secret"}
    left = {"Namespace", "CustomResourceDefinition"}
    assert kinds == {one["kind"] for one in objects.resources(objects.BASE)} - left
    pods = [
        objects.of("StatefulSet", found)[0]["spec"]["template"]["spec"]["containers"][0]
        for found in (chart.render(chart.VALUES), list(objects.resources(objects.BASE)))
    ]
    for same in (
        "args",
        "env",
        "lifecycle",
        "ports",
        "securityContext",
        "livenessProbe",
        "readinessProbe",
        "resources",
    ):
        assert pods[0][same] == pods[1][same]


def test_the_definitions_are_copies() -> None:
    copies, originals = (
        {path.name: path.read_bytes() for path in folder.glob("*.fedns.io.yaml")}
        for folder in (chart.CHART / "crds", objects.DEPLOY / "crds")
    )
    assert copies == originals


def test_the_configuration_loads() -> None:
    (settings,) = objects.of("Secret", chart.render(chart.VALUES))
    loaded = config.parse(settings["stringData"]["fedns.yaml"].encode())
    assert loaded.config and not loaded.problems
    base = config.load(str(objects.BASE / "fedns.yaml")).config
    assert base and not loaded.config.clusterset.serves
    assert structs.replace(loaded.config, clusterset=base.clusterset) == base


@pytest.mark.parametrize("distribute", [True, False])
@pytest.mark.parametrize("status", [True, False])
def test_the_rights_are_the_least(status: bool, distribute: bool) -> None:
    fleet = {**chart.VALUES["config"]["fleet"], "status": status, "distribute": distribute}
    found = chart.render({**chart.VALUES, "config": {**chart.VALUES["config"], "fleet": fleet}})
    (settings,) = objects.of("Secret", found)
    loaded = config.parse(settings["stringData"]["fedns.yaml"].encode()).config
    assert loaded and (loaded.fleet.status, loaded.fleet.distribute) == (status, distribute)
    objects.least(found, loaded)


def test_every_value_can_be_set() -> None:
    found = chart.render(OWN)
    (workload,) = objects.of("StatefulSet", found)
    pod = workload["spec"]["template"]["spec"]
    assert (pod["nodeSelector"], pod["tolerations"]) == (OWN["nodeSelector"], OWN["tolerations"])
    assert pod["volumes"][-1] == {
        "name": "secret",
        "secret": {"secretName": "clusters", "defaultMode": 0o440},
    }
    assert pod["containers"][0]["volumeMounts"][-1]["mountPath"] == "/etc/fedns-secrets"
    service = next(one for one in objects.of("Service", found) if one["spec"].get("type"))
    assert service["metadata"]["annotations"] == {"fedns.io/publish": "false", "a/b": "c"}
    assert service["spec"]["loadBalancerSourceRanges"] == ["192.0.2.0/24"]


@pytest.mark.parametrize("values", [chart.VALUES, QUIET])
@pytest.mark.parametrize("keys", [("enabled",), ("enabled", "write"), ("enabled", "write", "slices")])
def test_the_rights_of_a_cluster_set(keys: tuple[str, ...], values: dict[str, Any]) -> None:
    told = {**chart.VALUES["config"]["clusterset"], **dict.fromkeys(keys, True)}
    found = chart.render({**values, "config": {**values["config"], "clusterset": told}})
    (settings,) = objects.of("Secret", found)
    loaded = config.parse(settings["stringData"]["fedns.yaml"].encode()).config
    assert loaded and loaded.clusterset.serves
    objects.least(found, loaded)


@pytest.mark.parametrize("values", [GATED, PLAIN])
def test_the_gateway_in_the_same_pods(values: dict[str, Any]) -> None:
    found = chart.render(values)
    objects.sound(found)
    (settings,) = objects.of("Secret", found)
    loaded = config.parse(settings["stringData"]["fedns.yaml"].encode()).config
    assert loaded and loaded.gateway.serves
    objects.least(found, loaded)
    (service,) = (one for one in objects.of("Service", found) if one["metadata"]["name"] == "test-gateway")
    ports = [port["port"] for port in service["spec"]["ports"]]
    assert ports == ([80, 443] if loaded.gateway.tls else [80])
    assert objects.of("IngressClass", found)
    if values is GATED:
        assert service["metadata"]["annotations"] == {"fedns.io/publish": "false", "a/b": "c"}
        assert service["spec"]["loadBalancerSourceRanges"] == ["192.0.2.0/24"]


@pytest.mark.parametrize("values", [chart.VALUES, OWN, GATED, PLAIN, SET])
def test_the_values_fit_their_schema(values: dict[str, Any]) -> None:
    objects.fits(values, SCHEMA, "values")


@pytest.mark.parametrize("wrong", WRONG)
def test_the_schema_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        objects.fits({**chart.VALUES, **wrong}, SCHEMA, "values")


def test_helm_takes_it_and_renders_the_same(tool: Callable[[str], str]) -> None:
    program = tool("helm")
    told = subprocess.run(
        [program, "lint", "--strict", str(chart.CHART)], capture_output=True, text=True, timeout=LONG
    )
    assert told.returncode == 0, told.stdout + told.stderr
    for values in (chart.VALUES, OWN, QUIET, GATED, PLAIN, SET):
        done = rendered(program, values)
        assert done.returncode == 0, done.stderr
        assert sorted(map(str, objects.documents(done.stdout))) == sorted(map(str, chart.render(values)))


@pytest.mark.parametrize("distribute", [False, True])
def test_helm_installs_the_kinds_of_policies_where_objects_are_distributed(
    tool: Callable[[str], str], distribute: bool
) -> None:
    told = {**chart.VALUES["config"]["fleet"], "distribute": distribute}
    done = rendered(tool("helm"), {"config": {"fleet": told}}, "--include-crds")
    found = [
        one["metadata"]["name"]
        for one in objects.of("CustomResourceDefinition", objects.documents(done.stdout))
    ]
    policies = [name for name in found if name.endswith(".policy.karmada.io")]
    assert len(policies) == (4 if distribute else 0) and "memberclusters.fedns.io" in found


@pytest.mark.parametrize("wrong", WRONG)
def test_helm_refuses_what_the_schema_does(tool: Callable[[str], str], wrong: dict[str, Any]) -> None:
    done = rendered(tool("helm"), {**chart.VALUES, **wrong})
    assert done.returncode != 0 and "values don't meet the specifications" in done.stderr


def rendered(program: str, values: dict[str, Any], *more: str) -> subprocess.CompletedProcess[str]:
    words = [program, "template", "test", str(chart.CHART), "--namespace", "names", "--values", "-", *more]
    text = yaml.safe_dump(values)
    return subprocess.run(words, input=text, capture_output=True, text=True, timeout=LONG, check=False)
