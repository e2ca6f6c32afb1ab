"""`fedns join` and `unjoin` with real API servers: the rights hold there, and no others do."""

import base64
import json
import secrets
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedns.cli import codes, main
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import fleets

MEMBER = {"apiVersion": "fedns.io/v1alpha1", "kind": "MemberCluster", "metadata": {"name": "eu"}}


def said(*words: str, code: int = codes.OK) -> str:
    done = CliRunner().invoke(main.app, words)
    assert done.exit_code == code, done.output
    return done.output


def asked(cluster: clusters.Cluster, token: str, path: str) -> int:
    """The status that the bearer of a token gets."""
    request = urllib.request.Request(f"{cluster.url}{path}", headers={"Authorization": f"Bearer {token}"})
    trust = ssl.create_default_context(cafile=cluster.ca)
    try:
        with urllib.request.urlopen(request, timeout=20, context=trust) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_cluster_joins_and_leaves(
    farm: clusters.Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    farm.fleet.define(*fleets.DEFINITIONS)
    farm.one.put(kubecluster.node("n", "europe-west1", "europe-west1-b"))
    for cluster in farm.clusters:
        cluster.kubeconfig(tmp_path / cluster.name)
    Path("fedns.yaml").write_text("federation: f\ndomain: example.com\nfleet: {kubeconfig: fleet}\n")
    # No controller fills Secrets here, nor empties namespaces that are removed.
    space = f"joined-{secrets.token_hex(3)}"
    words = ("eu", "--kubeconfig", "one", "--namespace", space)
    told = json.loads(said("join", *words, "--exports", "--duration", "1h", "-o", "json"))
    assert (told["region"], told["zones"]) == ("europe-west1", ["europe-west1-b"]) and told["token_ends"]
    found = farm.fleet.get(MEMBER)
    assert found["spec"]["server"] == farm.one.url and found["metadata"]["annotations"]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "member-eu", "namespace": "fedns"}}
    token = base64.b64decode(farm.fleet.get(secret)["data"]["token"]).decode()
    named = "/apis/about.k8s.io/v1/clusterproperties?fieldSelector=metadata.name%3D"
    statuses = {
        "/api/v1/services?limit=1": 200,
        "/apis/discovery.k8s.io/v1/endpointslices?limit=1": 200,
        "/api/v1/nodes": 200,
        "/api/v1/namespaces/kube-system": 200,
        "/api/v1/namespaces": 403,
        "/api/v1/secrets": 403,
        f"{named}cluster.clusterset.k8s.io": 404,  # allowed; the kind is not there
        f"{named}other": 403,
    }
    assert {path: asked(farm.one, token, path) for path in statuses} == statuses
    again = json.loads(said("join", *words, "--exports", "--duration", "1h", "-o", "json"))
    assert not any(one["changed"] for one in again["made"])
    assert "is registered already, as eu" in said("join", "us", *words[1:], code=codes.PROBLEMS)
    assert "another cluster" in said("unjoin", "eu", "--kubeconfig", "two", "--yes", code=codes.PROBLEMS)
    assert f"removed   Namespace {space}" in said("unjoin", *words, "--yes")
    with pytest.raises(clusters.Refused):
        farm.fleet.get(MEMBER)
    assert asked(farm.one, token, "/api/v1/services") in (401, 403)  # tokens are remembered for seconds
