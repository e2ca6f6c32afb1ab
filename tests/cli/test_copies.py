"""The tables of copies, and one object in every member, as people see them."""

import io
from typing import Any

from rich.console import Console

from fedns.cli import copies

POLICY = "PropagationPolicy prod/web"
WORDS = '409 Conflict: Apply failed with 1 conflict: conflict with "me": .data.a'


def shown(parts: Any) -> str:
    out = Console(file=io.StringIO(), width=150)
    for each in parts:
        out.print(each)
    text = out.file
    assert isinstance(text, io.StringIO)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def portion(member: str, **states: int) -> dict[str, Any]:
    return {"policy": POLICY, "member": member, "desired": sum(states.values()), "states": states}


def copy(member: str, state: str, what: str, since: float | None = 30.0) -> dict[str, Any]:
    row = {"member": member, "kind": "ConfigMap", "object": "prod/m", "policy": POLICY}
    return {**row, "state": state, "what": what, "since": since}


def test_policies_and_objects() -> None:
    portions = [portion("a", applied=3), portion("b", applied=1, failing=1, waiting=1)]
    ill = [copy(f"m{at}", "failing", WORDS, 30.0 + at) for at in range(7)] + [copy("b", "waiting", "why")]
    ill[0]["hint"] = "force it"
    assert (
        shown(copies.tables(portions, ill, 100.0))
        == f"""
Copies
POLICY                      MEMBERS  DESIRED  APPLIED  DRIFTED  FAILING  ELSE
PropagationPolicy prod/web  2        6        4        -        1        1 waiting

Not as they should be
failing for 1m10s  ConfigMap prod/m  in m0, m1, m2, m3 ... m6 (7)
    {WORDS}
    hint: force it
waiting for 1m10s  ConfigMap prod/m  in b
    why"""
    )


def test_what_is_said_of_many_objects_is_said_once() -> None:
    words = '403 Forbidden: configmaps "m{0}" is forbidden: exceeded quota'
    alike = [copy("a", "failing", words.format(at)) | {"object": f"prod/m{at}"} for at in range(200)]
    other = [copy("b", "failing", words.format(0)) | {"object": "prod/m0"}]
    waiting = [copy("c", "waiting", "why") | {"kind": kind} for kind in ("Secret", "Service")]
    lines = shown(copies.tables([], [*alike[1:], *other, *waiting], 100.0)).splitlines()
    assert lines[2:] == [
        "failing for 1m10s  199 ConfigMap in prod: m1, m2, m3, m4 ... m199  in a",
        f"    {words.format(1)}",
        "failing for 1m10s  ConfigMap prod/m0  in b",
        f"    {words.format(0)}",
        "waiting for 1m10s  2 objects: Secret prod/m, Service prod/m  in c",
        "    why",
    ]


def test_a_problem_of_a_copy_is_not_told_twice() -> None:
    rows = [copy("a", "failing", WORDS)]
    wheres = (
        "member a: ConfigMap prod/m",
        "OverridePolicy prod/o: ConfigMap prod/m in a",
        "member b: ConfigMap prod/m",
    )
    problems = [{"source": "distribution", "where": each, "what": WORDS, "hint": ""} for each in wheres]
    assert copies.untold(problems, rows) == problems[2:]
    assert copies.untold([problems[0] | {"source": "member:a"}], rows)


def test_one_object_everywhere() -> None:
    base = {"kind": "ConfigMap", "object": "prod/m", "policy": POLICY, "place": "fleet/p.yaml:3"}
    none, selects = {"state": "", "what": "", "since": None}, ["it selects it by kind"]
    rows = [
        {**base, **none, "member": "a", "why": selects, "state": "applied"},
        {
            **base,
            "member": "b",
            "why": selects,
            "state": "failing",
            "what": WORDS,
            "since": 30.0,
            "hint": "do",
        },
        {**base, **none, "member": "c", "why": ["it is none of a, b"]},
        {**base, **none, "member": "d", "why": [], "state": "applied", "ready": False},
        {**base, **none, "object": "prod/x", "policy": "", "member": "", "why": ["no policy selects it"]},
    ]
    assert (
        shown(copies.everywhere(rows, {"a": "3m ago"}, 100.0))
        == f"""\
ConfigMap prod/m
  by {POLICY} (fleet/p.yaml:3)
  + a: applied
      as it was 3m ago
      it selects it by kind
  ! b: failing for 1m10s: {WORDS}
      hint: do
      it selects it by kind
  - c: it does not go there: it is none of a, b
  + d: applied, and not ready there: its own status says so
ConfigMap prod/x
  it goes nowhere: no policy selects it"""
    )
