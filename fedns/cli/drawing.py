"""A plan as people read it: what is wrong, then the steps in each member, then how many there are.

Law: members of which the same is to be told are told of together. A long plan is told in rows, and its
differences where somebody asks for them. Nothing secret is shown.
"""

import difflib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from rich.console import RenderableType
from rich.text import Text

from fedns.cli import exhibit, output, scope
from fedns.errors import Problem
from fedns.placement import item, plan

STYLES = {"create": "green", "update": "yellow", "delete": "red", "orphan": "magenta", "refuse": "bold red"}
SIGNS = {"create": "+", "update": "~", "delete": "-", "orphan": "o", "refuse": "!"}
WORDS: dict[str, str] = {
    "create": "to create",
    "update": "to update",
    "delete": "to delete",
    "orphan": "to orphan",
    "refuse": "refused",
    "keep": "unchanged",
}
SAID, HUES = {"error": "problem", "warning": "warning"}, {"error": "red", "warning": "yellow"}
LINES = {"+": "green", "-": "red", "@": "cyan"}
FULL = 40
"""Objects until a plan is a long one: as many differences as somebody reads."""
NAMES = 4
"""Objects, and members, that are named of many."""
ALIKE = 3
"""Warnings of one policy that are told of many."""
SHORT = "--diff has all differences and reasons; NAME, --kind and --member ask for some."


class Asked(NamedTuple):
    """`why`: also what does not change, and what does not go where; `whole`: all differences."""

    scope: scope.Scope
    why: bool = False
    whole: bool = False


def drawn(made: plan.Plan, problems: Iterable[Problem], asked: Asked) -> Iterator[RenderableType]:
    """Its lines and tables."""
    rooms: dict[str, list[plan.Step]] = {}
    for each in made.steps:
        if asked.scope.there(each.member) and asked.scope.has(each.ref):
            rooms.setdefault(each.member, []).append(each)
    absences = [each for each in made.absences if asked.scope.has(each.ref)]
    known = {each.ref for rows in rooms.values() for each in rows} | {each.ref for each in absences}
    yield from _notes(made, problems, _about(known) if asked.scope.names or asked.scope.kinds else None)
    shown = {name: [one for one in rows if asked.why or one.action != "keep"] for name, rows in rooms.items()}
    brief = not asked.whole and len({each.ref for rows in shown.values() for each in rows}) > FULL
    for names, rows in _alike(shown, brief):
        yield Text(_members(names), style="bold")
        yield from _rows(rows) if brief else map(_step, rows)
    if asked.why or asked.scope.names:
        yield from _absent([each for each in absences if not each.member or asked.scope.there(each.member)])
    if brief or len(rooms) > NAMES:
        yield from _tally(rooms)
    if brief:
        yield Text(SHORT, style="dim")
    yield summary(each for rows in rooms.values() for each in rows)


def summary(steps: Iterable[plan.Step]) -> str:
    counts = Counter[str](each.action for each in steps)
    return ", ".join(f"{counts[action]} {word}" for action, word in WORDS.items())


def _about(known: Iterable[item.Ref]) -> tuple[str, ...]:
    return tuple({str(each) for each in known})


def _notes(
    made: plan.Plan, problems: Iterable[Problem], about: tuple[str, ...] | None
) -> Iterator[RenderableType]:
    """`about`: warnings are told of these objects only; None: of all."""
    yield from (Text(f"{SAID[each.severity]}: {each}", style=HUES[each.severity]) for each in problems)
    yield from _several("error", "bold red", made.errors)
    told = (each for each in made.warnings if about is None or any(name in str(each) for name in about))
    yield from _several("warning", "yellow", told)


def _several(kind: str, style: str, problems: Iterable[Problem]) -> Iterator[Text]:
    """Of many of one policy, some."""
    rows: dict[tuple[str, str], list[Problem]] = {}
    for each in problems:
        rows.setdefault((each.where, each.what.partition(": ")[0]), []).append(each)
    for (where, what), alike in rows.items():
        few = alike if len(alike) <= ALIKE + 1 else alike[:ALIKE]
        yield from (Text(f"{kind}: {each}", style=style) for each in few)
        if few is not alike:
            more = f"{kind}: {where}: {what}: and {len(alike) - ALIKE} more like these (-o json has all)"
            yield Text(more, style=style)


