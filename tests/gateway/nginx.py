"""ingress-nginx's end-to-end tests as the vectors have them: where each is run or why it is not, and its
objects as fedns reads them.

Law: a file is of one kind. What a vector lost on its way (values of variables, objects made before the test)
is in `tests/conformance/lost.py`, and nowhere else.
"""

import ast
import re
from typing import Any
from urllib.parse import quote_plus

from fedns.model.ingress import Backend, Ingress, Rule, Tls
from tests.gateway import ingresses

HERE = frozenset(
    (
        "annotations/alias.go",
        "annotations/canary.go",
        "annotations/cors.go",
        "annotations/default_backend.go",
        "annotations/fromtowwwredirect.go",
        "annotations/ipdenylist.go",
        "annotations/redirect.go",
        "annotations/relativeredirects.go",
        "annotations/rewrite.go",
        "annotations/xforwardedprefix.go",
        "ingress/multiple_rules.go",
        "ingress/pathtype_prefix.go",
        "ingress/without_host.go",
        "settings/disable_catch_all.go",
        "settings/ingress_class.go",
    )
)
"""Decisions: judged without a connection, and over one."""
CONNECTED = frozenset(
    (
        "annotations/affinity.go",
        "annotations/affinitymode.go",
        "annotations/auth.go",
        "annotations/authtls.go",
        "annotations/clientbodybuffersize.go",
        "annotations/customheaders.go",
        "annotations/customhttperrors.go",
        "annotations/disableaccesslog.go",
        "annotations/limitconnections.go",
        "annotations/proxyssl.go",
        "annotations/satisfy.go",
        "annotations/serviceupstream.go",
        "settings/enable_real_ip.go",
        "settings/grpc.go",
        "settings/keep-alive.go",
        "settings/limit_rate.go",
        "settings/listen_nondefault_ports.go",
        "settings/proxy_connect_timeout.go",
        "settings/proxy_next_upstream.go",
        "settings/proxy_protocol.go",
        "settings/proxy_read_timeout.go",
        "settings/proxy_send_timeout.go",
        "settings/tls.go",
    )
)
"""Only over connections."""
NOT_OURS = {
    "annotations/fastcgi.go": "FastCGI is not spoken",
    "annotations/serversnippet.go": "no snippets",
    "annotations/snippet.go": "no snippets",
    "annotations/streamsnippet.go": "no snippets",
    "settings/aio_write.go": "nginx's configuration",
    "settings/brotli.go": "answers are not compressed",
    "settings/configmap_change.go": "nginx's configuration",
    "settings/disable_service_external_name.go": "a flag of the controller",
    "settings/geoip2.go": "nginx's module",
    "settings/global_external_auth.go": "no global authentication",
    "settings/gzip.go": "answers are not compressed",
    "settings/hash-size.go": "nginx's configuration",
    "settings/log-format.go": "nginx's configuration",
    "settings/multi_accept.go": "nginx's configuration",
    "settings/namespace_selector.go": "a flag of the controller",
    "settings/no_auth_locations.go": "nginx's configuration",
    "settings/opentelemetry.go": "no traces",
    "settings/reuse-port.go": "nginx's configuration",
    "settings/server_tokens.go": "nginx's configuration",
    "settings/ssl_ciphers.go": "nginx's configuration",
    "settings/ssl_passthrough.go": "TLS ends at the gateway",
    "settings/ssl_session_cache.go": "nginx's configuration",
    "settings/ssl_session_tickets.go": "nginx's configuration",
    "settings/stream_snippet.go": "no snippets",
}
LOST = "objects that the vector has not: over connections it is run with them"
DEVIATIONS = {
    ("annotations/fromtowwwredirect.go", 38): "the port is that of the request's Host; none is made up",
    ("annotations/rewrite.go", 113): "the vector lost the second expectation: it is /new/backend",
    ("ingress/multiple_rules.go", 38): LOST,
    ("ingress/without_host.go", 55): "a default backend is for hosts without rules too, as the API has it",
    ("settings/disable_catch_all.go", 81): "a flag of the controller",
    ("settings/ingress_class.go", 106): LOST,
    ("settings/ingress_class.go", 166): LOST,
    ("settings/ingress_class.go", 194): LOST,
    ("settings/ingress_class.go", 414): LOST,
    ("settings/ingress_class.go", 648): LOST,
}
KLASS = "$ingressclass.IngressKey"
OURS = "$ingressclass.DefaultAnnotationValue"
_KNOWN = {
    "$f.Namespace": "ns",
    "$framework.EchoService": "echo",
    "$framework.HTTP": "http",
    "$framework.HTTPS": "https",
    "$http.StatusFound": "302",
    "$s.Name": "credentials",
}
_CALL = re.compile(r"\{'_call':.*?\]\}")


def file(test: dict[str, Any]) -> str:
    return str(test["file"]).removeprefix("test/e2e/")


def key(test: dict[str, Any]) -> tuple[str, int]:
    return file(test), test["line"]


def text(value: Any, **known: str) -> str:
    """A value with Go's constants and calls worked out. `known`: other variables."""
    if isinstance(value, dict):
        if value.get("_bin") == "+":
            return text(value["a"], **known) + text(value["b"], **known)
        first, *rest = [text(each, **known) for each in value["args"]]
        return {
            "f.GetURL": lambda: f"{first}://gateway",
            "fmt.Sprintf": lambda: first.replace("%s", "{}").format(*rest),
            "strconv.Itoa": lambda: first,
            "url.QueryEscape": lambda: quote_plus(first),
        }[value["_call"]]()
    found = str(value)
    found = _CALL.sub(lambda call: text(ast.literal_eval(call[0]), **known), found)
    for name, told in known.items():
        found = found.replace(f"${name}", told).replace(f"$f.{name}", told)
    return _KNOWN.get(found, found)


def ingress(each: dict[str, Any], at: int, **known: str) -> Ingress:
    asked = {name: text(value, **known) for name, value in (each["annotations"] or {}).items()}
    named = asked.pop(KLASS, OURS)
    regex = any(name.endswith(("use-regex", "rewrite-target")) for name in asked)
    kind = "ImplementationSpecific" if regex else "Prefix"
    backend = Backend(each["service"], str(each["port"]))
    rule = ingresses.one(each["host"], ingresses.path(each["path"], backend.service, kind))
    hosts = tuple(each["host"] for _ in each.get("tls_hosts", ())[:1])
    return Ingress(
        "ns",
        each["name"],
        float(at),
        "" if named == OURS else named,
        asked,
        (Rule(rule.host, rule.paths),),
        tls=(Tls(hosts, each["host"]),) if hosts else (),
    )
