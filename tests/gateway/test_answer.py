"""What is answered without a backend, and what is changed on the way."""

import pytest

from fedns.gateway import access, cors, decide, fields, normal
from fedns.gateway.decide import Decision
from fedns.model.ingress import Tls
from tests.gateway import ingresses
from tests.gateway.ingresses import ingress, one, path, request

MSE = "mse.ingress.kubernetes.io/"


def decided(
    target: str,
    *headers: tuple[str, str],
    method: str = "GET",
    host: str = "h:8080",
    client: str = "10.0.0.1",
    **asked: str,
) -> Decision:
    annotations = {key.replace("_", "-"): text for key, text in asked.items()}
    secure = annotations.pop("tls", "")
    tls = (Tls(("h",)),) if secure else ()
    kind = "ImplementationSpecific" if "rewrite-target" in annotations else "Prefix"
    where = annotations.pop("path", "/")
    output = ingresses.built(ingress("i", one("h", path(where, "s", kind)), annotations=annotations, tls=tls))  # type: ignore[arg-type]
    asking = request(host, target, *headers, method=method)
    asking.client = client
    return decide.decide(output.table, asking)


def location(made: Decision) -> str:
    return dict(made.fields)[b"Location"].decode()


@pytest.mark.parametrize(
    ("target", "asked", "status", "where"),
    [
        ("/a/?b=1", {"tls": "1"}, 308, "https://h/a/?b=1"),
        ("/a/", {"tls": "1"}, 308, "https://h/a"),
        ("/a/", {"tls": "1", "preserve_trailing_slash": "true"}, 308, "https://h/a/"),
        ("/", {"app_root": "/app"}, 302, "http://h:8080/app"),
        ("/a?b=1", {"permanent_redirect": "https://new$request_uri"}, 301, "https://new/a?b=1"),
        ("/a?b=1", {"temporal_redirect": "https://$host$uri$is_args$args"}, 302, "https://h/a?b=1"),
        ("/a", {"permanent_redirect": "/b"}, 301, "http://h:8080/b"),
        ("/a", {"permanent_redirect": "http://p", "tls": "1"}, 301, "http://p"),
    ],
)
def test_redirects(target: str, asked: dict[str, str], status: int, where: str) -> None:
    made = decided(target, **asked)
    assert (made.status, location(made)) == (status, where)


def test_an_address_that_is_refused_learns_nothing() -> None:
    for asked in ({"permanent_redirect": "http://p"}, {"enable_cors": "true"}, {"tls": "1"}):
        made = decided("/", method="OPTIONS", denylist_source_range="10.0.0.0/24", **asked)
        assert (made.status, made.fields) == (403, ())


@pytest.mark.parametrize(
    ("client", "passes"),
    [
        ("10.0.0.1", True),
        ("::ffff:10.0.0.1", True),
        ("10.0.0.9", False),
        ("192.0.2.1", False),
        ("", False),
        ("2001:db8::1", False),
    ],
)
def test_addresses(client: str, passes: bool) -> None:
    made = decided("/", client=client, whitelist_source_range="10.0.0.0/24", denylist_source_range="10.0.0.9")
    assert made.status == (0 if passes else 403)
    assert access.numbered("nonsense") == (0, 0)


def test_either_address_or_credentials() -> None:
    asked = {"auth_url": "http://auth.example.com/", "whitelist_source_range": "10.0.0.0/24"}
    assert decided("/", client="192.0.2.1", **asked).status == 403
    assert decided("/", **asked).authenticate
    made = decided("/", client="192.0.2.1", satisfy="any", **asked)
    assert (made.status, made.authenticate) == (0, True)
    assert not decided("/", satisfy="any", **asked).authenticate


def test_preflights() -> None:
    asked = {
        "enable_cors": "true",
        "cors_allow_origin": "https://a.example.com, https://*.b.example.com:8443",
        "cors_expose_headers": "X-A",
    }
    made = decided("/", ("Origin", "https://A.example.com"), method="OPTIONS", **asked)
    assert made.status == 204
    assert dict(made.fields) == {
        b"Access-Control-Allow-Origin": b"https://A.example.com",
        b"Access-Control-Allow-Credentials": b"true",
        b"Access-Control-Allow-Methods": b"GET, PUT, POST, DELETE, PATCH, OPTIONS",
        b"Access-Control-Allow-Headers": (
            b"DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization"
        ),
        b"Access-Control-Max-Age": b"1728000",
        b"Access-Control-Expose-Headers": b"X-A",
        b"Content-Type": b"text/plain charset=UTF-8",
    }
    for origin in (
        "https://b.example.com:8443",
        "https://x.y.b.example.com:8443",
        "xhttps://a.example.com",
        "null",
    ):
        assert decided("/", ("Origin", origin), method="OPTIONS", **asked).status == 0
    made = decided("/", ("Origin", "https://x.b.example.com:8443"), **asked)
    assert made.options is not None and made.options.cors is not None
    said = cors.fields(made.options.cors, request("h", "/", ("Origin", "https://x.b.example.com:8443")))
    assert said[0] == (b"Access-Control-Allow-Origin", b"https://x.b.example.com:8443")
    assert decided("/", method="OPTIONS", enable_cors="true", cors_allow_credentials="false").fields[0] == (
        b"Access-Control-Allow-Origin",
        b"*",
    )


