"""What the fleet says about HTTP, put together; Secrets that nobody names are left out."""

from typing import Any

from fedns.model.ingress import Ingress, IngressClass, Said, Secret, Tls
from fedns.sources import ingresses

NAMED = Secret("shop", "cert", "kubernetes.io/tls", {"tls.crt": b"x"})
OTHER = Secret("shop", "mine", "Opaque", {})
USERS = Secret("ops", "users", "Opaque", {"auth": b"jo:x"})
WEB = Ingress(
    "shop",
    "web",
    annotations={"nginx.ingress.kubernetes.io/auth-secret": "ops/users"},
    tls=(Tls(("a.b",), "cert"), Tls()),
)


def keyed(*values: Any) -> list[tuple[tuple[str, str, str], Any]]:
    return [((type(each).__name__, getattr(each, "namespace", ""), each.name), each) for each in values]


def test_only_secrets_that_are_named_are_kept() -> None:
    ours = IngressClass("fedns", "fedns.io/gateway")
    found = ingresses.said([*keyed(OTHER, USERS, WEB, NAMED, ours), (("TrafficPolicy", "", "p"), object())])
    assert found == Said((WEB,), (ours,), {"ops/users": USERS, "shop/cert": NAMED})


def test_what_cannot_be_read_yet_stays_beside_what_can() -> None:
    api = Ingress("shop", "api")
    before = Said((WEB,), (), {"shop/cert": NAMED})
    assert ingresses.kept(before, Said((api,))) == Said((api, WEB), (), {"shop/cert": NAMED})
