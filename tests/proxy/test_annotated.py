"""Annotations from end to end: an Ingress as users write it, compiled, and a worker that serves what it is.

What each annotation means is tested where it is read and where it is done; here it is seen that what is read
is what is done, group by group.
"""

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fedns.gateway import compile, route
from fedns.gateway.route import Part, Pool, Tier
from fedns.gateway.terms import Terms
from fedns.model.ingress import Ingress, Rule, Secret
from tests.gateway import ingresses
from tests.proxy import backends, gateways, streams
from tests.proxy.gateways import Client, Gateway
from tests.servers import running

HOST = "shop.example.com"
JO = b"Authorization: Basic %b\r\n" % base64.b64encode(b"jo:secret")
SHA = b"jo:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
Asked = dict[str, str]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    trusted = Terms(trusted=((4, 0x7F000000, 24),))
    with gateways.running(tmp_path, trusted) as made:
        yield made


def _shop(asked: Asked, *rules: Rule, name: str = "shop", to: str = "shop") -> Ingress:
    made = rules or (ingresses.one(HOST, ingresses.path("/", to)),)
    return ingresses.ingress(name, *made, annotations=asked)


def _mse(asked: Asked) -> Asked:
    return {f"mse.ingress.kubernetes.io/{key}": text for key, text in asked.items()}


def _serve(gateway: Gateway, found: list[Ingress], pools: dict[str, Pool], **secrets: Secret) -> None:
    """`pools` by the name of the Service. All that is asked for is to be readable."""
    given = compile.Input(found, secrets={f"shop/{name}": each for name, each in secrets.items()})
    output = compile.table(given, compile.Settings())
    assert not output.problems, output.problems
    entries = {route.ROUTES: route.encode(output.table)}
    for key in output.wanted:
        entries[route.SERVICE + key] = route.encode(pools.get(key.split(b"/")[1].decode(), Pool()))
    gateway.writer.publish({"gateway": entries}, time.time())


def _pools(**named: backends.Backend | list[backends.Backend]) -> dict[str, Pool]:
    rows = {name: each if isinstance(each, list) else [each] for name, each in named.items()}
    return {name: gateways.pool(each) for name, each in rows.items()}


def _status(got: backends.Message) -> int:
    return int(got.line.split()[1])


def _from(client: Client, address: str) -> int:
    return _status(client.get(fields=b"X-Forwarded-For: %b\r\n" % address.encode()))


def _sick(backend: backends.Backend, wire: backends.Wire) -> None:
    while True:
        backend.messages.append(wire.message())
        wire.reply(b"sick", b"503 Service Unavailable")


def test_tries(gateway: Gateway) -> None:
    asked = {
        "proxy-next-upstream": "error timeout http_503",
        "proxy-next-upstream-tries": "2",
        "proxy-next-upstream-timeout": "5",
    }
    with backends.running(("one", _sick), "two") as (one, two), gateway.client() as client:
        pools = {"shop": gateways.pool([one], [two])}
        _serve(gateway, [_shop(asked)], pools)
        assert client.get().body == b"two" and len(one.messages) == 1
        _serve(gateway, [_shop({"proxy-next-upstream": "off"}, name="other")], pools)
        assert client.get().body == b"sick"
        _serve(gateway, [_shop({"fedns.io/retry-next-cluster": "off", **asked})], pools)
        assert client.get().body == b"sick"


