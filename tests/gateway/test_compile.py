"""Which Ingresses are served, who owns a path, and what is told about the others."""

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from fedns.gateway import compile, decide, route, site
from fedns.model.ingress import Backend, Ingress, IngressClass, Secret, Tls
from tests.gateway import ingresses
from tests.gateway.ingresses import NS, ingress, one, path, request, service

REGEX = {"use-regex": "true"}


def problems(*given: Ingress) -> list[str]:
    return [str(each) for each in ingresses.built(*given).problems]


def test_patterns_take_the_whole_host_longest_text_first() -> None:
    output = ingresses.built(
        ingress(
            "patterns",
            one("h", path("/foo/bar/(.+)", "three"), path("/foo/bar/[A-Z0-9]{3}", "four")),
            annotations=REGEX,
        ),
        ingress("plain", one("h", path("/foo/bar/", "two"), path("/foo/bar", "one", "Exact"))),
    )
    assert service(output, request("h", "/foo/bar/1")) == "three"
    assert service(output, request("h", "/FOO/bar/bar")) == "four"
    assert service(output, request("h", "/foo/bar/")) == "two"
    assert service(output, request("h", "/foo/barbar")) == "one"
    assert service(output, request("h", "/other")) == 404


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("/api(/|$)(.*)", "/api"),
        ("/API/v2", "/api/v2"),
        ("/a|/b", ""),
        ("/a(b|c)|d", ""),
        ("/a[|]b", ""),
        ("/ab*", "/a"),
        ("/ab?c", "/a"),
        ("/ab{2}", "/a"),
        ("/a\\|b", "/a"),
        ("/", "/"),
        ("/id/[0-9]+$", "/id/"),
    ],
)
def test_what_a_pattern_begins_with(text: str, literal: str) -> None:
    assert site.literal(text.encode()) == literal.encode()


pieces = st.lists(
    st.sampled_from(
        ["a", "B", "/", "(a|b)", "|", "[a|]", "x*", "y?", "z{2}", ".", "\\.", "(c)+", "$", "(/|$)"]
    ),
    max_size=6,
)


@given(pieces, st.text("abxyzcAB/.|", max_size=8))
def test_no_path_that_matches_is_passed_over(parts: list[str], asked: str) -> None:
    text = ("/" + "".join(parts)).encode()
    try:
        compiled = route.pattern(b"(?i)^" + text)
    except re2.error:
        return
    path = b"/" + asked.encode()
    if compiled.search(path) is not None:
        assert path.lower().startswith(site.literal(text))


def test_a_pattern_that_cannot_be_compiled_costs_only_itself() -> None:
    bad = ingress("bad", one("h", path("/(?=x)", "a"), path("/b", "b")), annotations=REGEX)
    output = ingresses.built(bad)
    assert service(output, request("h", "/b")) == "b"
    assert [(each.where, "(?=" in each.what, "RE2" in each.hint) for each in output.problems] == [
        ("Ingress shop/bad", True, True)
    ]


def test_any_beginning_where_the_kind_is_the_implementations() -> None:
    output = ingresses.built(
        ingress("own", one("h", path("/foo", "a", "ImplementationSpecific"), path("/foo/bar", "b")))
    )
    assert service(output, request("h", "/foobar")) == "a"
    assert service(output, request("h", "/foo/bar/x")) == "b"
    assert service(output, request("h", "/foo/barx")) == "a"


def test_no_longer_beginning_takes_a_shorter_path() -> None:
    output = ingresses.built(
        ingress("root", one("h", path("/", "root"))),
        ingress("own", one("h", path("/", "own", "ImplementationSpecific"))),
        ingress("a", one("h", path("/a", "a", "ImplementationSpecific"))),
    )
    assert service(output, request("h", "/")) == "root"


def test_the_longer_form_of_a_prefix_wins_whichever_came_first() -> None:
    for first, second in (("/foo", "/foo/"), ("/foo/", "/foo")):
        output = ingresses.built(ingress("i", one("h", path(first, first[1:]), path(second, second[1:]))))
        made = decide.decide(output.table, request("h", "/foo"))
        assert made.pool == b"shop/foo//80"
        assert not output.problems


