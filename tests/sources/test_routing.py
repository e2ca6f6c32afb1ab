"""Ingresses, classes and certificates read from the fleet's API server."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedns.model.ingress import NOTHING, Ingress, IngressClass, Said, Secret
from fedns.model.policy import ProbeSpec, TrafficPolicy
from fedns.sources import fleet, policies
from fedns.sources.change import IngressChange
from tests.fakes import kubecluster
from tests.sources import asking
from tests.sources.listening import Listener

V1 = "networking.k8s.io/v1"
OLD = Said((Ingress("shop", "old"),), (IngressClass("old", "x"),))


@pytest.fixture
def server() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as started:
        yield started


def ingress(name: str, host: str = "a.example", kind: str = "Prefix") -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": kind, "backend": backend}]}}
    spec = {"rules": [rule], "tls": [{"hosts": [host], "secretName": "cert"}]}
    return {
        "apiVersion": V1,
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
    }


def secret(name: str) -> dict[str, Any]:
    data = {"tls.crt": base64.b64encode(b"chain").decode(), "tls.key": base64.b64encode(b"key").decode()}
    meta = {"name": name, "namespace": "shop"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": meta,
        "type": "kubernetes.io/tls",
        "data": data,
    }


def watched(server: kubecluster.Cluster, folder: Path, test: asking.Test, before: Said = NOTHING) -> Listener:
    wanted = fleet.Wanted(policies.kinds(TrafficPolicy(), ProbeSpec()), routes=True)

    def make() -> fleet.Fleet:
        known = fleet.Before(said=before)
        return fleet.Fleet(asking.source(server, folder), wanted, known, asking.REACH, asking.PACE)

    return asking.beside(make, IngressChange, test)


def said(listener: Listener) -> Said:
    return listener.last(IngressChange).said


def names(listener: Listener) -> set[str]:
    return {each.name for each in said(listener).ingresses}


def test_ingresses_come_and_go_with_the_certificates_that_they_name(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    for each in (ingress("a"), secret("cert"), secret("other")):
        server.put(each)
    klass = {"apiVersion": V1, "kind": "IngressClass", "metadata": {"name": "fedns"}}
    server.put({**klass, "spec": {"controller": "fedns.io/gateway"}})

    async def test(listener: Listener) -> None:
        await listener.until(lambda: set(said(listener).secrets) == {"shop/cert"})
        assert names(listener) == {"a"} and said(listener).secrets["shop/cert"].data["tls.key"] == b"key"
        assert said(listener).classes == (IngressClass("fedns", "fedns.io/gateway"),)
        await asking.act(server.put, ingress("b"))
        await listener.until(lambda: names(listener) == {"a", "b"})
        await asking.act(server.delete, ingress("a"))
        await listener.until(lambda: names(listener) == {"b"})

    watched(server, tmp_path, test, OLD)


def test_a_broken_one_stays_as_it_was_and_names_the_field(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    server.put(ingress("a"))

    async def test(listener: Listener) -> None:
        await listener.until(lambda: names(listener) == {"a"})
        await asking.act(server.put, ingress("a", kind="Regex"))
        await listener.until(
            lambda: any(
                "Ingress shop/a" in one and "rules[0].http.paths[0].pathType" in one
                for one in listener.problems()
            )
        )
        assert said(listener).ingresses[0].rules[0].paths[0].kind == "Prefix"

    watched(server, tmp_path, test)


def test_certificates_that_are_refused_stay_as_they_were(server: kubecluster.Cluster, tmp_path: Path) -> None:
    server.put(ingress("a"))
    server.faults(forbidden=["secrets"])
    secrets = {"shop/cert": Secret("shop", "cert", "kubernetes.io/tls", {"tls.crt": b"old"})}

    async def test(listener: Listener) -> None:
        await listener.until(lambda: names(listener) == {"a"})
        assert said(listener).secrets == secrets
        await listener.until(lambda: any("certificates" in one for one in listener.problems()))

    watched(server, tmp_path, test, Said(secrets=secrets))


def users(name: str, text: bytes = b"jo:x") -> dict[str, Any]:
    data = {"auth": base64.b64encode(text).decode()}
    return {**secret(name), "type": "Opaque", "data": data}


def guarded(name: str, by: str) -> dict[str, Any]:
    made = ingress(name)
    made["metadata"]["annotations"] = {"nginx.ingress.kubernetes.io/auth-secret": by}
    return made


def test_of_other_secrets_those_are_kept_that_annotations_name(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    for each in (ingress("a"), secret("cert"), users("staff"), users("guests"), users("nobody")):
        server.put(each)

    async def test(listener: Listener) -> None:
        await listener.until(lambda: set(said(listener).secrets) == {"shop/cert"})
        assert not [line for line in server.log() if "Opaque" in line], "nobody named any yet"
        await asking.act(server.put, guarded("b", "staff"))
        await listener.until(lambda: set(said(listener).secrets) == {"shop/cert", "shop/staff"})
        assert said(listener).secrets["shop/staff"].data == {"auth": b"jo:x"}
        await asking.act(server.put, guarded("c", "shop/guests"))
        await listener.until(lambda: "shop/guests" in said(listener).secrets)
        await asking.act(server.put, guarded("d", "other/nobody"))
        await asking.act(server.put, users("staff", b"al:y"))
        await listener.until(lambda: said(listener).secrets["shop/staff"].data == {"auth": b"al:y"})
        assert set(said(listener).secrets) == {"shop/cert", "shop/staff", "shop/guests"}

    watched(server, tmp_path, test)


def test_a_restart_does_not_shut_what_is_guarded(server: kubecluster.Cluster, tmp_path: Path) -> None:
    for each in (guarded("a", "staff"), users("staff")):
        server.put(each)
    known = Secret("shop", "staff", "Opaque", {"auth": b"jo:x"})

    async def test(listener: Listener) -> None:
        await listener.until(lambda: names(listener) == {"a"})
        await asking.act(server.put, users("staff", b"al:y"))
        await listener.until(lambda: said(listener).secrets["shop/staff"].data == {"auth": b"al:y"})
        told = [each.said for each in listener.all(IngressChange)]
        assert all("shop/staff" in each.secrets for each in told if each.ingresses)

    watched(server, tmp_path, test, Said((Ingress("shop", "a"),), (), {"shop/staff": known}))
