"""Annotations and the options that they become."""

from typing import Any

import pytest

from fedns.gateway import compile, decide, options
from fedns.gateway.options import Options
from fedns.model.ingress import Ingress, Secret, Tls
from tests.gateway.ingresses import ingress, one, path, request

MSE = "mse.ingress.kubernetes.io/"
SECRETS = {
    "shop/users": Secret("shop", "users", "Opaque", {"auth": b"# staff\njo:$apr1$x\n\nal:{SHA}y"}),
    "shop/map": Secret("shop", "map", "Opaque", {"jo": b"$2y$05$x\n"}),
    "shop/empty": Secret("shop", "empty", "Opaque", {}),
    "shop/ca": Secret("shop", "ca", "Opaque", {"ca.crt": b"-----BEGIN CERTIFICATE-----"}),
    "other/users": Secret("other", "users", "Opaque", {"auth": b"jo:x"}),
    "shop/tls": Secret(
        "shop",
        "tls",
        "kubernetes.io/tls",
        {"tls.crt": b"-----BEGIN CERTIFICATE-----", "tls.key": b"-----BEGIN PRIVATE KEY-----"},
    ),
}


def output(*given: Ingress) -> compile.Output:
    return compile.table(compile.Input(given, secrets=SECRETS), compile.Settings())


def made(annotations: dict[str, str], **more: Any) -> tuple[Options, list[str]]:
    """Options of a location, and the problems."""
    built = output(ingress("i", one("h", path("/p", "s")), annotations=annotations, **more))
    host = built.table.hosts[b"h"]
    location = host.regexes[0].location if host.regexes else host.prefix[b"/p"]
    return built.table.options[location.options], [each.what for each in built.problems]


