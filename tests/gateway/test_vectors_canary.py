"""The canary vectors, in all three modes: ingress-nginx's answers by default and in strict order, MSE's where
they differ and are defined, and fedns's own where it mends a known fault."""

from typing import Any

import pytest

from fedns.gateway import decide, head, options
from tests.conformance import vectors
from tests.gateway import ingresses

_CASES = [(group, case) for group in vectors.load("fedns-vectors")["canary"] for case in group["cases"]]
_MODES = ("fedns", "nginx-strict", "mse")
DRAWS = 1000
DEVIATIONS = {
    ("fedns", "sticky main beats header"): (
        "canary",
        "explicit words of the request come before habit (#8246)",
    ),
    ("mse", "sticky main beats header"): ("canary", "MSE's header route comes first"),
    ("mse", "sticky canary"): ("main", "MSE's cookie is a hash key and knows no canary"),
}


def _built(group: dict[str, Any], mode: str) -> Any:
    return ingresses.built(*ingresses.canaried(group, mode))


def _share(output: Any, case: dict[str, Any], host: str) -> dict[str, int]:
    """Services over evenly spread draws."""
    found: dict[str, int] = {}
    location = output.table.hosts[b"h"].prefix[b""]
    tags = {"<bound to main>": location.tag}
    for each in location.canaries:
        tags["<bound to canary>"] = each.tag
    headers = list(case.get("headers", {}).items())
    for name, value in case.get("cookies", {}).items():
        bound = tags.get(value)
        headers.append(("Cookie", f"{name}=" + (f"abc.{bound.decode()}" if bound else value)))
    asked = ingresses.request(host, "/", *headers)
    dead = {f"shop/{case['state'].split()[0]}/80".encode()} if "state" in case else set()
    for number in range(DRAWS):
        made = decide.decide(output.table, asked, (number + 0.5) / DRAWS, lambda pool: pool not in dead)
        name = str(made.status) if made.status else made.pool.decode().split("/")[1]
        name = "503" if made.pool in dead else name
        found[name] = found.get(name, 0) + 1
    return found


def _want(mode: str, group: dict[str, Any], case: dict[str, Any]) -> Any:
    if (mode, group["name"]) in DEVIATIONS:
        return DEVIATIONS[mode, group["name"]][0]
    if mode == "mse" and not case.get("higress", "undefined").startswith("undefined"):
        return case["higress"]
    if mode != "nginx-strict" and "fedns" in case:
        return case["fedns"]
    return case["want"]


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize(("group", "case"), _CASES, ids=lambda each: each.get("name", ""))
def test_canary(mode: str, group: dict[str, Any], case: dict[str, Any]) -> None:
    output = _built(group, mode)
    host = group["canary"].get("host", "h")
    found = (
        _share(output, case, host)
        if host == "h"
        else {str(ingresses.service(output, ingresses.request(host, "/"))): DRAWS}
    )
    want = str(_want(mode, group, case))
    if want in ("main", "canary", "404"):
        assert found == {want: DRAWS}
    elif want.startswith("main (annotation ignored"):
        assert found == {"main": DRAWS} and output.problems
    elif want.startswith("503"):
        assert found == {"503": DRAWS}
    elif "%" in want:
        part = int(want.strip("~").partition("%")[0]) * DRAWS // 100
        assert abs(found.get("canary", 0) - part) <= 1
    else:
        pytest.fail(f"the vector wants {want}")


def test_every_deviation_is_one() -> None:
    names = {group["name"] for group, _ in _CASES}
    assert all(name in names and reason for (_, name), (_, reason) in DEVIATIONS.items())


def test_a_canary_that_matches_nothing_is_told() -> None:
    main = ingresses.ingress("main", ingresses.one("h", ingresses.path("/a", "main")))
    for rule in (("h", "/b", "Prefix"), ("x", "/a", "Prefix"), ("h", "/a", "Exact")):
        other = ingresses.ingress(
            "canary",
            ingresses.one(rule[0], ingresses.path(rule[1], "c", rule[2])),
            annotations={"canary": "true"},
        )
        output = ingresses.built(main, other)
        assert "gets no traffic" in output.problems[0].what
        assert not output.table.hosts[b"h"].prefix[b"/a"].canaries


def _several(mode: str = "fedns") -> Any:
    made = [
        ingresses.ingress(
            "main",
            ingresses.one("h", ingresses.path("/", "main")),
            annotations={"fedns.io/canary-mode": mode},
        )
    ]
    for at, (name, asked) in enumerate(
        (
            ("one", {"canary-by-header": "X-C", "canary-by-header-value": "1", "canary-weight": "10"}),
            ("two", {"canary-by-header": "X-C", "canary-by-header-value": "2", "canary-weight": "20"}),
            ("three", {"canary-by-cookie": "beta"}),
        )
    ):
        rule = ingresses.one("h", ingresses.path("/", name))
        made.append(ingresses.ingress(name, rule, annotations={"canary": "true", **asked}, created=at + 1.0))
    return ingresses.built(*made)


