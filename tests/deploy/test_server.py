"""What a real API server says of the objects in `deploy/`: all of them are sent to it, none is kept.

Law: strictly, so that a field it does not know is an error; and without a warning.
"""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy import chart, objects
from tests.envtest import clusters


@pytest.fixture
def fleet(farm: clusters.Farm) -> clusters.Cluster:
    """A cluster that has the namespace, so that what is in it can be judged."""
    (space,) = objects.of("Namespace", objects.resources(objects.BASE))
    farm.fleet.put(space)
    return farm.fleet


def taken(farm: clusters.Farm, kubeconfig: Path, text: str) -> list[str]:
    """Applies objects without keeping them; what the server said of each."""
    words = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"]
    command = [str(farm.kubectl), "--kubeconfig", str(kubeconfig), *words]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("folder", ["base", "gateway", "distribute"])
def test_the_base_is_taken(farm: clusters.Farm, fleet: clusters.Cluster, tmp_path: Path, folder: str) -> None:
    command = [str(farm.kubectl), "kustomize", str(objects.BASE.parent / folder)]
    built = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    said = taken(farm, fleet.kubeconfig(tmp_path / "kubeconfig"), built)
    assert len(said) == len(objects.documents(built))
    assert all(line.endswith("serverside-applied (server dry run)") for line in said), said


def test_the_chart_is_taken(farm: clusters.Farm, fleet: clusters.Cluster, tmp_path: Path) -> None:
    found = chart.render(chart.VALUES, "test", "fedns")
    text = yaml.safe_dump_all(
        {**one, "metadata": {"namespace": "fedns", **one["metadata"]}}
        if not one["kind"].startswith("Cluster")
        else one
        for one in found
    )
    assert len(taken(farm, fleet.kubeconfig(tmp_path / "kubeconfig"), text)) == len(found)


def test_its_pods_are_admitted_by_the_restricted_standard(
    farm: clusters.Farm, fleet: clusters.Cluster, tmp_path: Path
) -> None:
    (workload,) = objects.of("StatefulSet", objects.resources(objects.BASE))
    (account,) = objects.of("ServiceAccount", objects.resources(objects.BASE))
    fleet.put({**account, "metadata": {**account["metadata"], "namespace": "fedns"}})
    spec = workload["spec"]["template"]["spec"]
    state = {"name": "state", "persistentVolumeClaim": {"claimName": "state-fedns-0"}}
    spec["volumes"].append(state)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fedns-0", "namespace": "fedns"}}
    kubeconfig = fleet.kubeconfig(tmp_path / "kubeconfig")
    (said,) = taken(farm, kubeconfig, yaml.safe_dump({**pod, "spec": spec}))
    assert said.startswith("pod/fedns-0 ")
    del spec["securityContext"]
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        taken(farm, kubeconfig, yaml.safe_dump({**pod, "spec": spec}))