CASES: list[tuple[dict[str, str], str, Any]] = [
    ({}, "https", False),
    ({"force-ssl-redirect": "true"}, "https", True),
    ({"preserve-trailing-slash": "true"}, "keep_slash", True),
    (
        {"permanent-redirect": "https://new.example.com/$request_uri", "permanent-redirect-code": "308"},
        "redirect",
        options.Redirect(308, (("text", b"https://new.example.com/"), ("request_uri", b""))),
    ),
    (
        {"permanent-redirect": "http://a", "permanent-redirect-code": "404"},
        "redirect",
        options.Redirect(301, (("text", b"http://a"),)),
    ),
    (
        {"temporal-redirect": "http://t", "permanent-redirect": "http://p", "temporal-redirect-code": "308"},
        "redirect",
        options.Redirect(302, (("text", b"http://t"),)),
    ),
    (
        {"permanent-redirect": "/x", "relative-redirects": "true"},
        "redirect",
        options.Redirect(301, (("text", b"/x"),)),
    ),
    (
        {"permanent-redirect": "/x"},
        "redirect",
        options.Redirect(301, (("scheme", b""), ("text", b"://"), ("http_host", b""), ("text", b"/x"))),
    ),
    (
        {"whitelist-source-range": "10.0.0.0/8, 2001:db8::1", "denylist-source-range": "10.1.0.0/16"},
        "access",
        options.Access(
            ((4, 0x0A010000, 16),), ((4, 0x0A000000, 24), (6, (0x20010DB8 << 96 | 1).to_bytes(16, "big"), 0))
        ),
    ),
    (
        {"auth-type": "basic", "auth-secret": "users", "auth-realm": "staff only"},
        "basic",
        options.Basic(b"staff only", ((b"jo", b"$apr1$x"), (b"al", b"{SHA}y"))),
    ),
    (
        {"auth-type": "basic", "auth-secret": "shop/map", "auth-secret-type": "auth-map"},
        "basic",
        options.Basic(b"Authentication Required", ((b"jo", b"$2y$05$x"),)),
    ),
    (
        {
            "auth-url": "http://auth.shop.svc.cluster.local:8080/check",
            "auth-response-headers": "X-User, X-Team",
        },
        "external",
        options.External(
            (("text", b"http://auth.shop.svc.cluster.local:8080/check"),),
            pool=b"shop/auth/8080",
            copied=(b"x-user", b"x-team"),
        ),
    ),
    (
        {"auth-url": "https://$host/auth", "auth-signin": "https://login.example.com/?x=1"},
        "external",
        options.External(
            (("text", b"https://"), ("host", b""), ("text", b"/auth")),
            signin=(
                ("text", b"https://login.example.com/?x=1"),
                ("text", b"&rd="),
                ("pass_access_scheme", b""),
                ("text", b"://"),
                ("http_host", b""),
                ("escaped_request_uri", b""),
            ),
        ),
    ),
    ({"satisfy": "any"}, "either", True),
    (
        {"limit-rps": "10", "limit-rpm": "60", "limit-burst-multiplier": "3", "limit-connections": "7"},
        "limits",
        options.Limits(
            (options.Limit(1.0, 180.0, True), options.Limit(10.0, 30.0, True)),
            connections=7,
            refusal=options.Refusal(503),
            busy=options.Refusal(body=b"sentinel rate limited"),
        ),
    ),
    (
        {
            MSE + "rate-limit": "100",
            MSE + "rate-limit-fallback-custom-response-body": "{}",
            MSE + "rate-limit-fallback-custom-response-body-type": "json",
        },
        "limits",
        options.Limits(
            (options.Limit(100.0, 100.0, False),),
            refusal=options.Refusal(429, b"{}", b"application/json; charset=UTF-8"),
            busy=options.Refusal(body=b"sentinel rate limited"),
        ),
    ),
    (
        {MSE + "route-limit-rps": "2", MSE + "route-limit-burst-multiplier": "1"},
        "limits",
        options.Limits(
            (options.Limit(2.0, 2.0, False),),
            refusal=options.Refusal(body=b"local_rate_limited"),
            busy=options.Refusal(body=b"sentinel rate limited"),
        ),
    ),
    (
        {"limit-rate": "100", "limit-rate-after": "1"},
        "limits",
        options.Limits(busy=options.Refusal(body=b"sentinel rate limited"), pace=102400, pace_after=1024),
    ),
    ({"x-forwarded-prefix": "/a"}, "prefix", b""),
    ({"x-forwarded-prefix": "/a", "rewrite-target": "/b"}, "rewrite", b"/b"),
    (
        {
            MSE + "request-header-control-update": "a 1\n'b'  \"2 3\"",
            MSE + "request-header-control-remove": "X-Y, z",
        },
        "request",
        options.Fields((b"x-y", b"z"), ((b"a", b"1"), (b"b", b"2 3"))),
    ),
    ({MSE + "response-header-control-add": "a 1"}, "response", options.Fields((), (), ((b"a", b"1"),))),
    ({"upstream-hash-by": "${request_uri}-x"}, "hash", options.Hash((("request_uri", b""), ("text", b"-x")))),
    (
        {"upstream-hash-by": "$http_x_user", "upstream-hash-by-subset": "true"},
        "hash",
        options.Hash((("http_", b"x-user"),), 3),
    ),
    ({"load-balance": "ewma"}, "balance", "least"),
    ({"default-backend": "sorry"}, "fallback", b"shop/sorry"),
    (
        {"default-backend": "sorry", "custom-http-errors": "404,503"},
        "errors",
        options.Errors((404, 503), b"shop/sorry"),
    ),
    ({"fedns.io/cluster-by-header": "X-Cluster:strict"}, "member_header", b"x-cluster"),
    ({"fedns.io/canary-mode": "mse"}, "mode", options.MSE),
    (
        {"proxy-connect-timeout": "2", "proxy-read-timeout": "1m", MSE + "timeout": "9"},
        "timeouts",
        options.Timeouts(2.0, 60.0, 60.0, 9.0),
    ),
    (
        {"proxy-next-upstream": "error http_503 non_idempotent", "proxy-next-upstream-tries": "2"},
        "retry",
        options.Retry(2, timeout=False, statuses=(503,), unsafe=True),
    ),
    ({"proxy-next-upstream": "off"}, "retry", options.Retry(1, error=False, timeout=False)),
    ({"fedns.io/retry-next-cluster": "off"}, "retry", options.Retry(leave="off")),
    (
        {MSE + "mirror-target-service": "other/copy:81", MSE + "mirror-percentage": "10"},
        "mirror",
        options.Mirror(b"other/copy/81", percent=10.0),
    ),
    (
        {"mirror-target": "https://copy.example.com/x$request_uri", "mirror-request-body": "off"},
        "mirror",
        options.Mirror(
            url=(("text", b"https://copy.example.com/x"), ("request_uri", b"")),
            target=(("text", b"/x"), ("request_uri", b"")),
            body=False,
        ),
    ),
    (
        {"backend-protocol": "HTTPS", "upstream-vhost": "in.ternal"},
        "upstream",
        options.Upstream("https", (("text", b"in.ternal"),)),
    ),
    (
        {
            "backend-protocol": "GRPCS",
            "proxy-ssl-secret": "shop/ca",
            "proxy-ssl-verify": "on",
            "proxy-ssl-name": "x.y",
        },
        "upstream",
        options.Upstream("grpcs", name=b"x.y", verify=True, secret=b"shop/ca"),
    ),
    ({"proxy-body-size": "8m"}, "body_limit", 8 << 20),
    ({"proxy-body-size": "0"}, "body_limit", 0),
    ({"proxy-cookie-domain": "localhost example.org"}, "cookie_domains", ((b"localhost", b"example.org"),)),
    (
        {"proxy-redirect-from": "http://in", "proxy-redirect-to": "https://out"},
        "moved",
        ((b"http://in", b"https://out"),),
    ),
    ({"proxy-redirect-from": "default", "proxy-redirect-to": "x"}, "moved", ()),
    ({"enable-access-log": "false"}, "logged", False),
]


