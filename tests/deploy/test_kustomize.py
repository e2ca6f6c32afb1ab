"""The kustomize base: sound objects, and a configuration that `fedns check` takes."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedns import config
from fedns.cli import main
from tests.deploy import objects


def test_the_objects_keep_the_rules() -> None:
    objects.sound(list(objects.resources(objects.BASE)))


def test_the_configuration_is_the_mounted_one_and_loads() -> None:
    loaded = config.load(str(objects.BASE / "fedns.yaml"))
    assert loaded.config and not loaded.problems
    assert loaded.config.state == "/var/lib/fedns"
    assert [listen.port for listen in loaded.config.dns.listen] == [5353]
    assert (loaded.config.admin.listen.host, loaded.config.admin.listen.port) == ("127.0.0.1", 9053)


def test_check_complains_of_nothing_but_the_missing_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    result = CliRunner().invoke(main.app, ["check", "--config", str(objects.BASE / "fedns.yaml")])
    lines = [line for line in result.stdout.splitlines() if " problems" not in line]
    assert lines and all(line.startswith("in-cluster: ") for line in lines), result.stdout


def test_the_rights_are_the_least() -> None:
    settings = config.load(str(objects.BASE / "fedns.yaml")).config
    assert settings
    objects.least(list(objects.resources(objects.BASE)), settings)


def built(folder: Path) -> list[objects.Object]:
    """The objects of a kustomization, as kubectl has it."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    told = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    return objects.documents(told.stdout)


def files(found: list[objects.Object]) -> dict[str, bytes]:
    """What the pods find beside their configuration."""
    (workload,) = objects.of("StatefulSet", found)
    (volume,) = (one for one in workload["spec"]["template"]["spec"]["volumes"] if one["name"] == "config")
    assert volume["secret"]["defaultMode"] == 0o440
    (settings,) = (
        one
        for one in objects.of("Secret", found)
        if one["metadata"]["name"] == volume["secret"]["secretName"]
    )
    return {name: base64.b64decode(value) for name, value in settings["data"].items()}


def test_kubectl_builds_it() -> None:
    found = built(objects.BASE)
    objects.sound(found)
    assert files(found) == {"fedns.yaml": (objects.BASE / "fedns.yaml").read_bytes()}
    assert all(one["metadata"]["namespace"] == "fedns" for one in objects.of("Service", found))


def test_replicas_with_shared_keys_find_them_where_their_configuration_says(tmp_path: Path) -> None:
    shutil.copytree(objects.DEPLOY, tmp_path / "deploy")
    folder = tmp_path / "deploy" / "kustomize" / "shared-keys"
    made = CliRunner().invoke(main.app, ["key", "generate", "--out", str(folder / "example.com.pem")])
    assert made.exit_code == 0, made.stdout
    found = built(folder)
    objects.sound(found)
    mounted = files(found)
    loaded = config.parse(mounted["fedns.yaml"])
    assert loaded.config
    (key,) = loaded.config.dns.dnssec.files
    where, _, name = key.file.rpartition("/")
    assert (where, mounted[name]) == ("/etc/fedns", (folder / name).read_bytes())
    assert [one.hint for one in loaded.problems] == [f"looked for {key.file}"], "this machine is no pod"
    assert loaded.config.dns.cookies.secret


def test_the_gateway_in_the_same_pods() -> None:
    found = built(objects.DEPLOY / "kustomize" / "gateway")
    objects.sound(found)
    loaded = config.parse(files(found)["fedns.yaml"])
    assert loaded.config and not loaded.problems
    gateway = loaded.config.gateway
    assert [each.port for each in (*gateway.listen, *gateway.tls)] == [8080, 8443]
    names = [one["metadata"]["name"] for one in objects.of("Service", found)]
    assert gateway.service in names and len(objects.of("IngressClass", found)) == 1
    objects.least(found, loaded.config)


def test_what_is_distributed_takes_the_kinds_of_policies_and_the_right_to_read_them() -> None:
    found = built(objects.DEPLOY / "kustomize" / "distribute")
    objects.sound(found)
    loaded = config.parse(files(found)["fedns.yaml"])
    assert loaded.config and not loaded.problems and loaded.config.fleet.distribute
    objects.least(found, loaded.config)
    kinds = {one["spec"]["names"]["kind"] for one in objects.of("CustomResourceDefinition", found)}
    assert {"MemberCluster", "PropagationPolicy", "ClusterOverridePolicy"} <= kinds


def test_a_members_agent(tmp_path: Path) -> None:
    shutil.copytree(objects.DEPLOY, tmp_path / "deploy")
    folder = tmp_path / "deploy" / "kustomize" / "agent"
    (folder / "fleet.kubeconfig").write_text("{}")
    found = built(folder)
    objects.sound(found)
    mounted = files(found)
    loaded = config.parse(mounted["fedns.yaml"])
    assert loaded.config and loaded.config.member == "home"
    where, _, name = loaded.config.fleet.kubeconfig.rpartition("/")
    assert where == "/etc/fedns" and name in mounted
    (service,) = (one for one in objects.of("Service", found) if one["metadata"]["name"] == "fedns")
    assert (service["spec"]["type"], service["spec"]["clusterIP"]) == ("ClusterIP", "10.96.0.53")
