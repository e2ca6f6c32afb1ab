"""What a kubeconfig says of a cluster, whoever the user of the context is."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedns.kube import endpoint
from fedns.kube.endpoint import Endpoint
from fedns.kube.failure import NoAccess

TEXT = """apiVersion: v1
kind: Config
current-context: b
clusters:
- {name: one, cluster: {server: "https://one/"}}
- name: two
  cluster: %s
contexts:
- {name: a, context: {cluster: one, user: u}}
- {name: b, context: {cluster: two, user: u}}
- {name: c, context: {cluster: three}}
"""


def written(folder: Path, **cluster: Any) -> str:
    path = folder / "k"
    path.write_text(TEXT % yaml.safe_dump({"server": "https://two:6443", **cluster}, default_flow_style=True))
    return str(path)


def test_a_context_and_the_current_one(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert endpoint.read(path) == Endpoint("https://two:6443", context="b")
    assert endpoint.read(path, "a") == Endpoint("https://one", context="a")
    assert endpoint.contexts(path) == ("a", "b", "c")


def test_what_else_there_is_to_know(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("PEM\n")
    path = written(
        tmp_path, **{"certificate-authority": "ca", "tls-server-name": "n", "proxy-url": "http://p"}
    )
    assert endpoint.read(path)[:5] == ("https://two:6443", "PEM\n", "n", False, "http://p")
    data = base64.b64encode(b"inline").decode()
    path = written(tmp_path, **{"certificate-authority-data": data, "insecure-skip-tls-verify": True})
    assert endpoint.read(path)[:4] == ("https://two:6443", "inline", "", True)


@pytest.mark.parametrize(
    ("context", "cluster", "told"),
    [
        ("d", {}, "no context 'd' (known: a, b, c)"),
        ("c", {}, "no cluster 'three' (known: one, two)"),
        ("", {"server": ""}, "its cluster has no `server`"),
        ("", {"certificate-authority": "none"}, "none: No such file or directory"),
        ("", {"certificate-authority-data": "?"}, "is no kubeconfig"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, context: str, cluster: dict[str, Any], told: str) -> None:
    with pytest.raises(NoAccess) as failure:
        endpoint.read(written(tmp_path, **cluster), context)
    assert told in str(failure.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "a: [", "clusters: 1\ncurrent-context: x", "text", "current-context: x"]
)
def test_files_that_are_no_kubeconfig(tmp_path: Path, text: str) -> None:
    path = tmp_path / "k"
    path.write_text(text)
    with pytest.raises(NoAccess):
        endpoint.read(str(path))
    assert endpoint.contexts(str(path)) == ()