def test_who_is_younger_is_told_whose_path_it_is() -> None:
    old, young = (
        ingress(name, one("h", path("/a", name)), created=created)
        for name, created in (("zz-old", 1.0), ("aa-young", 2.0))
    )
    output = ingresses.built(young, old)
    assert service(output, request("h", "/a")) == "zz-old"
    assert [each.where for each in output.problems] == ["Ingress shop/aa-young"]
    assert "shop/zz-old h/a" in output.problems[0].what


def test_classes() -> None:
    classes = (IngressClass("mine", compile.CONTROLLER), IngressClass("theirs", "k8s.io/ingress-nginx"))
    each = [
        ingress(f"i{klass}", one(f"{klass or 'none'}.x", path("/", "s")), klass=klass)
        for klass in ("", "fedns", "mine", "theirs", "lost")
    ]
    output = compile.table(compile.Input(each, classes), compile.Settings())
    assert sorted(output.table.hosts) == [b"fedns.x", b"mine.x", b"none.x"]
    assert [problem.where for problem in output.problems] == ["Ingress shop/ilost"]
    classes = (*classes, IngressClass("other", "k8s.io/ingress-nginx", default=True))
    output = compile.table(compile.Input(each, classes), compile.Settings())
    assert sorted(output.table.hosts) == [b"fedns.x", b"mine.x"]


@pytest.mark.parametrize("host", ["a b", "a@b", "*", "a.*.b", "a..b"])
def test_a_host_that_is_none_is_told(host: str) -> None:
    assert "host name" in problems(ingress("i", one(host, path("/", "s"))))[0]


@pytest.mark.parametrize("text", ["foo", "/a\\b", "/%zz", "/../a"])
def test_a_path_that_no_request_has_is_told(text: str) -> None:
    assert "is not served" in problems(ingress("i", one("h", path(text, "s"))))[0]


def test_paths_and_hosts_are_compared_in_one_form() -> None:
    output = ingresses.built(ingress("i", one("Bücher.Example.COM", path("/a b/ü//%7e", "s", "Exact"))))
    asked = request("xn--bcher-kva.example.com:8080", "/a%20b/%c3%bc/~")
    assert service(output, asked) == "s"


def test_default_backends_of_host_and_of_all() -> None:
    output = ingresses.built(
        ingress("global", default=Backend("everybody", "80"), created=9.0),
        ingress("own", one("h", path("/a", "a")), default=Backend("hosts", "80")),
    )
    assert service(output, request("h", "/a")) == "a"
    assert service(output, request("h", "/z")) == "hosts"
    assert service(output, request("other", "/z")) == "everybody"


def test_pools_are_wanted_by_port_as_written() -> None:
    output = ingresses.built(ingress("i", one("h", path("/a", "s:http"), path("/b", "s"))))
    assert sorted(output.wanted) == [f"{NS}/s/80".encode(), f"{NS}/s/http".encode()]


def test_tls_without_hosts_of_an_ingress_without_hosts_is_the_default_certificate() -> None:
    pem = {"tls.crt": b"-----BEGIN CERTIFICATE-----", "tls.key": b"-----BEGIN PRIVATE KEY-----"}
    secrets = {f"shop/{name}": Secret("shop", name, "kubernetes.io/tls", pem) for name in ("a", "b", "c")}
    given = (
        ingress("named", one("h", path("/", "web")), tls=(Tls((), "a"),)),
        ingress("all", one("", path("/", "web")), tls=(Tls((), "b"),), created=1.0),
        ingress("late", default=Backend("web", "80"), tls=(Tls((), "c"),), created=2.0),
    )
    output = compile.table(compile.Input(given, (), secrets), compile.Settings())
    assert output.table.tls[b"h"].certificate == b"shop/a"
    assert set(output.certificates) == {b"shop/a", b""}
    assert [each.what for each in output.problems] == ["the default certificate is that of secret shop/b"]
