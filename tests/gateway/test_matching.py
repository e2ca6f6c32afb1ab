"""Rules that ask for methods, header fields and parameters."""

from fedns.gateway import decide
from tests.gateway import ingresses
from tests.gateway.ingresses import ingress, one, path, request, service

MSE = "mse.ingress.kubernetes.io/"


def asking(name: str, text: str, **asked: str) -> ingresses.Ingress:
    annotations = {MSE + key.replace("_", "-"): value for key, value in asked.items()}
    return ingress(name, one("h", path(text, name)), annotations=annotations)


def test_what_asks_for_most_comes_first_and_the_rest_is_for_the_others() -> None:
    output = ingresses.built(
        asking("plain", "/a"),
        asking("post", "/a", match_method="POST"),
        asking("writes", "/a", match_method="post put"),
        asking("header", "/a", exact_match_header_x_user="jo"),
        asking("both", "/a", match_method="POST", exact_match_header_x_user="jo"),
        asking("query", "/a", prefix_match_query_v="b"),
        asking("pattern", "/a", regex_match_header_x_user="j[a-z]+"),
    )
    assert not output.problems
    for target, method, headers, want in (
        ("/a", "GET", (), "plain"),
        ("/a/b", "POST", (), "post"),
        ("/a", "PUT", (), "writes"),
        ("/a", "POST", (("X-User", "jo"),), "both"),
        ("/a", "GET", (("X-User", "jo"),), "header"),
        ("/a", "GET", (("X-User", "jane"),), "pattern"),
        ("/a", "GET", (("X-User", "jane1"),), "plain"),
        ("/a?v=beta", "GET", (), "query"),
        ("/a?v=alpha", "GET", (), "plain"),
    ):
        assert service(output, request("h", target, *headers, method=method)) == want


def test_what_nobody_takes_goes_to_the_shorter_path() -> None:
    output = ingresses.built(asking("root", "/"), asking("post", "/a/b", match_method="POST"))
    assert service(output, request("h", "/a/b", method="POST")) == "post"
    assert service(output, request("h", "/a/b")) == "root"
    lonely = ingresses.built(asking("post", "/a/b", match_method="POST"))
    assert service(lonely, request("h", "/a/b")) == 404


def test_patterns_that_ask() -> None:
    rule = {"use-regex": "true", MSE + "match-method": "POST"}
    output = ingresses.built(
        ingress("post", one("h", path("/a.+", "post")), annotations=rule), asking("any", "/a")
    )
    assert service(output, request("h", "/ab", method="POST")) == "post"
    assert service(output, request("h", "/ab")) == "any"


def test_a_canary_joins_who_asks_for_the_same() -> None:
    canary = {"canary": "true", "canary-weight": "100"}
    post = {**canary, MSE + "match-method": "POST"}
    for annotations, got, posted in ((post, "plain", "new"), (canary, "new", "post")):
        output = ingresses.built(
            asking("plain", "/a"),
            asking("post", "/a", match_method="POST"),
            ingress("new", one("h", path("/a", "new")), annotations=annotations, created=1.0),
        )
        assert service(output, request("h", "/a")) == got
        assert service(output, request("h", "/a", method="POST")) == posted


def test_two_that_ask_for_the_same_are_told() -> None:
    output = ingresses.built(asking("a", "/a", match_method="GET"), asking("b", "/a", match_method="GET"))
    assert "belongs to shop/a" in output.problems[0].what


def test_names_that_no_header_has_are_told() -> None:
    output = ingresses.built(
        ingress("i", one("h", path("/", "s")), annotations={MSE + "exact-match-header-a b": "c"})
    )
    assert "not a header name" in output.problems[0].what
    assert service(output, request("h", "/")) == 404


def test_steps_say_what_was_asked() -> None:
    steps: list[str] = []
    output = ingresses.built(asking("post", "/a", match_method="POST", exact_match_header_x_user="jo"))
    decide.decide(output.table, request("h", "/a", ("X-User", "jo"), method="POST"), steps=steps)
    assert any("which asks for POST, x-user exact 'jo'" in step for step in steps), steps