@pytest.mark.parametrize(
    ("target", "asked", "sent"),
    [
        ("/something/new?x=1", {"path": "/something(/|$)(.*)", "rewrite_target": "/$2"}, "/new?x=1"),
        ("/something", {"path": "/something(/|$)(.*)", "rewrite_target": "/$2"}, "/"),
        ("/something/", {"path": "/something(/|$)(.*)", "rewrite_target": "/$2"}, "/"),
        ("/a/b", {"path": "/a/(.*)", "rewrite_target": "$1"}, "/b"),
        ("/a?x=1", {"path": "/a", "rewrite_target": "/b?y=2"}, "/b?y=2&x=1"),
        ("/a?x=1", {"path": "/a", "rewrite_target": "/b?"}, "/b"),
        ("/a?", {"path": "/a", "rewrite_target": "/b"}, "/b?"),
        ("/a", {"path": "/a(x)?", "rewrite_target": "/b$1$2"}, "/b"),
        ("/a//b", {"path": "/a/(.*)", "rewrite_target": "/z/$1"}, "/z/b"),
        ("/p", {"path": "/p", "rewrite_target": "/p"}, "/p"),
    ],
)
def test_rewrites(target: str, asked: dict[str, str], sent: str) -> None:
    assert decided(target, **asked).target.decode() == sent


def test_a_rewrite_does_not_climb() -> None:
    with pytest.raises(normal.Rejected):
        decided("/static../secret", path="/static(.*)", rewrite_target="/files/$1")


def test_fields_are_removed_replaced_and_appended() -> None:
    asked = {
        MSE + "request-header-control-remove": "x-gone",
        MSE + "request-header-control-update": "x-set new",
        MSE + "request-header-control-add": "x-more b\nx-new c",
    }
    made = decided("/", **asked)
    assert made.options is not None and made.options.request is not None
    came = [(b"X-Gone", b"1"), (b"X-Set", b"old"), (b"x-set", b"older"), (b"X-More", b"a"), (b"host", b"h")]
    assert fields.changed(made.options.request, came) == [
        (b"X-More", b"a,b"),
        (b"host", b"h"),
        (b"x-set", b"new"),
        (b"x-new", b"c"),
    ]
    assert fields.put(((b"A", b"2"),), [(b"a", b"1"), (b"b", b"1")]) == [(b"b", b"1"), (b"A", b"2")]


def test_what_a_backend_says_of_places_and_cookies() -> None:
    rules = ((b"http://in/", b"https://out/"),)
    assert fields.moved(b"http://in/x", rules) == b"https://out/x"
    assert fields.moved(b"5; url=http://in/x", rules) == b"5; url=https://out/x"
    assert fields.moved(b"http://else/?http://in/", rules) == b"http://else/?http://in/"
    said = b"a=1; Domain=.localhost; Path=/old/x; Secure"
    assert fields.recookied(said, ((b"localhost", b"example.org"),), ((b"/old/", b"/"),)) == (
        b"a=1; Domain=example.org; Path=/x; Secure"
    )
    assert fields.recookied(b"a=1; Path=/", (), ((b"/old", b"/new"),)) == b"a=1; Path=/"


def test_an_alias_has_its_hosts_certificate() -> None:
    asked = {"server-alias": "b.example.com"}
    own = ingress(
        "i", one("a.example.com", path("/", "s")), annotations=asked, tls=(Tls(("a.example.com",)),)
    )
    table = ingresses.built(own).table
    assert table.tls[b"b.example.com"] == table.tls[b"a.example.com"]


def test_aliases_and_www() -> None:
    output = ingresses.built(
        ingress(
            "i",
            one("a.example.com", path("/", "s")),
            annotations={"server-alias": "b.example.com, *.c.example.com", "from-to-www-redirect": "true"},
        ),
        ingress("j", one("b.example.com", path("/", "real")), created=1.0),
    )
    assert ingresses.service(output, request("b.example.com", "/")) == "real"
    assert ingresses.service(output, request("x.c.example.com", "/")) == "s"
    assert any("alias b.example.com" in each.what for each in output.problems)
    made = decide.decide(output.table, request("www.a.example.com", "/x/?y"))
    assert (made.status, location(made)) == (308, "http://a.example.com/x/?y")
