"""Size budgets: rooms stay small enough to read in one sitting.

Law: a file has at most 400 lines, a function 60, 5 parameters and 3 levels of nesting. Who needs
more for a while stands in ALLOWED with a reason and a date; after that date the test fails.
"""

import ast
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES, FUNCTION_LINES, PARAMETERS, NESTING = 400, 60, 5, 3
DOCSTRING_LINES = 12


class Allowance(NamedTuple):
    """`what` as the test names it, the limit it gets, until when (ISO date), and why."""

    what: str
    limit: int
    until: str
    reason: str


ALLOWED: tuple[Allowance, ...] = ()

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


def sources() -> list[Path]:
    return sorted((ROOT / "fedns").rglob("*.py"))


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def parameters(function: Function) -> int:
    """Parameters a caller fills: without `self` or `cls`."""
    listed = function.args.posonlyargs + function.args.args
    bound = 1 if listed and listed[0].arg in ("self", "cls") else 0
    return len(listed) + len(function.args.kwonlyargs) - bound


def depth(node: ast.AST) -> int:
    """Deepest chain of blocks below `node`; an `elif` is as deep as its `if`."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            continue
        elif_of = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        own = 1 if isinstance(child, BLOCKS) and not elif_of else 0
        deepest = max(deepest, own + depth(child))
    return deepest


def measures() -> Iterator[tuple[str, int, int]]:
    """(what, measured, limit) for everything that has a budget."""
    for path in sources():
        text = path.read_text()
        name = path.relative_to(ROOT)
        tree = ast.parse(text)
        yield f"{name} lines", text.count("\n"), FILE_LINES
        yield f"{name} docstring", len((ast.get_docstring(tree) or "").splitlines()), DOCSTRING_LINES
        for function in functions(tree):
            where = f"{name}:{function.name}"
            yield f"{where} lines", (function.end_lineno or 0) - function.lineno + 1, FUNCTION_LINES
            yield f"{where} parameters", parameters(function), PARAMETERS
            yield f"{where} nesting", depth(function), NESTING


def test_everything_keeps_its_budget() -> None:
    allowed = {row.what: row.limit for row in ALLOWED}
    over = [
        f"{what}: {measured} > {allowed.get(what, limit)}"
        for what, measured, limit in measures()
        if measured > allowed.get(what, limit)
    ]
    assert not over, "\n".join(over)


def test_allowances_are_needed_and_not_expired() -> None:
    today = datetime.date.today()
    needed = {what for what, measured, limit in measures() if measured > limit}
    stale = [
        row.what
        for row in ALLOWED
        if row.what not in needed or datetime.date.fromisoformat(row.until) < today or not row.reason
    ]
    assert not stale, stale


def test_every_room_says_why_it_exists() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.name not in ("__init__.py", "__main__.py")
        and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent, silent
