"""Ingresses, classes and Secrets stripped to what we use."""

import base64
from typing import Any

import msgspec
import pytest

from fedns.model import ingress
from fedns.sources import entries
from fedns.sources.objects import WrongShape

V1 = "networking.k8s.io/v1"


def strip(kind: str, found: dict[str, Any], version: str = V1) -> Any:
    row = entries.KINDS[version, kind]
    return row.strip(msgspec.convert({"metadata": {"name": "web", "namespace": "shop"}} | found, row.shape))


def backend(service: str, **port: Any) -> dict[str, Any]:
    return {"service": {"name": service, "port": port}}


def test_an_ingress_word_for_word() -> None:
    meta = {
        "name": "web",
        "namespace": "shop",
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "annotations": {"x/y": " z ", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }
    spec = {
        "ingressClassName": "fedns",
        "defaultBackend": backend("sorry", name="http"),
        "tls": [{"hosts": ["a.b"], "secretName": "cert"}, {}],
        "rules": [
            {
                "host": "a.b",
                "http": {"paths": [{"path": "/x", "pathType": "Exact", "backend": backend("s", number=80)}]},
            },
            {"http": {"paths": [{"backend": backend("t")}]}},
            {"host": "c.d"},
        ],
    }
    assert strip("Ingress", {"metadata": meta, "spec": spec}) == ingress.Ingress(
        "shop",
        "web",
        1767323045.0,
        "fedns",
        {"x/y": " z "},
        (
            ingress.Rule("a.b", (ingress.Path("/x", "Exact", ingress.Backend("s", "80")),)),
            ingress.Rule("", (ingress.Path("/", "ImplementationSpecific", ingress.Backend("t", "")),)),
            ingress.Rule("c.d"),
        ),
        ingress.Backend("sorry", "http"),
        (ingress.Tls(("a.b",), "cert"), ingress.Tls()),
    )


def test_the_older_annotation_of_the_class_counts_first() -> None:
    meta = {"name": "web", "annotations": {entries.CLASS: "old"}}
    assert strip("Ingress", {"metadata": meta, "spec": {"ingressClassName": "new"}}).klass == "old"
    assert strip("Ingress", {"metadata": {"name": "web"}}).namespace == "default"


@pytest.mark.parametrize(
    ("found", "path"),
    [
        (
            {"spec": {"defaultBackend": {"resource": {"kind": "Bucket", "name": "b"}}}},
            "$.spec.defaultBackend",
        ),
        (
            {"spec": {"rules": [{"http": {"paths": [{"pathType": "Regex", "backend": backend("s")}]}}]}},
            "$.spec.rules[0].http.paths[0].pathType",
        ),
        ({"metadata": {"name": "w", "creationTimestamp": "yesterday"}}, "$.metadata.creationTimestamp"),
    ],
)
def test_what_cannot_be_used_names_its_place(found: dict[str, Any], path: str) -> None:
    with pytest.raises(WrongShape) as wrong:
        strip("Ingress", found)
    assert str(wrong.value).endswith(f"at `{path}`")


def test_classes() -> None:
    meta = {"name": "fedns", "annotations": {entries.DEFAULT_CLASS: "true"}}
    found = strip("IngressClass", {"metadata": meta, "spec": {"controller": "fedns.io/gateway"}})
    assert found == ingress.IngressClass("fedns", "fedns.io/gateway", True)


def test_secrets_are_decoded_and_not_shown() -> None:
    data = {"auth": base64.b64encode(b"jo:x").decode()}
    found = strip("Secret", {"data": data, "stringData": {"b": "c"}}, "v1")
    assert found == ingress.Secret("shop", "web", "Opaque", {"auth": b"jo:x", "b": b"c"})
    assert "jo" not in repr(found)
    assert strip("Secret", {"type": "helm.sh/release.v1", "data": data}, "v1") is None
    for bad in ({"a": "%%%"}, {"a": "A" * (2 << 20)}):
        with pytest.raises(WrongShape):
            strip("Secret", {"data": bad}, "v1")
