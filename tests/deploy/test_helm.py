"""The chart: the rules of the kustomize base, by our own rendering and, where it is installed, by helm's."""

import json
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from fedns import config
from tests.deploy import chart, objects

OWN: dict[str, Any] = {
    **chart.VALUES,
    "secret": "clusters",
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "dns", "operator": "Exists"}],
    "service": {"annotations": {"a/b": "c"}, "loadBalancerSourceRanges": ["192.0.2.0/24"]},
}
SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())


def test_the_objects_keep_the_rules() -> None:
    objects.sound(chart.render(chart.VALUES))


def test_the_objects_are_those_of_the_base_but_for_names() -> None:
    kinds = {one["kind"] for one in chart.render(chart.VALUES)} - {"ConfigMap"}
    left = {"Namespace", "CustomResourceDefinition"}
    assert kinds == {one["kind"] for one in objects.resources(objects.BASE)} - left
    pods = [
        objects.of("StatefulSet", found)[0]["spec"]["template"]["spec"]["containers"][0]
        for found in (chart.render(chart.VALUES), list(objects.resources(objects.BASE)))
    ]
    for same in ("args", "ports", "securityContext", "livenessProbe", "readinessProbe", "resources"):
        assert pods[0][same] == pods[1][same]


def test_the_definitions_are_copies() -> None:
    copies, originals = (
        {path.name: path.read_bytes() for path in folder.glob("*.fedns.io.yaml")}
        for folder in (chart.CHART / "crds", objects.DEPLOY / "crds")
    )
    assert copies == originals


def test_the_configuration_loads() -> None:
    (settings,) = objects.of("ConfigMap", chart.render(chart.VALUES))
    loaded = config.parse(settings["data"]["fedns.yaml"].encode())
    assert loaded.config and not loaded.problems
    assert loaded.config == config.load(str(objects.BASE / "fedns.yaml")).config


@pytest.mark.parametrize("status", [True, False])
def test_the_rights_are_the_least(status: bool) -> None:
    fleet = {**chart.VALUES["config"]["fleet"], "status": status}
    found = chart.render({**chart.VALUES, "config": {**chart.VALUES["config"], "fleet": fleet}})
    (settings,) = objects.of("ConfigMap", found)
    loaded = config.parse(settings["data"]["fedns.yaml"].encode()).config
    assert loaded and loaded.fleet.status is status
    objects.least(found, loaded)


def test_every_value_can_be_set() -> None:
    found = chart.render(OWN)
    (workload,) = objects.of("StatefulSet", found)
    pod = workload["spec"]["template"]["spec"]
    assert (pod["nodeSelector"], pod["tolerations"]) == (OWN["nodeSelector"], OWN["tolerations"])
    assert pod["volumes"][-1] == {"name": "secret", "secret": {"secretName": "clusters"}}
    assert pod["containers"][0]["volumeMounts"][-1]["mountPath"] == "/etc/fedns-secrets"
    service = next(one for one in objects.of("Service", found) if one["spec"].get("type"))
    assert service["metadata"]["annotations"] == {"fedns.io/publish": "false", "a/b": "c"}
    assert service["spec"]["loadBalancerSourceRanges"] == ["192.0.2.0/24"]


@pytest.mark.parametrize("values", [chart.VALUES, OWN])
def test_the_values_fit_their_schema(values: dict[str, Any]) -> None:
    objects.fits(values, SCHEMA, "values")


@pytest.mark.parametrize(
    "wrong", [{"replica": 1}, {"replicas": "2"}, {"storage": {"size": "much"}}, {"secret": None}]
)
def test_the_schema_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        objects.fits({**chart.VALUES, **wrong}, SCHEMA, "values")


def test_helm_renders_the_same() -> None:
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("helm is not installed")
    subprocess.run([helm, "lint", str(chart.CHART)], check=True, timeout=60)
    for values in (chart.VALUES, OWN):
        words = [helm, "template", "test", str(chart.CHART), "--namespace", "names", "--values", "-"]
        done = subprocess.run(
            words, input=yaml.safe_dump(values), capture_output=True, text=True, check=True, timeout=60
        )
        assert sorted(map(str, objects.documents(done.stdout))) == sorted(map(str, chart.render(values)))
