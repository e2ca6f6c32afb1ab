"""Answers that are not shown: a default backend says something instead."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedns.gateway import route
from fedns.gateway.options import Access, Errors, Options, Timeouts
from fedns.servers import tally
from tests.proxy import backends, gateways
from tests.proxy.gateways import Gateway
from tests.servers import running

PAGES = b"ns/pages/80"
_POST = b"POST /a?b HTTP/1.1\r\nHost: shop.example.com\r\nX-Code: 1\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("substitute")
    with gateways.running(state) as made:
        yield made


def _page(backend: backends.Backend, wire: backends.Wire) -> None:
    """Answers with the status that it is told of."""
    while True:
        got = wire.message()
        backend.messages.append(got)
        code = got.value(b"x-code") or b"200"
        if got.line.startswith(b"HEAD "):
            wire.send(b"HTTP/1.1 %b Sorry\r\nContent-Length: 4\r\n\r\n" % code)
        else:
            wire.reply(b"page", code + b" Sorry")


def _ill(backend: backends.Backend, wire: backends.Wire) -> None:
    while True:
        got = wire.message()
        backend.messages.append(got)
        wire.reply(b"" if got.line.startswith(b"HEAD ") else b"ill", b"503 Service Unavailable")


def _serve(
    gateway: Gateway, one: backends.Backend | None, page: backends.Backend | None, **asked: object
) -> None:
    made = Options(errors=Errors((403, 503, 504), PAGES), **asked)  # type: ignore[arg-type]
    pools = [gateways.pool([each]) if each is not None else route.Pool() for each in (one, page)]
    gateway.publish(gateways.table(made), shop=pools[0], pages=pools[1])


def test_a_page_stands_for_an_error(gateway: Gateway) -> None:
    with backends.running(("one", _ill), ("page", _page)) as (one, page), gateway.client() as client:
        _serve(gateway, one, page)
        got = client.get(b"/a?b", b"Accept: text/html\r\nX-Service-Name: mine\r\n")
        assert (got.line, got.body) == (b"HTTP/1.1 503 Sorry", b"page")
        asked = page.messages[0]
        assert asked.line == b"GET / HTTP/1.1" and asked.values(b"x-format") == [b"text/html"]
        assert asked.values(b"x-code") == [b"503"] and asked.values(b"x-original-uri") == [b"/a?b"]
        assert asked.values(b"x-namespace") == [b"ns"] and asked.values(b"x-ingress-name") == [b"shop"]
        assert asked.values(b"x-service-name") == [b"shop"] and asked.values(b"x-service-port") == [b"80"]
        assert asked.values(b"x-request-id") == one.messages[0].values(b"x-request-id")
        assert asked.values(b"host") == [gateways.HOST]
        client.send(_POST)
        assert client.message().body == b"page"
        assert page.messages[1].body == b"" and page.messages[1].value(b"content-length") is None
        assert page.messages[1].line == b"GET / HTTP/1.1" and page.messages[1].values(b"x-code") == [b"503"]
        assert client.get(method=b"HEAD").line == b"HTTP/1.1 503 Sorry"
        assert page.messages[2].line == b"HEAD / HTTP/1.1"
        assert sum(row[tally.ERRORS] for row in tally.seen(gateway.counters).values()) >= 3


def test_what_the_gateway_itself_says_is_replaced_too(gateway: Gateway) -> None:
    def silent(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.exactly(1)

    with backends.running(("one", silent), ("page", _page)) as (one, page), gateway.client() as client:
        _serve(gateway, None, page)
        assert client.get().body == b"page"
        _serve(gateway, one, page, access=Access(deny=((4, 0, 32),)))
        assert client.get().line == b"HTTP/1.1 403 Sorry"
        assert page.messages[1].value(b"x-request-id")
        _serve(gateway, one, page, timeouts=Timeouts(read=0.3))
        client.send(_POST)
        assert client.message().line == b"HTTP/1.1 504 Sorry"


def test_without_a_page_the_error_stands(gateway: Gateway) -> None:
    with backends.running(("one", _ill), ("two", _ill)) as (one, two):
        for page in (None, two):
            _serve(gateway, one, page)
            with gateway.client() as client:
                assert client.get().line == b"HTTP/1.1 503 Service Unavailable"


def test_a_body_that_still_comes_is_not_waited_for(gateway: Gateway) -> None:
    def hasty(backend: backends.Backend, wire: backends.Wire) -> None:
        wire.head()
        wire.reply(b"ill", b"503 Service Unavailable")
        wire.exactly(1 << 30)

    with backends.running(("one", hasty), ("page", _page)) as (one, page), gateway.client() as client:
        _serve(gateway, one, page)
        client.send(_POST.replace(b" 5", b" 100000000") + b"x" * 100_000)
        got = client.message()
        assert got.body == b"page" and got.value(b"connection") == b"close"


def test_the_default_backend_serves_where_nobody_does(gateway: Gateway) -> None:
    with backends.running("one", "page") as (one, page), gateway.client() as client:
        asked, pages = Options(fallback=PAGES), gateways.pool([page])
        gateway.publish(gateways.table(asked), shop=gateways.pool([one]), pages=pages)
        assert client.get(b"/a").body == b"one"
        gateway.publish(gateways.table(asked), shop=route.Pool(), pages=pages)
        running.until(lambda: client.get(b"/a").body == b"page", "the default backend serves")
        assert page.messages[0].line == b"GET /a HTTP/1.1" and page.messages[0].value(b"x-code") == b"503"
