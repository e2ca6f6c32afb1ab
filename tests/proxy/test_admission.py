"""Who may pass: names and passwords, the word of somebody else, and both together."""

import base64
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from fedns.gateway import route
from fedns.gateway.options import Access, Basic, External, Options
from tests.proxy import backends, gateways
from tests.proxy.gateways import Client, Gateway
from tests.servers import certificates, running

AUTH = b"ns/auth/80"
JO = b"Authorization: Basic %b\r\n" % base64.b64encode(b"jo:secret")
BASIC = Basic(b"staff", ((b"jo", b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="),))
_POST = b"POST /a?b HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 5\r\n%b\r\nhello"
URL = (("text", b"http://auth.example.com:8080/check?from="), ("uri", b""))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("admission")
    with gateways.running(state) as made:
        yield made


def _serve(gateway: Gateway, one: backends.Backend, auth: backends.Backend | None, **asked: Any) -> None:
    pools = [gateways.pool([each]) if each is not None else route.Pool() for each in (one, auth)]
    gateway.publish(gateways.table(Options(**asked)), shop=pools[0], auth=pools[1])


def _says(backend: backends.Backend, wire: backends.Wire) -> None:
    """Answers with the status that the request asks for."""
    while True:
        got = wire.message()
        backend.messages.append(got)
        fields = b"X-User: jo\r\nX-User: al\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Other: no\r\n"
        if got.value(b"x-more"):
            fields += (got.value(b"x-more") or b"").replace(b"=", b": ") + b"\r\n"
        wire.reply(b"mine", (got.value(b"x-want") or b"200") + b" So", fields)


def _want(client: Client, status: int, fields: bytes = b"", target: bytes = b"/") -> backends.Message:
    return client.get(target, b"X-Want: %d\r\n" % status + fields)


def _status(got: backends.Message) -> int:
    return int(got.line.split()[1])


def test_who_has_the_password_gets_in_and_it_goes_no_further(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        _serve(gateway, one, None, basic=BASIC)
        for _ in range(2):
            assert client.get(fields=JO + b"X-A: b\r\n").body == b"one"
        client.send(_POST % JO)
        assert client.message().body == b"one"
        assert [each.value(b"authorization") for each in one.messages] == [None] * 3
        assert one.messages[0].value(b"x-a") == b"b" and one.messages[2].body == b"hello"
        assert one.messages[2].line == b"POST /a?b HTTP/1.1"


def test_who_has_not_is_asked_for_it(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        _serve(gateway, one, None, basic=BASIC)
        wrong = JO.replace(b"jo", b"Jo").replace(b"c2Vj", b"c2vj")
        for fields in (b"", wrong, b"Authorization: Bearer x\r\n", b"Authorization: Basic !\r\n"):
            got = client.get(fields=fields)
            assert _status(got) == 401 and got.value(b"www-authenticate") == b'Basic realm="staff"'
        client.send(_POST % b"Expect: 100-continue\r\n")
        assert _status(client.message()) == 401
        assert not one.messages and gateway.counted("auth_401") >= 5


def test_somebody_else_lets_pass_and_says_who_it_is(gateway: Gateway) -> None:
    with backends.running("one", ("auth", _says)) as (one, auth), gateway.client() as client:
        _serve(gateway, one, auth, external=External(URL, AUTH, copied=(b"x-user", b"x-none")))
        got = _want(client, 200, b"X-User: root\r\nX-None: root\r\nX-Original-URL: x\r\n", b"/a?b")
        assert got.body == b"one" and got.values(b"set-cookie") == [b"a=1", b"b=2"]
        served, asked = one.messages[0], auth.messages[0]
        assert served.values(b"x-user") == [b"jo, al"] and not served.values(b"x-none")
        assert served.value(b"x-other") is None and served.line == b"GET /a?b HTTP/1.1"
        assert asked.line == b"GET /check?from=/a HTTP/1.1"
        assert asked.values(b"host") == [b"auth.example.com:8080"]
        assert asked.values(b"x-original-url") == [b"http://shop.example.com/a?b"]
        assert asked.values(b"x-original-method") == [b"GET"] and asked.value(b"x-want") == b"200"
        assert asked.values(b"x-auth-request-redirect") == [b"/a?b"]
        assert asked.value(b"x-forwarded-for") == b"127.0.0.1"
        client.send(_POST % b"Cookie: c\r\n")
        assert client.message().body == b"one"
        asked = auth.messages[1]
        assert asked.body == b"" and asked.value(b"content-length") is None and asked.value(b"cookie") == b"c"
        assert asked.line.startswith(b"GET ") and asked.value(b"x-original-method") == b"POST"
        assert one.messages[1].body == b"hello"
        assert len(auth.raw) == 1, "its connection is used again"


def test_somebody_else_refuses(gateway: Gateway) -> None:
    with backends.running("one", ("auth", _says)) as (one, auth), gateway.client() as client:
        _serve(gateway, one, auth, external=External(URL, AUTH, b"POST"))
        got = _want(client, 401, b"X-More: WWW-Authenticate=Bearer\r\n")
        assert _status(got) == 401 and got.value(b"www-authenticate") == b"Bearer"
        assert not got.values(b"set-cookie") and auth.messages[0].line.startswith(b"POST ")
        assert _status(_want(client, 403)) == 403
        for status in (302, 400, 404, 500, 503):
            assert _status(_want(client, status)) == 500
        signin = (("text", b"https://login.example.com?rd="), ("escaped_request_uri", b""))
        _serve(gateway, one, auth, external=External(URL, AUTH, signin=signin, cookie_always=True))
        got = _want(client, 401, target=b"/a?b")
        assert _status(got) == 302 and got.value(b"location") == b"https://login.example.com?rd=%2Fa%3Fb"
        assert got.values(b"set-cookie") == [b"a=1", b"b=2"]
        assert _want(client, 403).values(b"set-cookie") == [b"a=1", b"b=2"]
        assert not one.messages


def test_nobody_passes_when_nobody_can_be_asked(gateway: Gateway) -> None:
    def nonsense(backend: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"200 OK\r\n\r\n")

    def leaves(backend: backends.Backend, wire: backends.Wire) -> None:
        wire.message()

    closed = backends.Backend("closed")
    closed.stop()
    with backends.running("one", ("auth", nonsense), ("left", leaves)) as (one, *others):
        for auth in (*others, closed, None):
            _serve(gateway, one, auth, external=External(URL, AUTH))
            with gateway.client() as client:
                assert _status(client.get()) == 500
        for url in ("http://nobody.invalid/", "gopher://x/", "http:///"):
            _serve(gateway, one, None, external=External((("text", url.encode()),)))
            with gateway.client() as client:
                assert _status(client.get()) == 500
        assert not one.messages


def test_a_host_by_its_name(gateway: Gateway) -> None:
    with backends.running("one", ("auth", _says)) as (one, auth), gateway.client() as client:
        url = (("text", b"http://localhost:%d?a=" % auth.port), ("http_", b"x-a"))
        _serve(gateway, one, None, external=External(url))
        assert client.get(fields=b"X-A: b c HTTP/1.1\r\n").body == b"one"
        assert auth.messages[0].line == b"GET /?a=b%20c%20HTTP/1.1 HTTP/1.1"


def test_answers_are_remembered_where_they_may_be(gateway: Gateway) -> None:
    asked = External(
        URL, AUTH, copied=(b"x-user",), cache_key=(("http_", b"x-key"),), cache=((204, 600), (401, 600))
    )
    with backends.running("one", ("auth", _says)) as (one, auth), gateway.client() as client:
        _serve(gateway, one, auth, external=asked)
        for _ in range(3):
            assert _want(client, 204, b"X-Key: a\r\n").body == b"one"
            assert _status(_want(client, 401, b"X-Key: b\r\n")) == 401
        assert len(auth.messages) == 2
        assert [each.values(b"x-user") for each in one.messages] == [[b"jo, al"]] * 3
        for _ in range(2):
            assert _want(client, 200, b"X-Key: c\r\n").body == b"one"
            assert _want(client, 204, b"X-Key: d\r\nX-More: Cache-Control=no-store\r\n").body == b"one"
        assert len(auth.messages) == 6
        _serve(gateway, one, auth, external=structs.replace(asked, url=(("text", b"http://auth/other"),)))
        assert _status(_want(client, 401, b"X-Key: a\r\n")) == 401, "what another said counts no more"


def test_both_or_either(gateway: Gateway) -> None:
    with backends.running("one", ("auth", _says)) as (one, auth), gateway.client() as client:
        _serve(gateway, one, auth, basic=BASIC, external=External(URL, AUTH))
        assert _want(client, 200, JO).body == b"one"
        assert _status(_want(client, 403, JO)) == 403 and _status(_want(client, 200)) == 401
        _serve(gateway, one, auth, basic=BASIC, external=External(URL, AUTH), either=True)
        assert _want(client, 403, JO).body == b"one" and _want(client, 200).body == b"one"
        assert _status(_want(client, 403)) == 403
        _serve(gateway, one, auth, basic=BASIC, access=Access(allow=((4, 0, 32),)), either=True)
        assert client.get().body == b"one"
        _serve(gateway, one, auth, basic=BASIC, access=Access(deny=((4, 0, 32),)), either=True)
        assert _status(client.get()) == 401 and client.get(fields=JO).body == b"one"


def test_routes_that_change_while_somebody_is_asked_cost_no_answer(gateway: Gateway) -> None:
    said = threading.Event()

    def slow(backend: backends.Backend, wire: backends.Wire) -> None:
        backend.messages.append(wire.message())
        assert said.wait(backends.LONG)
        wire.reply(b"", b"200 So")

    with backends.running("one", "two", ("auth", slow)) as (one, two, auth):
        anything = route.Location(b"ns/all */", b"/", b"ns/two/80")
        with gateway.client() as client, gateway.client() as other:
            _serve(gateway, one, auth, external=External(URL, AUTH))
            client.send(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
            running.until(lambda: auth.messages, "it is asked")
            gateway.publish(route.Table(default=anything), two=gateways.pool([two]))
            gateway.writer.publish({"gateway": {route.SERVICE + gateways.POOL: None}}, time.time())
            running.until(lambda: other.get().body == b"two", "the new routes")
            said.set()
            assert client.message().body == b"one"


def test_who_leaves_while_somebody_is_asked_leaves_nothing_behind(gateway: Gateway) -> None:
    def hangs(backend: backends.Backend, wire: backends.Wire) -> None:
        backend.messages.append(wire.message())
        with suppress(EOFError, OSError):
            wire.exactly(1)
        backend.messages.append(backends.Message(b""))

    with backends.running("one", ("auth", hangs)) as (one, auth):
        _serve(gateway, one, auth, external=External(URL, AUTH))
        with gateway.client() as client:
            client.send(_POST % b"")
            running.until(lambda: len(auth.messages) == 1, "it is asked")
        running.until(lambda: len(auth.messages) == 2, "its connection ends")
        assert not one.messages


def test_over_tls_it_is_checked_who_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain, key = certificates.write(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)

    def sealed(backend: backends.Backend, wire: backends.Wire) -> None:
        with context.wrap_socket(wire.sock, server_side=True) as sock:
            _says(backend, backends.Wire(sock, bytearray()))

    with backends.running("one", ("auth", sealed)) as (one, auth):
        named = External((("text", b"https://dns.example.com/check"),), AUTH)
        other = External((("text", b"https://other.example.com/check"),), AUTH)
        numbered = External((("text", b"https://127.0.0.1:%d/check" % auth.port),))
        for trusted in (chain, ""):
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", chain)
            else:
                monkeypatch.delenv("SSL_CERT_FILE")
            with gateways.running(tmp_path / f"of{len(trusted)}") as gateway:
                for asked, passes in ((named, True), (numbered, True), (other, False)):
                    _serve(gateway, one, auth, external=asked)
                    with gateway.client() as client:
                        assert _status(client.get()) == (200 if passes and trusted else 500)
        assert {each.line for each in auth.messages} == {b"GET /check HTTP/1.1"}


def test_a_long_body_waits_for_the_word_and_comes_whole(gateway: Gateway) -> None:
    release = threading.Event()

    def slow(backend: backends.Backend, wire: backends.Wire) -> None:
        while True:
            backend.messages.append(wire.message())
            release.wait(backends.LONG)
            wire.reply(b"")

    body = b"0123456789" * 300_000
    with backends.running("one", ("auth", slow)) as (one, auth), gateway.client() as client:
        _serve(gateway, one, auth, external=External(URL, AUTH))
        sending = threading.Thread(
            target=client.send, args=(_POST.replace(b" 5", b" %d" % len(body)) % b"" + body[5:],)
        )
        sending.start()
        running.until(lambda: auth.messages, "it is asked")
        assert not one.messages
        release.set()
        assert client.message().body == b"one"
        sending.join()
        assert len(one.messages[0].body) == len(body)
