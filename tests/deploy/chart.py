"""The chart's templates, rendered without helm.

Law: they use few words of helm's language, those below, so that this renders them as helm does; another word
is a failure.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.deploy import objects

CHART = objects.DEPLOY / "helm" / "fedns"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
_ACTION = re.compile(r"(\s*)\{\{-\s*(.*?)\s*\}\}|\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_PATH = re.compile(r"(\.\w*(?:\.\w+)*)\Z")
_YAML = re.compile(r"toYaml (\S+) \| nindent (\d+)\Z")


def render(values: dict[str, Any], name: str = "test", namespace: str = "names") -> list[objects.Object]:
    """All objects of the chart."""
    scope = {"Values": values, "Release": {"Name": name, "Namespace": namespace}}
    texts = (text(path.read_text(), scope) for path in sorted((CHART / "templates").glob("*.yaml")))
    return [one for rendered in texts for one in objects.documents(rendered)]


def text(template: str, scope: dict[str, Any]) -> str:
    """One template, rendered."""
    pieces = list(_pieces(template))
    out, rest = _block(pieces, 0, scope, scope)
    assert rest == len(pieces), "an end too many"
    return out


def _pieces(template: str) -> Iterator[tuple[bool, str]]:
    """(is it an action, text); `{{-` eats the space before it."""
    at = 0
    for found in _ACTION.finditer(template):
        yield False, template[at : found.start()]
        yield True, found[2] if found[3] is None else found[3]
        at = found.end()
    yield False, template[at:]


def _block(pieces: list[tuple[bool, str]], at: int, dot: Any, root: dict[str, Any]) -> tuple[str, int]:
    """Up to the `end` that closes it."""
    out = ""
    while at < len(pieces):
        action, piece = pieces[at]
        at += 1
        word, _, rest = piece.partition(" ")
        if not action:
            out += piece
        elif word in ("if", "with"):
            value = _value(rest, dot)
            inner, at = _block(pieces, at, value if value and word == "with" else dot, root)
            out += inner if value else ""
        elif word == "end":
            return out, at
        else:
            out += _shown(piece, dot)
    return out, at


def _shown(action: str, dot: Any) -> str:
    if found := _YAML.match(action):
        written = yaml.safe_dump(_value(found[1], dot), default_flow_style=False).rstrip("\n")
        return "".join(f"\n{' ' * int(found[2])}{line}" for line in written.split("\n"))
    return str(_value(action, dot))


def _value(path: str, dot: Any) -> Any:
    assert _PATH.match(path), f"{path!r} is more than a path"
    for name in path.strip(".").split(".") if path != "." else ():
        if isinstance(dot, dict):
            assert name in dot, f"{path} is not among the values"
            dot = dot[name]
    return dot
