"""A plan for people and for programs: its steps with differences and reasons, and what is wrong with it.

Law: what is secret is hidden in both.
"""

import difflib
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import jsonpatch
import typer
import yaml
from rich.text import Text

from fedns import config
from fedns.cli import codes, consent, output, prospect
from fedns.errors import Problem
from fedns.kube.failure import Failure
from fedns.placement import item, plan

STYLES = {"create": "green", "update": "yellow", "delete": "red", "orphan": "magenta", "refuse": "bold red"}
SIGNS = {"create": "+", "update": "~", "delete": "-", "orphan": "o", "refuse": "!"}
LINES = {"+": "green", "-": "red", "@": "cyan"}
HIDDEN = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp")
"""Metadata that nobody plans."""


def show(settings: config.Config, server: bool, why: bool, sure: bool, format: output.Format) -> None:
    """Prints it. Exit where something is wrong with it."""
    try:
        made, problems = prospect.planned(settings, server)
    except (OSError, Failure) as error:
        output.complain(f"the fleet cannot be read: {error}")
        raise typer.Exit(codes.PROBLEMS) from None
    if format is output.Format.json:
        output.emit(_told(made, problems))
    else:
        _print(made, problems, why)
    if sure and settings.fleet.distribute:
        consent.given(settings, format is output.Format.text)
    if made.errors or (made.dangers and not sure):
        raise typer.Exit(codes.PROBLEMS)


def _print(made: plan.Plan, problems: Iterable[Problem], why: bool) -> None:
    for title, style, each in _notes(made, problems):
        output.out.print(Text(f"{title}: {each}", style=style))
    for member in sorted({each.member for each in made.steps} | {each.member for each in made.absences}):
        steps = [each for each in made.steps if each.member == member and (why or each.action != "keep")]
        absences = [each for each in made.absences if each.member == member] if why else []
        if steps or absences:
            output.out.print(Text(f"member {member}", style="bold"))
        for step in steps:
            _step(step)
        for absence in absences:
            output.out.print(Text(f"    {absence.ref} does not go there: {absence.why}", style="dim"))
    output.out.print(_summary(made))
    for loss in made.dangers:
        said = f"{loss.member} would lose {loss.gone} of the {loss.ours} objects it has from us"
        output.complain(f"{said}: if that is meant, say --yes-really")


def _notes(made: plan.Plan, problems: Iterable[Problem]) -> Iterator[tuple[str, str, Problem]]:
    yield from (("problem", "yellow", each) for each in problems)
    yield from (("error", "bold red", each) for each in made.errors)
    yield from (("warning", "yellow", each) for each in made.warnings)


def _summary(made: plan.Plan) -> str:
    counts = {action: sum(each.action == action for each in made.steps) for action in (*SIGNS, "keep")}
    words = ("to create", "to update", "to delete", "to let go", "refused", "as it is to be")
    return ", ".join(f"{counts[action]} {word}" for action, word in zip(counts, words, strict=True))


def _step(step: plan.Step) -> None:
    style = STYLES.get(step.action, "dim")
    output.out.print(Text(f"  {SIGNS.get(step.action, '=')} {step.action} {step.ref}", style=style))
    for reason in step.why:
        output.out.print(Text(f"      {reason}", style="dim"))
    if step.action in ("create", "update"):
        for line in _difference(step):
            output.out.print(Text(f"      {line}", style=LINES.get(line[:1], "")))


def _difference(step: plan.Step) -> Iterator[str]:
    before, after = (_lines(each) for each in (step.before, step.after))
    _, _, *lines = (*difflib.unified_diff(before, after, lineterm="", n=2),) or ("", "")
    return (line for line in lines if not line.startswith("@@") or step.before is not None)


def _lines(found: item.Item | None) -> list[str]:
    if found is None:
        return []
    text = yaml.safe_dump(shown(found), sort_keys=False, width=1000, allow_unicode=True)
    return str(text).splitlines()


def shown(found: item.Item) -> dict[str, Any]:
    """An object as people may see it: without what nobody plans, and no secret in it."""
    made = item.own(found)
    for field in HIDDEN:
        item.drop(made, "metadata", field)
    made.pop("status", None)
    if item.ref(found)[:2] == ("", "Secret"):
        for field in ("data", "stringData"):
            for key, value in (made.get(field) or {}).items():
                made[field][key] = f"(hidden, {hashlib.sha256(str(value).encode()).hexdigest()[:8]})"
    return made


def _told(made: plan.Plan, problems: Iterable[Problem]) -> dict[str, Any]:
    return {
        "steps": [_row(each) for each in made.steps],
        "absences": [
            {"member": each.member, "object": each.ref._asdict(), "policy": each.policy, "why": each.why}
            for each in made.absences
        ],
        "losses": [
            {"member": each.member, "gone": each.gone, "ours": each.ours, "dangerous": each.dangerous}
            for each in made.losses
        ],
        "warnings": made.warnings,
        "errors": made.errors,
        "problems": list(problems),
    }


def _row(step: plan.Step) -> dict[str, Any]:
    before, after = (each and shown(each) for each in (step.before, step.after))
    patch = jsonpatch.make_patch(before, after).patch if before and after else []
    return {
        "member": step.member,
        "action": step.action,
        "object": step.ref._asdict(),
        "policy": step.policy,
        "why": step.why,
        "before": before,
        "after": after,
        "patch": patch,
    }