def _alike(shown: dict[str, list[plan.Step]], brief: bool) -> Iterator[tuple[list[str], list[plan.Step]]]:
    """Members with the same steps, and these."""
    groups: dict[Hashable, list[str]] = {}
    differences = _Differences()
    for name, rows in shown.items():
        told = ((one.action, one.ref, () if brief else (one.why, differences.of(one))) for one in rows)
        groups.setdefault(tuple(told), []).append(name)
    for names in groups.values():
        if shown[names[0]]:
            yield names, shown[names[0]]


class _Differences:
    """Each made once: many members get the very same object."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int], tuple[str, ...]] = {}

    def of(self, step: plan.Step) -> tuple[str, ...]:
        if step.action not in ("create", "update"):
            return ()
        key = (id(step.before), id(step.after))
        if key not in self._made:
            self._made[key] = tuple(_difference(step))
        return self._made[key]


def _members(names: Sequence[str]) -> str:
    return f"member {names[0]}" if len(names) == 1 else f"{len(names)} members alike: {few(names)}"


def few(names: Sequence[str]) -> str:
    if len(names) <= NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:NAMES])} ... {names[-1]}"


def _rows(steps: Sequence[plan.Step]) -> Iterator[Text]:
    """Steps of a kind and a namespace in one."""
    rows: dict[tuple[str, str, str], list[plan.Step]] = {}
    for each in steps:
        rows.setdefault((each.action, each.ref.kind, each.ref.namespace), []).append(each)
    for (action, kind, space), found in rows.items():
        names = few([each.ref.name for each in found])
        what = f"{len(found)} {kind}{f' in {space}' if space else ''}: {names}"
        what = str(found[0].ref) if len(found) == 1 else what
        yield Text(f"  {SIGNS.get(action, '=')} {action} {what}", style=STYLES.get(action, "dim"))


def _step(step: plan.Step) -> Text:
    style = STYLES.get(step.action, "dim")
    made = Text(f"  {SIGNS.get(step.action, '=')} {step.action} {step.ref}", style=style)
    for reason in step.why:
        made.append(f"\n      {reason}", style="not bold dim default")
    if step.action in ("create", "update"):
        for line in _difference(step):
            made.append(f"\n      {line}", style=f"not bold {LINES.get(line[:1], 'default')}")
    return made


def _difference(step: plan.Step) -> Iterator[str]:
    after = _shown(step.after)
    if step.before is None:
        return (f"+{line}" for line in exhibit.lines(after))
    before = exhibit.lines(exhibit.alike(_shown(step.before), after))
    _, _, *lines = (*difflib.unified_diff(before, exhibit.lines(after), lineterm="", n=2),) or ("", "")
    return iter(lines)


def _shown(found: item.Item | None) -> item.Item:
    return {} if found is None else exhibit.shown(found)


def _absent(absences: Iterable[plan.Absence]) -> Iterator[Text]:
    """What goes not where, and the first condition that stopped it: the same of many objects in one line."""
    members: dict[tuple[item.Ref, str], list[str]] = {}
    for each in absences:
        members.setdefault((each.ref, each.why), []).append(each.member)
    rows: dict[tuple[str, tuple[str, ...]], list[item.Ref]] = {}
    for (what, why), names in members.items():
        rows.setdefault((why, tuple(names)), []).append(what)
    for (why, there), objects in rows.items():
        several, named = len(objects) > 1, few([str(each) for each in objects])
        told = f"{len(objects)} objects ({named})" if several else named
        if there == ("",):
            yield Text(f"{told} {'go' if several else 'goes'} nowhere: {why}", style="dim")
        else:
            yield Text(f"{told} {'do' if several else 'does'} not go to {few(there)}: {why}", style="dim")


def _tally(rooms: dict[str, list[plan.Step]]) -> Iterator[RenderableType]:
    counted: dict[tuple[int, ...], list[str]] = {}
    for name, rows in rooms.items():
        counts = Counter[str](each.action for each in rows)
        counted.setdefault(tuple(counts[action] for action in WORDS), []).append(name)
    made = output.table("\nBy member", "MEMBER", *(each.upper() for each in WORDS.values()))
    for numbers, names in counted.items():
        what = few(names) + (f" ({len(names)})" if len(names) > 1 else "")
        made.add_row(what, *(str(each) if each else "-" for each in numbers))
    yield made
