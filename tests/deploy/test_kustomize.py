"""The kustomize base: sound objects, and a configuration that `fedns check` takes."""

import shutil
import subprocess

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


def test_kubectl_builds_it() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    built = subprocess.run(
        [kubectl, "kustomize", str(objects.BASE)], capture_output=True, text=True, check=True, timeout=60
    )
    found = objects.documents(built.stdout)
    objects.sound(found)
    (settings,) = objects.of("ConfigMap", found)
    assert settings["data"] == {"fedns.yaml": (objects.BASE / "fedns.yaml").read_text()}
    assert all(one["metadata"]["namespace"] == "fedns" for one in objects.of("Service", found))
