"""Problems as `fedns status` shows them: which member, and of many alike some."""

import io
from typing import Any

from rich.console import Console

from fedns.cli import status


def shown(*problems: dict[str, Any]) -> list[str]:
    view = {
        "ready": "",
        "federation": "f",
        "domain": "d",
        "at": 2.0,
        "started": 1.0,
        "services": 0,
        "shards": {},
    }
    view |= {"table": {"generation": 1, "age": 1.0}, "problems": len(problems)}
    tables = ("members", "shards", "policies", "copies", "signed", "orders")
    empty: dict[str, Any] = {name: [] for name in tables}
    out = Console(file=io.StringIO(), width=150)
    out.print(status.render({"status": view, "problems": list(problems), **empty}))
    text = out.file
    assert isinstance(text, io.StringIO)
    lines = [" ".join(line.split()) for line in text.getvalue().splitlines()]
    return lines[lines.index("WHERE WHAT HINT") + 1 :]


def problem(where: str, source: str = "distribution") -> dict[str, Any]:
    return {"source": source, "where": where, "what": "it is so", "hint": "do"}


def test_of_many_objects_of_which_the_same_is_said_some_are_named() -> None:
    many = [problem(f"PropagationPolicy n/p: ConfigMap n/m{at}") for at in range(9)]
    assert shown(*many, problem("PropagationPolicy n/q: ConfigMap n/m0")) == [
        *(f"PropagationPolicy n/p: ConfigMap n/m{at} it is so do" for at in range(3)),
        "and 6 more like these (-o json has all)",
        "PropagationPolicy n/q: ConfigMap n/m0 it is so do",
    ]


def test_the_member_is_named_where_only_its_api_server_is() -> None:
    found = shown(
        problem("https://h:1", "member:a"), problem("member b: x", "member:b"), problem("f.yaml:3", "fleet")
    )
    assert found == ["member a: https://h:1 it is so do", "member b: x it is so do", "f.yaml:3 it is so do"]
