"""MemberCluster objects and the Secrets they name: what is taken of them, and what cannot be meant."""

import base64
from typing import Any

import msgspec
import pytest

from fedns.sources import kubernetes, objects, registrations
from fedns.values import Taint

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def member(name: str = "eu", **spec: Any) -> dict[str, Any]:
    given = {"server": "https://10.0.0.1:6443/", "secretRef": {"name": "eu"}, **spec}
    meta = {"name": name, "labels": {"tier": "prod"}, "generation": 3, "resourceVersion": "7"}
    return {
        "apiVersion": "fedns.io/v1alpha1",
        "kind": "MemberCluster",
        "metadata": meta,
        "spec": given,
        "status": {"version": "v1.34.1"},
    }


def secret(**data: str) -> dict[str, Any]:
    meta = {"name": "eu", "namespace": "fedns"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}


def read(value: dict[str, Any]) -> Any:
    resource = registrations.SECRETS if value["kind"] == "Secret" else registrations.MEMBERS
    decode = kubernetes.decoding(resource.kind, registrations.KINDS[resource])
    return decode(msgspec.json.encode(value))


def test_a_member_has_what_its_object_says() -> None:
    spec = {
        "caBundle": b64(PEM),
        "tlsServerName": "kubernetes",
        "region": "europe-west1",
        "zones": ["europe-west1-b"],
        "clients": ["10.64.0.0/14", "2001:DB8::/32"],
        "selector": "a=b",
        "namespaces": "c in (d, e)",
        "gateway": "addresses",
        "exports": True,
        "aliases": ["c1b2"],
        "provider": "aliyun",
        "taints": ["a=b:NoExecute", "c:NoSchedule"],
    }
    found = read(member(**spec))
    assert found.key == ("MemberCluster", "", "eu")
    assert found.value == registrations.Registration(
        name="eu",
        server="https://10.0.0.1:6443",
        secret="eu",
        ca=PEM,
        server_name="kubernetes",
        region="europe-west1",
        zones=("europe-west1-b",),
        labels={"tier": "prod"},
        clients=("10.64.0.0/14", "2001:db8::/32"),
        selector="a=b",
        namespaces="c in (d, e)",
        gateway="addresses",
        exports=True,
        aliases=("c1b2",),
        provider="aliyun",
        taints=(Taint("a", "b", "NoExecute"), Taint("c", "", "NoSchedule")),
        generation=3,
    )


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"server": "http://10.0.0.1"}, "no URL like https://HOST:PORT - at `$.spec.server`"),
        ({"server": "https://u:p@h"}, "$.spec.server"),
        ({"server": "https://h:x"}, "$.spec.server"),
        ({"server": "https://h?a=b"}, "$.spec.server"),
        ({"server": "https://"}, "$.spec.server"),
        ({"caBundle": "%"}, "no base64 - at `$.spec.caBundle`"),
        ({"caBundle": b64("hello")}, "no PEM - at `$.spec.caBundle`"),
        ({"clients": ["10.0.0.1/8"]}, "`10.0.0.1/8` is not a prefix"),
        ({"region": "Europe"}, "not a DNS label - at `$.spec.region`"),
        ({"zones": ["a.b"]}, "not a DNS label - at `$.spec.zones[...]`"),
        ({"taints": ["a:Never"]}, "'a:Never' is no taint: write KEY=VALUE:EFFECT"),
        ({"secretRef": {}}, "$.spec.secretRef"),
    ],
)
def test_what_cannot_be_meant_names_its_field(spec: dict[str, Any], told: str) -> None:
    found = read(member(**spec))
    assert found.value is None and told in found.trouble


def test_a_name_that_is_none_is_refused() -> None:
    assert "no host name" in read(member("a" * 64)).trouble


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"token": b64("t0k\n")}, registrations.Credentials("t0k")),
        (
            {"tls.crt": b64(PEM), "tls.key": b64(PEM.replace("CERTIFICATE", "EC PRIVATE KEY"))},
            registrations.Credentials("", f"{PEM}\n{PEM.replace('CERTIFICATE', 'EC PRIVATE KEY')}"),
        ),
    ],
)
def test_a_secret_has_a_token_or_a_certificate(data: dict[str, str], told: registrations.Credentials) -> None:
    assert read(secret(**data)).value == told


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({}, "there is no `token`"),
        ({"tls.crt": b64(PEM)}, "there is no `token`"),
        ({"token": b64(" ")}, "no token"),
        ({"token": b64("a b")}, "no token"),
        ({"token": "%"}, "no base64"),
        ({"tls.crt": b64("x"), "tls.key": b64("x")}, "no PEM"),
    ],
)
def test_a_secret_without_either_is_none(data: dict[str, str], told: str) -> None:
    found = read(secret(**data))
    assert found.value is None and told in found.trouble


def test_credentials_are_in_no_log() -> None:
    assert "t0k" not in repr(registrations.Credentials("t0k"))


def test_kinds_are_those_of_the_api() -> None:
    assert {one.api_version for one in registrations.KINDS} == {"fedns.io/v1alpha1", "v1"}
    assert all(isinstance(one, objects.Kind) for one in registrations.KINDS.values())
