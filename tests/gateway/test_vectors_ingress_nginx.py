"""ingress-nginx's own end-to-end tests, as far as they are about decisions: which backend, which answer.

What needs sockets, configuration of nginx or a controller's flags is listed with the reason, file by file.
"""

from typing import Any

import pytest

from fedns.gateway import compile, cors, decide
from fedns.model.ingress import Backend, Ingress, IngressClass, Rule
from tests.conformance import vectors
from tests.gateway import ingresses

_TESTS = vectors.load("ingress_nginx_e2e")["tests"]
HERE = {
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
}
DATA_PATH = {
    "annotations/affinity.go": "the annotations are not among the vectors; test_affinity has the same cases",
    "annotations/affinitymode.go": "needs answers of several backends",
    "annotations/auth.go": "credentials and subrequests",
    "annotations/authtls.go": "handshakes",
    "annotations/clientbodybuffersize.go": "bodies",
    "annotations/customheaders.go": "answers of backends",
    "annotations/customhttperrors.go": "answers of backends",
    "annotations/disableaccesslog.go": "the access log",
    "annotations/limitconnections.go": "connections",
    "annotations/proxyssl.go": "handshakes with backends",
    "annotations/satisfy.go": "subrequests",
    "annotations/serviceupstream.go": "endpoints, which are the model's here",
    "settings/enable_real_ip.go": "trusted peers",
    "settings/grpc.go": "HTTP/2",
    "settings/keep-alive.go": "connections",
    "settings/limit_rate.go": "bodies",
    "settings/listen_nondefault_ports.go": "listeners",
    "settings/proxy_connect_timeout.go": "times",
    "settings/proxy_next_upstream.go": "retries",
    "settings/proxy_protocol.go": "connections",
    "settings/proxy_read_timeout.go": "times",
    "settings/proxy_send_timeout.go": "times",
    "settings/tls.go": "handshakes",
}
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
DEVIATIONS = {
    ("annotations/fromtowwwredirect.go", 38): "the port is that of the request's Host; none is made up",
    ("annotations/rewrite.go", 113): "the vector lost the second expectation: it is /new/backend",
    ("ingress/multiple_rules.go", 38): "the second rule is not among the vectors",
    ("ingress/without_host.go", 55): "the Ingress is not among the vectors; test_compile has the case",
    ("settings/disable_catch_all.go", 81): "a flag of the controller",
    ("settings/ingress_class.go", 106): "the classes are not among the vectors; test_compile has such cases",
    ("settings/ingress_class.go", 166): "a class is not demanded here where no other is the default",
    ("settings/ingress_class.go", 194): "the objects change on the way",
    ("settings/ingress_class.go", 414): "a flag of the controller",
    ("settings/ingress_class.go", 648): "the class is not among the vectors",
}
KLASS = "$ingressclass.IngressKey"
OURS = "$ingressclass.DefaultAnnotationValue"
STATUS = {"$http.StatusFound": "302"}


def _file(test: dict[str, Any]) -> str:
    return str(test["file"]).removeprefix("test/e2e/")


def test_every_file_is_placed() -> None:
    files = {_file(test) for test in _TESTS}
    assert files == HERE | DATA_PATH.keys() | NOT_OURS.keys()
    assert not HERE & (DATA_PATH.keys() | NOT_OURS.keys())


def _text(value: Any) -> str:
    """A value of an annotation, with Go's constants for it."""
    if isinstance(value, dict):
        return STATUS[value["args"][0]]
    return "echo" if value == "$framework.EchoService" else str(value)


def _ingress(each: dict[str, Any], at: int) -> Ingress:
    asked = {key: _text(value) for key, value in (each["annotations"] or {}).items()}
    named = asked.pop(KLASS, OURS)
    regex = any(key.endswith(("use-regex", "rewrite-target")) for key in asked)
    kind = "ImplementationSpecific" if regex else "Prefix"
    backend = Backend(each["service"], str(each["port"]))
    rule = ingresses.one(each["host"], ingresses.path(each["path"], backend.service, kind))
    return Ingress(
        "ns", each["name"], float(at), "" if named == OURS else named, asked, (Rule(rule.host, rule.paths),)
    )