@pytest.mark.parametrize(("annotations", "option", "expected"), CASES, ids=lambda each: str(each)[:40])
def test_options(annotations: dict[str, str], option: str, expected: Any) -> None:
    found, problems = made(annotations)
    assert getattr(found, option) == expected
    assert not problems


@pytest.mark.parametrize(
    ("annotations", "word"),
    [
        ({"auth-type": "digest", "auth-secret": "users"}, "auth-type"),
        ({"auth-type": "basic"}, "go together"),
        ({"auth-type": "basic", "auth-secret": "nobody"}, "is not there"),
        ({"auth-type": "basic", "auth-secret": "other/users"}, "another namespace"),
        ({"auth-type": "basic", "auth-secret": "empty"}, "no key auth"),
        ({"auth-url": "auth.example.com"}, "auth-url"),
        ({"auth-url": "/auth"}, "names no host"),
        ({"auth-url": "http://$nope/"}, "auth-url"),
        ({"whitelist-source-range": "10.0.0.0/8, x"}, "whitelist-source-range"),
        ({"satisfy": "some"}, "satisfy"),
        ({"proxy-ssl-verify": "on"}, "proxy-ssl-verify"),
        ({"auth-tls-secret": "nobody"}, "is not there"),
        ({"auth-tls-secret": "empty"}, "no key ca.crt"),
        ({"auth-tls-secret": "ca", "auth-tls-match-cn": "CN=("}, "auth-tls-match-cn"),
    ],
)
def test_a_guard_that_cannot_be_met_shuts_the_path(annotations: dict[str, str], word: str) -> None:
    found, problems = made(annotations)
    assert found.refused
    assert any(word in each for each in problems), problems
    asked = output(ingress("i", one("h", path("/p", "s")), annotations=annotations))
    assert decide.decide(asked.table, request("h", "/p")).status == 503


@pytest.mark.parametrize(
    ("annotations", "word"),
    [
        ({"proxy-read-timeout": "soon"}, "'soon' is not seconds"),
        ({"canary-weight": "-1"}, "a whole number from 0"),
        ({"rewrite-target": "http://elsewhere/"}, "a path, not a URL"),
        ({"permanent-redirect": "javascript:alert(1)"}, "a URL"),
        ({"permanent-redirect": "https://x/\r\nSet-Cookie: a=b"}, "without control characters"),
        ({MSE + "request-header-control-update": "a b: c\nbad:name x"}, "a header name"),
        ({MSE + "request-header-control-add": "lonely"}, "and its value on each line"),
        ({"cors-allow-origin": "https://*.*.example.com"}, "origins like"),
        ({"upstream-hash-by": "$nope"}, "$nope is not known"),
        ({"configuration-snippet": "return 200;"}, "is ignored"),
        ({"no-such-thing": "1"}, "is not known"),
        (
            {"x-forwarded-prefix": "/a", MSE + "x-forwarded-prefix": "/b"},
            "mse.ingress.kubernetes.io/x-forwarded-prefix is not known",
        ),
        ({"proxy-next-upstream": "errors"}, "'errors' is no condition"),
        ({"custom-http-errors": "500"}, "does nothing without default-backend"),
        ({MSE + "destination": "60% elsewhere.com:80"}, "lines like"),
        ({"fedns.io/clusters": "a,;b c"}, "members, like"),
    ],
)
def test_what_cannot_be_read_is_told_and_left_out(annotations: dict[str, str], word: str) -> None:
    found, problems = made(annotations)
    assert len(problems) == 1 and word in problems[0], problems
    assert not found.refused