def test_an_answer_that_is_none_is_tried_again_where_somebody_says_so(gateway: Gateway) -> None:
    def nonsense(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 2000 no\r\n\r\n")

    with backends.running(("one", nonsense), "two") as (one, two):
        for words, body in (("error invalid_header", b"two"), ("error", b"Bad Gateway\n")):
            _serve(gateway, [_shop({"proxy-next-upstream": words})], {"shop": gateways.pool([one], [two])})
            with gateway.client() as client:
                assert client.get().body == body


def test_mirrors(gateway: Gateway) -> None:
    def url(port: int) -> Asked:
        return {
            "mirror-target": f"http://127.0.0.1:{port}$request_uri",
            "mirror-host": "copy.example.com",
            "mirror-request-body": "off",
        }

    with backends.running("one", "two") as (one, two), gateway.client() as client:
        others = _mse({"mirror-target-service": "shop/copy:8080", "mirror-percentage": "100"})
        fqdn = _mse({"mirror-target-fqdn": "localhost", "mirror-target-fqdn-port": str(two.port)})
        for number, asked in enumerate((url(two.port), others, fqdn), 1):
            _serve(gateway, [_shop(asked)], _pools(shop=one, copy=two))
            assert client.get(b"/a?%d" % number).body == b"one"
            running.until(lambda n=number: len(two.messages) == n, "the copy")  # type: ignore[misc]
        assert [each.line for each in two.messages] == [b"GET /a?%d HTTP/1.1" % n for n in (1, 2, 3)]
        hosts = [b"copy.example.com", b"shop.example.com", b"localhost:%d" % two.port]
        assert [each.value(b"host") for each in two.messages] == hosts


def test_errors_and_the_default_backend(gateway: Gateway) -> None:
    with backends.running(("one", _sick), "two") as (one, two), gateway.client() as client:
        asked = {"custom-http-errors": "404,503", "default-backend": "pages"}
        _serve(gateway, [_shop(asked)], _pools(shop=one, pages=two))
        assert client.get(b"/a").body == b"two" and two.messages[0].line == b"GET / HTTP/1.1"
        assert two.messages[0].value(b"x-code") == b"503"
        _serve(gateway, [_shop({"default-backend": "pages"})], _pools(pages=two))
        assert client.get(b"/b").body == b"two" and two.messages[1].line == b"GET /b HTTP/1.1"


def test_passwords(gateway: Gateway) -> None:
    asked = {"auth-type": "basic", "auth-secret": "users", "auth-realm": "staff"}
    with backends.running("one") as (one,), gateway.client() as client:
        pools = _pools(shop=one)
        for more, data in (({}, {"auth": SHA}), ({"auth-secret-type": "auth-map"}, {"jo": SHA[3:].strip()})):
            _serve(gateway, [_shop(asked | more)], pools, users=Secret("shop", "users", "Opaque", data))
            got = client.get()
            assert _status(got) == 401 and got.value(b"www-authenticate") == b'Basic realm="staff"'
            assert client.get(fields=JO).body == b"one"
        either = asked | {"satisfy": "any", "whitelist-source-range": "10.0.0.0/8"}
        _serve(gateway, [_shop(either)], pools, users=Secret("shop", "users", "Opaque", {"auth": SHA}))
        assert _from(client, "10.1.2.3") == 200 and _from(client, "11.1.2.3") == 401


def test_the_word_of_somebody_else(gateway: Gateway) -> None:
    def judge(backend: backends.Backend, wire: backends.Wire) -> None:
        while True:
            got = wire.message()
            backend.messages.append(got)
            wire.reply(
                b"", b"200 OK" if got.value(b"cookie") else b"401 No", b"X-User: jo\r\nSet-Cookie: s\r\n"
            )

    asked = {
        "auth-url": "http://auth.shop.svc.cluster.local:8080/check",
        "auth-method": "POST",
        "auth-response-headers": "X-User",
        "auth-signin": "https://login.example.com/start",
        "auth-signin-redirect-param": "back",
        "auth-request-redirect": "https://$host/there",
        "auth-cache-key": "$cookie_s",
        "auth-always-set-cookie": "true",
    }
    with backends.running("one", ("auth", judge)) as (one, auth), gateway.client() as client:
        _serve(gateway, [_shop(asked)], _pools(shop=one, auth=auth))
        got = client.get(b"/a")
        back = b"https://login.example.com/start?back=http://shop.example.com%2Fa"
        assert _status(got) == 302 and got.value(b"location") == back
        for _ in range(3):
            assert client.get(fields=b"Cookie: s=1\r\n").body == b"one"
        assert len(auth.messages) == 2 and auth.messages[1].line == b"POST /check HTTP/1.1"
        assert auth.messages[1].value(b"x-auth-request-redirect") == b"https://shop.example.com/there"
        assert one.messages[2].values(b"x-user") == [b"jo"]


def test_limits(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        pools = _pools(shop=one)
        nginx = {"limit-rpm": "1", "limit-burst-multiplier": "3", "limit-whitelist": "10.9.0.0/16"}
        _serve(gateway, [_shop(nginx, name="a")], pools)
        assert [_from(client, "10.1.1.1") for _ in range(4)] == [200, 200, 200, 503]
        assert _from(client, "10.1.1.2") == 200 and _from(client, "10.9.1.1") == 200
        _serve(
            gateway,
            [_shop(_mse({"route-limit-rpm": "1", "route-limit-burst-multiplier": "2"}), name="b")],
            pools,
        )
        assert [_from(client, f"10.2.1.{n}") for n in range(3)] == [200, 200, 429]
        said = {
            "rate-limit-fallback-custom-response-code": "420",
            "rate-limit-fallback-custom-response-body": "{}",
        }
        said |= {"rate-limit-fallback-custom-response-body-type": "json", "rate-limit": "1"}
        _serve(gateway, [_shop(_mse(said), name="c")], pools)
        got = [client.get() for _ in range(4)]
        assert {_status(each) for each in got} <= {200, 420} and _status(got[-1]) == 420
        assert json.loads(got[-1].body) == {}
        _serve(gateway, [_shop({"limit-connections": "1"}, name="d")], pools)
        assert [_from(client, "10.3.1.1") for _ in range(3)] == [200] * 3
        _serve(gateway, [_shop({"limit-rate": "100", "limit-rate-after": "1"}, name="e")], pools)
        assert client.get().body == b"one"


def test_connections_of_a_pool(gateway: Gateway) -> None:
    release = threading.Event()

    def slow(backend: backends.Backend, wire: backends.Wire) -> None:
        backend.messages.append(wire.message())
        release.wait(backends.LONG)
        wire.reply(b"slow")

    policy = "connection-policy-tcp-max-connection"
    with backends.running(("one", slow), ("two", slow)) as made, ExitStack() as clients:
        for asked, most in ((policy, 2), (policy + "-per-endpoint", 2)):
            release.clear()
            served = [len(each.messages) for each in made]
            _serve(gateway, [_shop(_mse({asked: "2" if asked == policy else "1"}))], _pools(shop=list(made)))
            opened = [clients.enter_context(gateway.client()) for _ in range(most)]
            for number, client in enumerate(opened, 1):
                client.send(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
                count = sum(served) + number
                running.until(lambda n=count: sum(len(each.messages) for each in made) == n, "it is there")  # type: ignore[misc]
            with gateway.client() as another:
                assert _status(another.get()) == 503
            if asked != policy:
                assert [len(each.messages) - n for each, n in zip(made, served, strict=True)] == [1, 1]
            release.set()
            assert all(client.message().body == b"slow" for client in opened)


def test_requests_of_a_connection(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        asked = _mse({"connection-policy-http-max-request-per-connection": "2"})
        _serve(gateway, [_shop(asked)], _pools(shop=one))
        assert [client.get().body for _ in range(6)] == [b"one"] * 6 and len(one.raw) == 3


def test_who_is_new_warms_up(gateway: Gateway) -> None:
    with backends.running("one", "two") as (one, two), gateway.client() as client:
        asked = _shop(_mse({"warmup": "1000"}))
        _serve(gateway, [asked], _pools(shop=one))
        assert client.get().body == b"one"
        _serve(gateway, [asked], _pools(shop=[one, two]))
        running.until(lambda: client.get().body == b"two", "the new one is asked at all")
        bodies = Counter(client.get().body for _ in range(400))
        assert 0 < bodies[b"two"] < 120  # 24 % would be 4 deviations off 10..15 %; 50 % without


def test_times(gateway: Gateway) -> None:
    def silent(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.exactly(1)

    def deaf(_: backends.Backend, wire: backends.Wire) -> None:
        wire.head()
        time.sleep(backends.LONG)

    with backends.running(("one", silent), ("two", deaf)) as (one, two):
        for asked in ({"proxy-read-timeout": "1"}, _mse({"timeout": "1"})):
            _serve(gateway, [_shop(asked)], _pools(shop=one))
            with gateway.client() as client:
                assert _status(client.get()) == 504
        asked = {"proxy-send-timeout": "1", "proxy-connect-timeout": "1", "proxy-body-size": "1g"}
        _serve(gateway, [_shop(asked)], _pools(shop=two))
        with gateway.client() as client:
            client.send(b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 100000000\r\n\r\n")
            client.sock.settimeout(0.5)
            sent = 0
            while sent < 100_000_000:
                try:
                    sent += client.sock.send(b"x" * 65536)
                except (TimeoutError, OSError):
                    break
            client.sock.settimeout(backends.LONG)
            assert _status(client.message()) == 504 and sent < 100_000_000


def test_bodies(gateway: Gateway) -> None:
    def leaves(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()

    put = b"PUT / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: %d\r\n\r\n"
    with backends.running(("one", leaves), "two") as (one, two), gateway.client() as client:
        pools = {"shop": gateways.pool([one], [two])}
        _serve(gateway, [_shop({"proxy-request-buffering": "on", "proxy-body-size": "200k"})], pools)
        client.send(put % 150_000 + b"x" * 150_000)
        assert client.message().body == b"two" and len(two.messages[0].body) == 150_000
        client.send(put % 250_000)
        assert _status(client.message()) == 413


def test_versions(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        _serve(
            gateway,
            [_shop({"proxy-http-version": "1.0", "upstream-vhost": "in.example.com"})],
            _pools(shop=one),
        )
        assert client.get().body == b"one"
        assert one.messages[0].line == b"GET / HTTP/1.0"
        assert one.messages[0].value(b"host") == b"in.example.com"
        client.send(
            b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        assert _status(client.message()) == 411


def test_targets_and_places(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        pools, path = _pools(shop=one), ingresses.path("/app(/|$)(.*)", "shop", "ImplementationSpecific")
        asked = {"use-regex": "true", "rewrite-target": "/$2", "x-forwarded-prefix": "/app"}
        _serve(gateway, [_shop(asked, ingresses.one(HOST, path))], pools)
        assert client.get(b"/app/x?y").body == b"one" and one.messages[0].line == b"GET /x?y HTTP/1.1"
        assert one.messages[0].value(b"x-forwarded-prefix") == b"/app"
        for asked, target, status, location in (
            ({"app-root": "/start"}, b"/", 302, b"http://shop.example.com/start"),
            ({"permanent-redirect": "https://new.example.com"}, b"/a", 301, b"https://new.example.com"),
            (
                {"permanent-redirect": "/x", "permanent-redirect-code": "308", "relative-redirects": "true"},
                b"/a",
                308,
                b"/x",
            ),
            (
                {"temporal-redirect": "https://t.example.com", "temporal-redirect-code": "307"},
                b"/a",
                307,
                b"https://t.example.com",
            ),
            (
                {"force-ssl-redirect": "true", "preserve-trailing-slash": "true"},
                b"/a/",
                308,
                b"https://shop.example.com/a/",
            ),
        ):
            _serve(gateway, [_shop(asked)], pools)
            got = client.get(target)
            assert (_status(got), got.value(b"location")) == (status, location)
        rules = (ingresses.one("www.shop.example.com", ingresses.path("/", "shop")),)
        _serve(gateway, [_shop({"from-to-www-redirect": "true"}, *rules)], pools)
        assert client.get(b"/a").value(b"location") == b"http://www.shop.example.com/a"
        rules = (ingresses.one("other.example.com", ingresses.path("/", "shop")),)
        _serve(gateway, [_shop({"server-alias": HOST}, *rules)], pools)
        assert client.get().body == b"one"


def test_fields_and_cookies(gateway: Gateway) -> None:
    def talks(backend: backends.Backend, wire: backends.Wire) -> None:
        while True:
            backend.messages.append(wire.message())
            wire.reply(
                b"",
                b"302 Found",
                b"Location: http://in/a\r\nSet-Cookie: a=b; Domain=in; Path=/in\r\nX-Gone: x\r\n",
            )

    asked = {
        "proxy-cookie-domain": "in shop.example.com",
        "proxy-cookie-path": "/in /",
        "proxy-redirect-from": "http://in/",
        "proxy-redirect-to": "https://out/",
        "enable-cors": "true",
        "cors-allow-origin": "https://*.example.com",
        "cors-expose-headers": "X-A",
        **_mse(
            {
                "request-header-control-add": "X-Asked yes",
                "request-header-control-remove": "X-Not",
                "response-header-control-update": "X-Said yes",
                "response-header-control-remove": "X-Gone",
            }
        ),
    }
    with backends.running(("one", talks)) as (one,), gateway.client() as client:
        _serve(gateway, [_shop(asked)], _pools(shop=one))
        got = client.get(fields=b"X-Not: 1\r\nOrigin: https://a.example.com\r\n")
        assert one.messages[0].values(b"x-asked") == [b"yes"] and not one.messages[0].values(b"x-not")
        assert got.value(b"location") == b"https://out/a" and not got.values(b"x-gone")
        assert got.value(b"set-cookie") == b"a=b; Domain=shop.example.com; Path=/"
        assert got.values(b"x-said") == [b"yes"]
        assert got.values(b"access-control-allow-origin") == [b"https://a.example.com"]
        assert got.values(b"access-control-expose-headers") == [b"X-A"]
        preflight = client.get(fields=b"Origin: https://a.example.com\r\n", method=b"OPTIONS")
        assert _status(preflight) == 204


def test_addresses(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        pools = _pools(shop=one)
        asked = {"whitelist-source-range": "10.0.0.0/8,fd00::/8", "denylist-source-range": "10.1.0.0/16"}
        _serve(gateway, [_shop(asked)], pools)
        answers = [_from(client, each) for each in ("10.2.0.1", "10.1.0.1", "11.0.0.1", "fd00::1", "fe00::1")]
        assert answers == [200, 403, 403, 200, 403]
        _serve(gateway, [_shop(_mse({"domain-blacklist-source-range": "10.0.0.0/8"}))], pools)
        assert [_from(client, each) for each in ("10.2.0.1", "11.0.0.1")] == [403, 200]


def test_who_asks_what_goes_where(gateway: Gateway) -> None:
    with backends.running("one", "two") as (one, two), gateway.client() as client:
        pools = _pools(shop=one, other=two)
        for asked, fields, target in (
            ({"match-method": "POST GET"}, b"", b"/"),
            ({"exact-match-header-x-user": "jo"}, b"X-User: jo\r\n", b"/"),
            ({"prefix-match-header-x-user": "j"}, b"X-User: jo\r\n", b"/"),
            ({"regex-match-header-x-user": "j.*"}, b"X-User: jo\r\n", b"/"),
            ({"exact-match-query-user": "jo"}, b"", b"/?user=jo"),
            ({"prefix-match-query-user": "j"}, b"", b"/?user=jo"),
            ({"canary": "true", "canary-by-header": "X-C"}, b"X-C: always\r\n", b"/"),
            (
                {"canary": "true", "canary-by-header": "X-C", "canary-by-header-value": "v"},
                b"X-C: v\r\n",
                b"/",
            ),
            (
                {"canary": "true", "canary-by-header": "X-C", "canary-by-header-pattern": "^v[0-9]"},
                b"X-C: v2\r\n",
                b"/",
            ),
            ({"canary": "true", "canary-by-cookie": "c"}, b"Cookie: c=always\r\n", b"/"),
            ({"canary": "true", "canary-by-query": "q", "canary-by-query-value": "v"}, b"", b"/?q=v"),
            ({"canary": "true", "canary-weight": "100"}, b"", b"/"),
        ):
            _serve(gateway, [_shop({}), _shop(_mse(asked), name="x", to="other")], pools)
            assert client.get(target, fields).body == b"two", asked
            if fields or b"?" in target:
                assert client.get().body == b"one", asked
        asked = _mse(
            {"destination": "30% shop.shop.svc.cluster.local:80\n70% other.shop.svc.cluster.local:80"}
        )
        _serve(gateway, [_shop(asked)], pools)
        bodies = Counter(client.get().body for _ in range(400))
        assert 60 < bodies[b"one"] < 180  # 6 deviations


def test_the_same_endpoint_again(gateway: Gateway) -> None:
    with backends.running("one", "two", "three") as made, gateway.client() as client:
        pools = _pools(shop=list(made))
        asked = {
            "affinity": "cookie",
            "session-cookie-name": "stay",
            "session-cookie-path": "/",
            "affinity-mode": "persistent",
        }
        asked |= {
            "session-cookie-max-age": "60",
            "session-cookie-samesite": "Lax",
            "session-cookie-secure": "true",
        }
        _serve(gateway, [_shop(asked)], pools)
        first = client.get()
        cookie = first.value(b"set-cookie") or b""
        assert cookie.startswith(b"stay=") and b"Max-Age=60" in cookie and b"SameSite=Lax" in cookie
        again = b"Cookie: %b\r\n" % cookie.split(b";")[0]
        assert {client.get(fields=again).body for _ in range(10)} == {first.body}
        _serve(gateway, [_shop({"upstream-hash-by": "$arg_user"})], pools)
        assert len({client.get(b"/?user=jo").body for _ in range(10)}) == 1
        for kind in ("round_robin", "ewma", *()):
            _serve(gateway, [_shop({"load-balance": kind})], pools)
            assert {client.get().body for _ in range(60)} == {b"one", b"two", b"three"}


def test_clusters(gateway: Gateway) -> None:
    with backends.running("east", "west") as made, gateway.client() as client:
        parts = tuple(Part(each.name, 0.5, (gateways.endpoint(each, each.name),)) for each in made)
        _serve(
            gateway,
            [_shop({"fedns.io/cluster-by-header": "X-Cluster:strict"})],
            {"shop": Pool((Tier(1.0, parts),))},
        )
        assert {client.get(fields=b"X-Cluster: west\r\n").body for _ in range(10)} == {b"west"}
        assert _status(client.get(fields=b"X-Cluster: north\r\n")) == 503


def test_certificates_are_proven_or_nobody_passes(gateway: Gateway) -> None:
    """Over a plain connection, and from a trusted peer that says it was TLS."""
    authority = Secret("shop", "ca", "Opaque", {"ca.crt": b"-----BEGIN CERTIFICATE-----"})
    asked = {"auth-tls-secret": "shop/ca", "ssl-redirect": "false"}
    with backends.running("one") as (one,):
        _serve(gateway, [_shop(asked)], _pools(shop=one), ca=authority)
        for fields in (b"", b"X-Forwarded-Proto: https\r\n"):
            with gateway.client() as client:
                assert _status(client.get(fields=fields)) == 403
        assert not one.messages


def test_the_same_on_streams(gateway: Gateway) -> None:
    """Passwords, copies, pages and paces for clients of HTTP/2."""
    users = Secret("shop", "users", "Opaque", {"auth": SHA})
    asked = {"auth-type": "basic", "auth-secret": "users", "custom-http-errors": "503", "limit-rate": "100"}
    asked |= {"default-backend": "pages", **_mse({"mirror-target-service": "shop/copy"})}
    jo = (b"authorization", JO.split(b" ", 1)[1].strip())
    with backends.running("one", "copy", "page", ("sick", _sick)) as (one, copy, page, sick):
        _serve(gateway, [_shop(asked)], _pools(shop=one, copy=copy, pages=page), users=users)
        with streams.client(gateway.port) as client:
            got = client.get()
            assert got.status == 401 and got.value(b"www-authenticate").startswith(b"Basic")
            wrong = client.ask([*streams.POST], b"hello")
            right = client.ask([*streams.POST, jo], b"hello" * 1000)
            assert client.answer(right).body == b"one" and client.answer(wrong).status == 401
            assert one.messages[0].body == b"hello" * 1000 and one.messages[0].value(b"authorization") is None
            running.until(lambda: copy.messages, "the copy")
            assert copy.messages[0].body == b"hello" * 1000
            _serve(gateway, [_shop(asked)], _pools(shop=sick, copy=copy, pages=page), users=users)
            got = client.get([*streams.POST, jo], b"hello")
            assert (got.status, got.body) == (200, b"page") and page.messages[0].body == b""
            assert client.get([*streams.GET, jo]).body == b"page"