def _output(test: dict[str, Any]) -> compile.Output:
    """Where a test changes an object, its last state counts."""
    last = {each["name"]: _ingress(each, at) for at, each in enumerate(test["ingresses"])}
    given = compile.Input(tuple(last.values()), (IngressClass("nginx", compile.CONTROLLER, default=True),))
    return compile.table(given, compile.Settings())


def _answer(output: compile.Output, asked: dict[str, Any]) -> tuple[int, dict[str, str], str]:
    """Status, header fields, and what an echo server would tell of the request."""
    headers = dict(asked.get("headers", {}))
    host = headers.pop("Host", "nobody")
    cookies = {name: _cookie(output, host, value) for name, value in asked.get("cookies", {}).items()}
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    head = ingresses.request(host, asked["path"], *headers.items(), method=asked["method"])
    head.client = headers.get("X-Forwarded-For", "192.0.2.1")
    dead = {b"ns/invalid/80"}
    made = decide.decide(output.table, head, 0.5, lambda pool: pool not in dead)
    fields = {name.decode(): value.decode() for name, value in made.fields}
    if made.status:
        return made.status, fields, "404 Not Found"
    assert made.options is not None
    if made.options.cors is not None:
        fields.update({name.decode(): value.decode() for name, value in cors.fields(made.options.cors, head)})
    service = made.pool.decode().split("/")[1]
    told = f"{service} host={host} request_uri=http://{host}:80{made.target.decode()}"
    told += f" x-forwarded-prefix={made.options.prefix.decode()} x-code=503 x-ingress-name=default-backend"
    return 200, fields, told + " x-service-name=invalid x-request-id=something-unique"


def _cookie(output: compile.Output, host: str, value: str) -> str:
    """The cookie of a first answer, which came from the canary."""
    if not value.startswith("$affinityCookie"):
        return value
    return f"abc.{output.table.hosts[host.encode()].prefix[b'/info'].canaries[0].tag.decode()}"


def _holds(check: list[Any], fields: dict[str, str], body: str) -> bool:
    where, how, *values = check
    if where == "headers":
        found = fields.get(values[0])
        return found is not None if how == "ContainsKey" else [found] == values[1]
    text = body if where == "body" else fields.get(where.removeprefix("header:"), "")
    return {
        "Contains": values[0] in text,
        "NotContains": values[0] not in text,
        "Equal": values[0] == text,
    }[how]


@pytest.mark.parametrize(
    "test",
    [each for each in _TESTS if _file(each) in HERE and (_file(each), each["line"]) not in DEVIATIONS],
    ids=lambda test: f"{_file(test)}:{test['line']}",
)
def test_decisions(test: dict[str, Any]) -> None:
    output = _output(test)
    for each in test["requests"]:
        status, fields, body = _answer(output, each["request"])
        assert status == each["expect"].get("status", status), each
        for check in each["expect"].get("checks", ()):
            assert _holds(check, fields, body), (check, fields, body)


def test_what_the_vectors_lost() -> None:
    rewrite = next(each for each in _TESTS if _file(each) == "annotations/rewrite.go" and each["line"] == 113)
    output = _output(rewrite)
    for path, sent in (("/foo", "/foo"), ("/foo/bar", "/new/backend")):
        made = decide.decide(output.table, ingresses.request("rewrite.bar.com", path))
        assert made.target.decode() == sent
    www = next(each for each in _TESTS if _file(each) == "annotations/fromtowwwredirect.go")
    for port in ("", ":8080"):
        asked = ingresses.request(f"www.fromtowwwredirect.bar.com{port}", "/foo")
        made = decide.decide(_output(www).table, asked)
        assert made.status == 308
        assert made.fields == ((b"Location", f"http://fromtowwwredirect.bar.com{port}/foo".encode()),)


def test_origins_that_are_not_allowed_are_told_nothing() -> None:
    """The vectors have these as requests without a check."""
    found = 0
    for test in _TESTS:
        for each in test["requests"] if _file(test) == "annotations/cors.go" else ():
            if "Origin" in each["request"]["headers"] and not each["expect"]:
                _, fields, _ = _answer(_output(test), each["request"])
                assert "Access-Control-Allow-Origin" not in fields, each
                found += 1
    assert found >= 7
