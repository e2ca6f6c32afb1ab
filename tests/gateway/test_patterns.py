"""Expressions that users write: none makes a request slow, whoever wrote it and whatever is asked.

Law: the engine looks at each octet once (RE2), and compiled expressions are bounded; what it cannot read, or
not within bounds, is a problem and costs only itself.
"""

import ast
import time
from pathlib import Path as File

import pytest
import re2

from fedns.gateway import readers, route
from fedns.gateway.annotations import Wrong
from tests.gateway import ingresses
from tests.gateway.ingresses import ingress, one, path, request, service

EVIL = (
    "(a+)+$",
    "(a|aa)+$",
    "(a|a?)+$",
    "(.*a){20}$",
    "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)[^a]$",
    "(x+x+)+y",
    "(([a-z])+.)+[A-Z]([a-z])+$",
    "([a-zA-Z]+)*$",
    "(a{0,20}){0,20}$",
    "[ab]*a[ab]{300}c",
)
NOT_READ = (
    "(?=a)",
    "(?!a)",
    "(?<=a)b",
    "(?<!a)b",
    r"(a)\1",
    "(?P<x>a)(?P=x)",
    "(?>a+)b",
    "a++b",
    "(?R)",
    "[",
)
TOO_LARGE = (
    "(a?){900}b",
    "(?:[ab]{0,900}c){0,1}[de]{0,900}[fg]{0,900}",
    "|".join(f"[ab]*a[ab]{{{n}}}c" for n in range(500, 999, 20)),
)
LONGEST = 8000
OURS = File(__file__).resolve().parents[2] / "fedns"
SOON = 2.0  # seconds of our own work; a backtracking engine would take longer than the universe is old


def _asked(text: str) -> list[str]:
    return ["a" * LONGEST, "ab" * (LONGEST // 2), "x" * LONGEST + "!", text * 50]


@pytest.mark.parametrize("text", EVIL)
def test_no_path_takes_long_to_match(text: str) -> None:
    output = ingresses.built(
        ingress("evil", one("h", path("/" + text, "a")), annotations={"use-regex": "true"})
    )
    assert not output.problems
    for asked in _asked("b"):
        began = time.process_time()
        assert service(output, request("h", "/" + asked)) in ("a", 404)
        assert time.process_time() - began < SOON


@pytest.mark.parametrize("text", EVIL)
@pytest.mark.parametrize("key", ["canary-by-header-pattern", "canary-by-query-pattern"])
def test_no_value_takes_long_to_match(key: str, text: str) -> None:
    named = {key.removesuffix("-pattern"): "x", key: text, "canary": "true"}
    family = "mse.ingress.kubernetes.io/"
    canary = ingress("c", one("h", path("/", "new")), annotations={family + k: v for k, v in named.items()})
    output = ingresses.built(ingress("main", one("h", path("/", "old"))), canary)
    for asked in (*_asked("b"), "a" * 60_000):
        began = time.process_time()
        assert service(output, request("h", f"/?x={asked[:7000]}", ("X", asked))) in ("old", "new")
        assert time.process_time() - began < SOON


@pytest.mark.parametrize("text", EVIL)
def test_no_rule_that_asks_takes_long(text: str) -> None:
    annotations = {"mse.ingress.kubernetes.io/regex-match-header-x": text}
    annotations |= {"mse.ingress.kubernetes.io/regex-match-query-x": text}
    output = ingresses.built(ingress("evil", one("h", path("/", "a")), annotations=annotations))
    assert not output.problems
    for asked in _asked("b"):
        began = time.process_time()
        assert service(output, request("h", f"/?x={asked[:7000]}", ("X", asked))) in ("a", 404)
        assert time.process_time() - began < SOON


@pytest.mark.parametrize("text", [*NOT_READ, *TOO_LARGE])
def test_what_cannot_be_read_or_is_too_large_is_a_problem_and_costs_only_itself(text: str) -> None:
    bad = ingress(
        "bad", one("h", path("/" + text, "a"), path("/other", "b")), annotations={"use-regex": "true"}
    )
    output = ingresses.built(bad)
    assert [each.where for each in output.problems] == ["Ingress shop/bad"]
    assert service(output, request("h", "/other")) == "b"
    assert service(output, request("h", "/aaaa")) == 404
    with pytest.raises(Wrong):
        readers.expression(text)
    canary = {"canary": "true", "canary-by-header": "x", "canary-by-header-pattern": text}
    output = ingresses.built(
        ingress("main", one("h", path("/", "old"))),
        ingress("c", one("h", path("/", "new")), annotations=canary),
    )
    assert len(output.problems) == 1
    assert service(output, request("h", "/", ("X", "a"))) == "old"


def test_a_value_that_is_too_long_is_not_looked_through() -> None:
    assert route.matches(b"a", b"a" * route.MOST)
    assert not route.matches(b"a", b"a" * (route.MOST + 1))


def test_an_expression_has_so_many_steps() -> None:
    assert route.pattern(b"[ab]{500}").programsize < route.STEPS
    with pytest.raises(re2.error, match="steps"):
        route.pattern(b"[ab]{999}|[ac]{999}|[ad]{999}")


def test_expressions_of_others_meet_no_engine_that_goes_back() -> None:
    """`re` of the standard library is for what we wrote ourselves: its calls have their text beside them."""
    for file in (*OURS.glob("gateway/*.py"), *OURS.glob("servers/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "re" and node.func.attr != "escape":
                written = [each for each in ast.walk(node.args[0]) if isinstance(each, ast.Name)]
                assert all(each.id.isupper() for each in written), f"{file}:{node.lineno}"


def test_no_annotation_is_a_program() -> None:
    """Nothing that an Ingress says is executed, formatted or rendered."""
    for file in OURS.glob("gateway/*.py"):
        calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        names = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
        assert not names & {"eval", "exec", "compile", "__import__"}, file