def test_families_by_rank() -> None:
    found, problems = made({"proxy-body-size": "1m", "fedns.io/proxy-body-size": "2m"})
    assert (found.body_limit, problems) == (2 << 20, [])
    found, _ = made({"permanent-redirect": "http://nginx", MSE + "permanent-redirect": "http://mse"})
    assert found.redirect is not None and found.redirect.url == (("text", b"http://nginx"),)


def tls(secret: str, hosts: tuple[str, ...] = ("h",)) -> dict[str, Any]:
    return {"tls": (Tls(hosts, secret),)}


def test_https_where_the_host_has_tls() -> None:
    assert made({}, **tls("tls"))[0].https
    assert made({}, **tls(""))[0].https
    assert not made({"ssl-redirect": "false"}, **tls("tls"))[0].https
    found, problems = made({}, **tls("nobody"))
    assert not found.https and "is not there" in problems[0]
    built = output(ingress("i", one("h", path("/.well-known/acme-challenge/x", "s")), **tls("tls")))
    assert not built.table.options[
        built.table.hosts[b"h"].prefix[b"/.well-known/acme-challenge/x"].options
    ].https
    assert built.table.tls[b"h"].certificate == b"shop/tls" and b"shop/tls" in built.certificates


def test_a_wildcard_certificate_covers_one_label() -> None:
    built = output(
        ingress("i", one("a.x.y", path("/", "s")), one("b.a.x.y", path("/", "s")), **tls("tls", ("*.x.y",)))
    )
    for host, https in ((b"a.x.y", True), (b"b.a.x.y", False)):
        assert built.table.options[built.table.hosts[host].prefix[b""].options].https is https


def test_how_a_host_is_spoken_to() -> None:
    asked = {
        MSE + "tls-min-protocol-version": "TLSv1.3",
        "ssl-ciphers": "A,B",
        "auth-tls-secret": "shop/ca",
        "auth-tls-verify-client": "optional",
        "auth-tls-match-cn": "CN=^jo",
    }
    built = output(ingress("i", one("h", path("/", "s")), annotations=asked, **tls("tls")))
    found = built.table.tls[b"h"]
    assert (found.least, found.ciphers, found.clients, found.verify) == ("1.3", "A:B", b"shop/ca", "optional")
    assert sorted(built.certificates) == [b"shop/ca", b"shop/tls"]
    assert "PRIVATE" not in repr(built.certificates)


def test_domain_lists_are_for_paths_that_have_none() -> None:
    domain = ingress(
        "d", one("h", path("/a", "s")), annotations={MSE + "domain-blacklist-source-range": "10.0.0.1"}
    )
    own = ingress(
        "o", one("h", path("/b", "s")), annotations={"denylist-source-range": "10.0.0.2"}, created=1.0
    )
    table = output(domain, own).table
    for where, client, status in (
        ("/a", "10.0.0.1", 403),
        ("/a", "10.0.0.2", 0),
        ("/b", "10.0.0.1", 0),
        ("/b", "10.0.0.2", 403),
    ):
        asked = request("h", where)
        asked.client = client
        assert decide.decide(table, asked).status == status


def test_destinations_by_weight() -> None:
    asked = {
        MSE + "destination": "60% foo.other.svc.cluster.local:8080\n40% bar.other.svc.cluster.local:9090 v1"
    }
    built = output(ingress("i", one("h", path("/", "s")), annotations=asked))
    pools = [decide.decide(built.table, request("h", "/"), (n + 0.5) / 10).pool for n in range(10)]
    assert pools.count(b"other/foo/8080") == 6 and pools.count(b"other/bar/9090") == 4


def test_equal_options_are_held_once() -> None:
    rules = [one(f"h{n}", *(path(f"/p{k}", "s") for k in range(5))) for n in range(5)]
    built = output(ingress("i", *rules, annotations={"proxy-read-timeout": "9"}))
    assert len(built.table.options) == 2


def test_levels_make_pools_of_their_own() -> None:
    plain = ingress("a", one("h", path("/a", "s")))
    levels = ingress(
        "b", one("h", path("/b", "s")), annotations={"fedns.io/clusters": "x,y;z", "fedns.io/failback": "30s"}
    )
    built = output(plain, levels)
    keys = sorted(built.wanted)
    assert keys[0] == b"shop/s/80" and keys[1].startswith(b"shop/s/80/")
    assert built.wanted[keys[1]].choice.levels == (("x", "y"), ("z",))
    assert built.wanted[keys[1]].choice.failback == 30.0
