"""Ingresses and requests, briefly written, for tests of the gateway."""

from typing import Any

from fedns.gateway import compile, decide, head, route
from fedns.model.ingress import Backend, Ingress, Kind, Path, Rule

NS = "shop"


def backend(text: str) -> Backend:
    """`service` or `service:port`."""
    service, _, port = text.partition(":")
    return Backend(service, port or "80")


def path(text: str, to: str, kind: Kind = "Prefix") -> Path:
    return Path(text, kind, backend(to))


def ingress(name: str, *rules: Rule, **more: Any) -> Ingress:
    """`more`: other fields; annotations without a family are nginx's."""
    asked = more.pop("annotations", {})
    full = {key if "/" in key else f"nginx.ingress.kubernetes.io/{key}": text for key, text in asked.items()}
    return Ingress(NS, name, rules=rules, annotations=full, **more)


def one(host: str, *paths: Path) -> Rule:
    return Rule(host, paths)


def built(*ingresses: Ingress, settings: compile.Settings | None = None) -> compile.Output:
    """What these compile to, after a turn through its bytes."""
    output = compile.table(compile.Input(ingresses), settings or compile.Settings())
    assert route.table(route.encode(output.table)) == output.table
    return output


def request(host: str, target: str, *headers: tuple[str, str], method: str = "GET") -> head.Head:
    fields = [(b"host", host.encode()), *((n.lower().encode(), v.encode()) for n, v in headers)]
    return head.read(method.encode(), target.encode("latin-1"), fields)


def service(output: compile.Output, asked: head.Head) -> str | int:
    """The service that a request goes to, or the status it is answered with."""
    made = decide.decide(output.table, asked)
    return made.status or made.pool.decode().split("/")[1]


def ruled(case: dict[str, Any]) -> list[Ingress]:
    """The rules of a vector: each an object of its own, the older first."""
    found = [
        ingress(
            f"i{at}",
            one(rule["host"], *(path(p["path"], p["backend"], p["pathType"]) for p in rule["paths"])),
            created=float(at),
        )
        for at, rule in enumerate(case["rules"])
    ]
    if case["defaultBackend"]:
        found.append(ingress("default", default=Backend(case["defaultBackend"], "80")))
    return found


def canaried(group: dict[str, Any], mode: str) -> list[Ingress]:
    """The two objects of a canary vector."""
    asked = {
        ("canary-" + key if key[:8] != "affinity" else key): str(value)
        for key, value in group["canary"].items()
    }
    host = asked.pop("canary-host", "h")
    sticky = {key: asked.pop(key) for key in ("affinity",) if key in asked}
    same = group["name"] == "canary is same service as main"
    first, second = one("h", path("/", "main")), one(host, path("/", "main" if same else "canary"))
    return [
        ingress("main", first, annotations={**sticky, "fedns.io/canary-mode": mode}),
        ingress("canary", second, annotations={"canary": "true", **asked}, created=1.0),
    ]
