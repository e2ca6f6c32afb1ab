"""What ingress-nginx's tests lost on their way to vectors: annotations held in variables, objects and
settings made beforehand, changes between requests, and checks that were code.

Law: only what a test does or expects there; a setting of nginx's ConfigMap stands as what says the same here.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from fedns.gateway.terms import Terms

_N = "nginx.ingress.kubernetes.io/"
_LOOPBACK = (4, 127 << 24, (1 << 24) - 1)
TRUSTED = Terms(trusted=(_LOOPBACK,))
PROXIED = Terms(proxied=True)
_PROXIES = Terms(proxied=True, trusted=((4, 192 << 24 | 168 << 16, (1 << 16) - 1),))


class Lost(Struct, frozen=True):
    """`annotations` of the first Ingress, and of those `beside` it; `then`: of the first from that request
    on. `classes`: of Ingresses by name; `ours`: others that are our own; `demanded`: without a class an
    Ingress is somebody else's; `bare`: the request before which all lose theirs. `shown`: requests with the
    client's certificate. `gone`: the request before which the service `auth` ends. `before`: octets in front
    of each request. `more` requests follow those of the vector."""

    annotations: Mapping[str, str] = {}
    beside: tuple[dict[str, Any], ...] = ()
    then: Mapping[int, Mapping[str, str]] = {}
    classes: Mapping[str, str] = {}
    ours: tuple[str, ...] = ()
    demanded: bool = False
    bare: int = -1
    terms: Terms = Terms()
    shown: tuple[int, ...] = ()
    gone: int = -1
    before: bytes = b""
    more: tuple[dict[str, Any], ...] = ()


def _nginx(**asked: str) -> dict[str, str]:
    return {_N + name.replace("_", "-"): value for name, value in asked.items()}


def _object(host: str, path: str = "/", service: str = "echo", **asked: str) -> dict[str, Any]:
    name = host + path.replace("/", "-")
    return {"name": name, "host": host, "path": path, "service": service, "port": 80} | {
        "annotations": _nginx(**asked)
    }


def _ask(host: str, path: str = "/", *checks: list[Any], status: int = 200, **more: Any) -> dict[str, Any]:
    headers = {"Host": host} | more.pop("headers", {})
    request = {"headers": headers, "method": "GET", "path": path} | more
    return {"request": request, "expect": {"status": status, "checks": list(checks)}}


_COOKIE = _nginx(affinity="cookie", session_cookie_name="SERVERID")
_BASIC = "http://$AUTH/basic-auth/user/password"
_SIGNIN = _object("auth", auth_url=_BASIC, auth_signin="http://$host/auth/start")
_ORIG = _object(
    "auth", auth_url=_BASIC, auth_signin="http://$host/auth/start", auth_signin_redirect_param="orig"
)
_BROKEN = _object("auth", auth_url="https://invalid.host.", auth_signin="http://invalid.host. ")
_KEPT = {"auth_url": _BASIC, "auth_cache_key": "fixed", "auth_cache_duration": "200 201 401 30m"}
_CACHED = tuple(_object(host, path, **_KEPT) for host, path in (("auth", "/foo"), ("auth", "/bar")))
_SET = {"auth_url": "http://$AUTH/cookies/set/alma/armud", "auth_signin": "http://$host/auth/start"}
_SET |= {"auth_always_set_cookie": "true"}
_PROXY = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 %d\r\n"
_FROM = ["body", "Contains", "x-forwarded-for=192.168.0.1"]
_TLS = {"url": {"_call": "f.GetURL", "args": ["$framework.HTTPS"]}}
_SAID = {"X-Forwarded-Port": "9876", "X-Forwarded-Proto": "https", "X-Forwarded-For": "1.2.3.4"}
_HSTS = "mse.ingress.kubernetes.io/response-header-control-update"
_REAL = {"X-Forwarded-Port": "1234", "X-Forwarded-Proto": "myproto", "X-Forwarded-For": "1.2.3.4"}


def _hsts(value: str) -> Lost:
    asked = {_HSTS: f'Strict-Transport-Security "{value}"'}
    return Lost(beside=(_object("settings-tls") | {"annotations": asked, "tls_hosts": ["settings-tls"]},))


LOST: dict[tuple[str, int], Lost] = {
    ("annotations/affinity.go", 50): Lost(_COOKIE),
    ("annotations/affinity.go", 72): Lost(
        _COOKIE, then={1: _COOKIE | _nginx(session_cookie_name="OTHERCOOKIENAME")}
    ),
    ("annotations/affinity.go", 202): Lost(
        _COOKIE | _nginx(session_cookie_expires="172800", session_cookie_max_age="259200")
    ),
    ("annotations/affinity.go", 234): Lost(_COOKIE | _nginx(session_cookie_domain="foo.bar")),
    ("annotations/affinity.go", 257): Lost(_COOKIE),
    ("annotations/affinity.go", 279): Lost(
        _COOKIE | _nginx(use_regex="true", session_cookie_path="/foo/bar")
    ),
    ("annotations/affinity.go", 381): Lost(_COOKIE | _nginx(server_alias="a1.foo.com, a2.foo.com")),
    ("annotations/affinity.go", 444): Lost(_COOKIE | _nginx(session_cookie_secure="false")),
    ("annotations/affinity.go", 467): Lost(_COOKIE | _nginx(session_cookie_secure="false")),
    ("annotations/affinitymode.go", 69): Lost(
        _COOKIE | _nginx(affinity_mode="persistent", session_cookie_max_age="172800", ssl_redirect="false")
    ),
    ("annotations/auth.go", 442): Lost(
        beside=(
            _object("auth-check-cookies", "/", **_SET),
            _object("auth-check-cookies", "/error", **_SET),
        )
    ),
    ("annotations/auth.go", 481): Lost(beside=(_SIGNIN,)),
    ("annotations/auth.go", 490): Lost(beside=(_SIGNIN,)),
    ("annotations/auth.go", 501): Lost(beside=(_BROKEN,)),
    ("annotations/auth.go", 525): Lost(
        beside=(_object("auth", auth_url=_BASIC, auth_response_headers="Foo"),),
        more=(
            _ask(
                "auth",
                "/",
                ["body", "NotContains", "foo=bar"],
                headers={"Foo": "bar"},
                basic_auth=["user", "password"],
            ),
        ),
    ),
    ("annotations/auth.go", 710): Lost(beside=(_ORIG,)),
    ("annotations/auth.go", 721): Lost(beside=(_BROKEN,)),
    ("annotations/auth.go", 780): Lost(beside=_CACHED, gone=1),
    ("annotations/auth.go", 800): Lost(beside=_CACHED, gone=1),
    ("annotations/auth.go", 828): Lost(beside=(*_CACHED, _object("different", "/foo", **_KEPT)), gone=1),
    ("annotations/auth.go", 887): Lost(
        beside=(_object("auth", "/denied-auth", auth_url="https://invalid..(host)-http?", auth_method="GET"),)
    ),
    ("annotations/authtls.go", 116): Lost(shown=(1,)),
    ("annotations/authtls.go", 163): Lost(shown=(1,)),
    ("annotations/authtls.go", 267): Lost(shown=(0,)),
    ("annotations/authtls.go", 325): Lost(
        shown=(0, 1), then={1: _nginx(auth_tls_secret="ns/authtls.foo.com", auth_tls_match_cn="CN=authtls")}
    ),
    ("annotations/authtls.go", 368): Lost(shown=(0,)),
    ("annotations/clientbodybuffersize.go", 37): Lost(_nginx(client_body_buffer_size="1000")),
    ("annotations/clientbodybuffersize.go", 59): Lost(_nginx(client_body_buffer_size="1K")),
    ("annotations/clientbodybuffersize.go", 103): Lost(_nginx(client_body_buffer_size="1m")),
    ("annotations/limitconnections.go", 38): Lost(_nginx(limit_connections="2")),
    ("annotations/proxyssl.go", 39): Lost(
        _nginx(proxy_ssl_secret="ns/proxyssl.foo.com", proxy_ssl_verify="off")
    ),
    ("annotations/proxyssl.go", 96): Lost(
        _nginx(proxy_ssl_secret="ns/proxyssl.foo.com", proxy_ssl_ciphers="HIGH:!AES")
    ),
    ("annotations/default_backend.go", 37): Lost(terms=TRUSTED),
    ("annotations/ipdenylist.go", 35): Lost(terms=TRUSTED),
    ("settings/enable_real_ip.go", 40): Lost(
        terms=TRUSTED,
        more=(
            _ask(
                "forwarded-for-header",
                "/",
                ["body", "Contains", "x-forwarded-for=1.2.3.4"],
                ["body", "Contains", "x-real-ip=1.2.3.4"],
                ["body", "NotContains", "proto=myproto"],
                headers=_REAL,
            ),
        ),
    ),
    ("ingress/multiple_rules.go", 38): Lost(beside=(_object("second.host", service="second-service"),)),
    ("settings/ingress_class.go", 106): Lost(classes={"foo-1": "others", "bar-1": "nginx"}),
    ("settings/ingress_class.go", 166): Lost(classes={"bar-valid": "nginx"}, demanded=True),
    ("settings/ingress_class.go", 194): Lost(
        classes={"foo-annotation": "nginx", "foo-class": "nginx"}, demanded=True, bare=2
    ),
    ("settings/ingress_class.go", 414): Lost(
        classes={"foobar123": "testclass"}, ours=("testclass",), demanded=True
    ),
    ("settings/ingress_class.go", 648): Lost(classes={"noclassforyou": "unseen"}),
    ("settings/proxy_protocol.go", 86): Lost(
        terms=PROXIED,
        before=_PROXY % 443,
        more=(
            _ask(
                "proxy-protocol",
                "/",
                _FROM,
                ["body", "Contains", "x-forwarded-port=443"],
                ["body", "Contains", "x-forwarded-proto=https"],
            ),
        ),
    ),
    ("settings/proxy_protocol.go", 122): Lost(
        terms=PROXIED,
        before=_PROXY % 1234,
        more=(
            _ask(
                "proxy-protocol",
                "/",
                _FROM,
                ["body", "Contains", "x-forwarded-port=1234"],
                ["body", "Contains", "x-forwarded-proto=https"],
                **_TLS,
            ),
        ),
    ),
    ("settings/proxy_protocol.go", 238): Lost(
        terms=PROXIED,
        before=_PROXY % 1234,
        more=(
            _ask(
                "proxy-protocol",
                "/",
                _FROM,
                ["body", "NotContains", "1.2.3.4"],
                ["body", "Contains", "x-forwarded-port=1234"],
                ["body", "Contains", "x-forwarded-proto=http\n"],
                headers=_SAID,
            ),
        ),
    ),
    ("settings/proxy_protocol.go", 274): Lost(
        terms=_PROXIES,
        before=_PROXY % 1234,
        more=(
            _ask(
                "proxy-protocol",
                "/",
                ["body", "Contains", "x-forwarded-for=1.2.3.4"],
                ["body", "Contains", "x-real-ip=1.2.3.4"],
                ["body", "Contains", "x-forwarded-port=9876"],
                ["body", "Contains", "x-forwarded-proto=https"],
                headers=_SAID,
            ),
        ),
    ),
    ("settings/tls.go", 110): _hsts("max-age=86400; includeSubDomains"),
    ("settings/tls.go", 127): _hsts("max-age=86400"),
    ("settings/tls.go", 168): structs.replace(
        _hsts("max-age=86400; preload"),
        more=(
            _ask(
                "settings-tls",
                "/",
                ["header:Strict-Transport-Security", "Equal", "max-age=86400; preload"],
                query={"hsts": "true"},
                **_TLS,
            ),
        ),
    ),
    ("settings/tls.go", 208): Lost(terms=TRUSTED),
}
UNASKED = {
    "annotations/auth.go": "a file of nginx's; nothing is asked",
    "annotations/customhttperrors.go": "a file of nginx's; test_substitute has the cases",
    "annotations/proxyssl.go": "a file of nginx's; test_doorman has TLS to backends",
    "settings/grpc.go": "a size of buffers; gRPC has tests of its own",
    "settings/keep-alive.go": "a file of nginx's; idle times are terms (test_inbound)",
    "settings/limit_rate.go": "a file of nginx's; the pace of answers is an annotation",
    "settings/proxy_connect_timeout.go": "a file of nginx's; times are annotations (test_journey)",
    "settings/proxy_next_upstream.go": "a file of nginx's; tries are annotations (test_journey)",
    "settings/proxy_protocol.go": "TCP is not passed through",
    "settings/proxy_read_timeout.go": "a file of nginx's; times are annotations (test_journey)",
    "settings/proxy_send_timeout.go": "a file of nginx's; times are annotations (test_journey)",
}
"""Files in which some tests only look at nginx's configuration, or at what is not served here."""
UNRUN = {
    ("annotations/customheaders.go", 57): "custom-headers needs a ConfigMap, and is ignored",
}
OWN_PAGES = frozenset(("401 Authorization Required", "404 Not Found", "503 Service Temporarily Unavailable"))
"""What nginx writes into answers of its own; ours are in our words."""
