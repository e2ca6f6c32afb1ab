"""ingress-nginx's own end-to-end tests, as far as they are about decisions: which backend, which answer.

What needs connections is in `tests/conformance/test_vectors_ingress.py`, with these once more.
"""

from typing import Any

import pytest

from fedns.gateway import compile, cors, decide
from fedns.model.ingress import IngressClass
from tests.conformance import vectors
from tests.gateway import ingresses, nginx

_TESTS = vectors.load("ingress_nginx_e2e")["tests"]


def test_every_file_is_placed() -> None:
    files = {nginx.file(test) for test in _TESTS}
    assert files == nginx.HERE | nginx.CONNECTED | nginx.NOT_OURS.keys()
    assert len(files) == len(nginx.HERE) + len(nginx.CONNECTED) + len(nginx.NOT_OURS)


def _output(test: dict[str, Any]) -> compile.Output:
    """Where a test changes an object, its last state counts."""
    last = {each["name"]: nginx.ingress(each, at) for at, each in enumerate(test["ingresses"])}
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
    [each for each in _TESTS if nginx.file(each) in nginx.HERE and nginx.key(each) not in nginx.DEVIATIONS],
    ids=lambda test: f"{nginx.file(test)}:{test['line']}",
)
def test_decisions(test: dict[str, Any]) -> None:
    output = _output(test)
    for each in test["requests"]:
        status, fields, body = _answer(output, each["request"])
        assert status == each["expect"].get("status", status), each
        for check in each["expect"].get("checks", ()):
            assert _holds(check, fields, body), (check, fields, body)


def test_what_the_vectors_lost() -> None:
    rewrite = next(
        each for each in _TESTS if nginx.file(each) == "annotations/rewrite.go" and each["line"] == 113
    )
    output = _output(rewrite)
    for path, sent in (("/foo", "/foo"), ("/foo/bar", "/new/backend")):
        made = decide.decide(output.table, ingresses.request("rewrite.bar.com", path))
        assert made.target.decode() == sent
    www = next(each for each in _TESTS if nginx.file(each) == "annotations/fromtowwwredirect.go")
    for port in ("", ":8080"):
        asked = ingresses.request(f"www.fromtowwwredirect.bar.com{port}", "/foo")
        made = decide.decide(_output(www).table, asked)
        assert made.status == 308
        assert made.fields == ((b"Location", f"http://fromtowwwredirect.bar.com{port}/foo".encode()),)


def test_origins_that_are_not_allowed_are_told_nothing() -> None:
    """The vectors have these as requests without a check."""
    found = 0
    for test in _TESTS:
        for each in test["requests"] if nginx.file(test) == "annotations/cors.go" else ():
            if "Origin" in each["request"]["headers"] and not each["expect"]:
                _, fields, _ = _answer(_output(test), each["request"])
                assert "Access-Control-Allow-Origin" not in fields, each
                found += 1
    assert found >= 7