def test_several_canaries_by_word_and_by_weight() -> None:
    output = _several()
    assert _share(output, {}, "h") == {"one": 100, "two": 200, "main": 700}
    assert _share(output, {"headers": {"X-C": "2"}}, "h") == {"two": 1000}
    assert _share(output, {"cookies": {"beta": "always"}}, "h") == {"three": 1000}
    assert _share(output, {"cookies": {"beta": "never"}}, "h") == {"one": 100, "two": 200, "main": 700}
    assert _share(output, {"state": "one"}, "h") == {"two": 200, "main": 800}
    assert _share(output, {"state": "main"}, "h")["one"] >= 100


def test_strict_knows_the_oldest_canary_alone() -> None:
    output = _several("nginx-strict")
    assert _share(output, {"headers": {"X-C": "2"}}, "h") == {"one": 100, "main": 900}


def test_in_strict_order_the_younger_canary_is_told() -> None:
    told = [problem.what for problem in _several("nginx-strict").problems]
    assert len(told) == 2 and all("the order is strict" in each for each in told)


def test_the_order_is_the_locations_else_the_oldest_canarys() -> None:
    for main, one, two, want in (
        ("", "mse", "", options.MSE),
        ("", "", "mse", options.MSE),
        ("nginx-strict", "mse", "", options.STRICT),
        ("", "nginx-strict", "mse", options.STRICT),
    ):
        made = []
        for at, (name, mode) in enumerate((("main", main), ("one", one), ("two", two))):
            asked = {"canary": "true", "canary-weight": "1"} if at else {}
            asked |= {"fedns.io/canary-mode": mode} if mode else {}
            rule = ingresses.one("h", ingresses.path("/", name))
            made.append(ingresses.ingress(name, rule, annotations=asked, created=float(at)))
        table = ingresses.built(*made).table
        assert table.options[table.hosts[b"h"].prefix[b""].options].mode == want


def test_weights_over_the_whole_share_it() -> None:
    made = [ingresses.ingress("main", ingresses.one("h", ingresses.path("/", "main")))]
    for name in ("one", "two"):
        rule = ingresses.one("h", ingresses.path("/", name))
        made.append(
            ingresses.ingress(name, rule, annotations={"canary": "true", "canary-weight": "80"}, created=1.0)
        )
    assert _share(ingresses.built(*made), {}, "h") == {"one": 500, "two": 500}


def test_never_keeps_the_weight_away() -> None:
    asked = {"canary": "true", "canary-by-header": "X-C", "canary-weight": "100"}
    main = ingresses.ingress("main", ingresses.one("h", ingresses.path("/", "main")))
    other = ingresses.ingress(
        "c", ingresses.one("h", ingresses.path("/", "c")), annotations=asked, created=1.0
    )
    output = ingresses.built(main, other)
    assert _share(output, {"headers": {"X-C": "never"}}, "h") == {"main": 1000}
    assert _share(output, {"headers": {"X-C": "never"}, "state": "main"}, "h") == {"503": 1000}


def test_query_and_cookie_value_are_mses() -> None:
    asked = {
        "canary": "true",
        "mse.ingress.kubernetes.io/canary-by-query": "v",
        "mse.ingress.kubernetes.io/canary-by-query-pattern": "^b.t",
        "canary-by-cookie": "ck",
        "mse.ingress.kubernetes.io/canary-by-cookie-value": "yes",
    }
    main = ingresses.ingress("main", ingresses.one("h", ingresses.path("/", "main")))
    other = ingresses.ingress(
        "c", ingresses.one("h", ingresses.path("/", "c")), annotations=asked, created=1.0
    )
    output = ingresses.built(main, other)
    assert not output.problems
    for target, cookie, want in (
        ("/?v=beta", "", "c"),
        ("/?v=x&w=beta", "", "main"),
        ("/", "ck=yes", "c"),
        ("/", "ck=no", "main"),
    ):
        assert ingresses.service(output, ingresses.request("h", target, ("Cookie", cookie))) == want


def test_speaking_of_canaries_without_being_one_is_told() -> None:
    lonely = ingresses.ingress(
        "i", ingresses.one("h", ingresses.path("/", "s")), annotations={"canary-weight": "5"}
    )
    output = ingresses.built(lonely)
    assert "is none" in output.problems[0].what
    assert ingresses.service(output, ingresses.request("h", "/")) == "s"


def test_a_canary_keeps_the_options_of_its_location_but_for_headers_and_balancing() -> None:
    rule = ingresses.one("h", ingresses.path("/", "main"))
    update = "mse.ingress.kubernetes.io/request-header-control-update"
    main = ingresses.ingress("main", rule, annotations={"proxy-read-timeout": "7", update: "x main"})
    asked = {"canary": "true", "canary-weight": "100", update: "x canary", "proxy-read-timeout": "9"}
    other = ingresses.ingress(
        "c", ingresses.one("h", ingresses.path("/", "c")), annotations=asked, created=1.0
    )
    made = decide.decide(ingresses.built(main, other).table, ingresses.request("h", "/"))
    assert made.options is not None and made.options.request is not None
    assert made.options.timeouts.read == 7.0
    assert made.options.request.update == ((b"x", b"canary"),)


def test_the_steps_name_what_decided() -> None:
    steps: list[str] = []
    asked: head.Head = ingresses.request("h", "/", ("X-C", "2"))
    made = decide.decide(_several().table, asked, 0.5, decide.everybody, steps)
    assert made.canary is not None and made.canary.pool == b"shop/two/80"
    assert any("header x-c says yes to shop/two" in step for step in steps), steps
