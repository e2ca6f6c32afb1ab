"""A plan made and told: to people as it is drawn, to programs as one JSON value; and what it is worth.

Law: `-o json` is a promise: fields are added to it, and none changes its meaning.
"""

import fnmatch
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jsonpatch
import typer

from fedns import config, errors
from fedns.cli import codes, consent, drawing, exhibit, output, prospect, scope
from fedns.cli.drawing import Asked as Asked
from fedns.errors import Problem
from fedns.kube.failure import Failure
from fedns.placement import copies, item, naming, plan


class Manner(NamedTuple):
    """How it is made, and told: `server` as servers would have it; `sure`: what is lost is meant; `strict`:
    warnings fail."""

    server: bool = False
    sure: bool = False
    strict: bool = False
    json: bool = False


def show(settings: config.Config, asked: Asked, manner: Manner) -> int:
    """Prints it; the exit code."""
    sure, json = manner.sure, manner.json
    try:
        found = prospect.planned(settings, manner.server)
    except (OSError, Failure) as error:
        output.complain(f"the fleet cannot be read: {error}")
        raise typer.Exit(codes.PROBLEMS) from None
    made, problems = found.plan, found.problems
    if json:
        output.emit(_told(made, problems, asked))
    else:
        for each in drawing.drawn(made, problems, asked):
            output.out.print(each)
    for loss in () if json else made.dangers:
        said = f"{loss.member} would lose {loss.gone} of the {loss.ours} objects it has from us"
        output.complain(said if sure else f"{said}: if that is meant, say --yes-really")
    missing = [*_missing(found, asked.scope)]
    for each in missing:
        output.complain(each)
    if sure and settings.fleet.distribute:
        consent.given(settings, not json)
    faulty = errors.faulty((*made.errors, *made.warnings, *problems), manner.strict)
    return codes.PROBLEMS if faulty or missing or (made.dangers and not sure) else codes.OK


def _missing(found: prospect.Planned, where: scope.Scope) -> Iterator[str]:
    """Words that mean nothing: a plan without them would look as if nothing had to be done."""
    known = {each.ref for each in found.plan.steps} | {each.ref for each in found.plan.absences}
    kinds = drawing.few(sorted(found.kinds))
    for name in where.names:
        if not any(naming.means(name, each) for each in known):
            yield f"{name}: neither the fleet nor a copy has that name (kinds looked at: {kinds or 'none'})"
    for member in where.members:
        if not fnmatch.filter(found.members, member):
            yield f"{member}: there is no such member (there are {drawing.few(found.members) or 'none'})"
    for kind in where.kinds:
        if not any(naming.kind(kind, each) for each in found.kinds):
            yield f"{kind}: neither a policy nor an object is of that kind (there are {kinds or 'none'})"


def _told(made: plan.Plan, problems: Iterable[Problem], asked: Asked) -> dict[str, Any]:
    where, views = asked.scope, _Views()
    return {
        "steps": [views.row(each) for each in made.steps if where.there(each.member) and where.has(each.ref)],
        "absences": [
            {"member": each.member, "object": each.ref._asdict(), "policy": each.policy, "why": each.why}
            for each in made.absences
            if where.has(each.ref) and (not each.member or where.there(each.member))
        ],
        "losses": [
            {"member": each.member, "gone": each.gone, "ours": each.ours, "dangerous": each.dangerous}
            for each in made.losses
        ],
        "warnings": made.warnings,
        "errors": made.errors,
        "problems": list(problems),
    }


class _Views:
    """Objects as they may be seen, each made once: many members get the very same."""

    def __init__(self) -> None:
        self._made: dict[int, dict[str, Any]] = {}

    def row(self, step: plan.Step) -> dict[str, Any]:
        before, after = self._shown(step.before), self._shown(step.after)
        if step.before is not None and step.stands is not None:
            after = exhibit.shown(copies.written(step.before, step.stands))
        same = (step.before is step.after and step.stands is None) or not (before and after)
        patch = [] if same else jsonpatch.make_patch(before, after).patch
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

    def _shown(self, found: item.Item | None) -> dict[str, Any] | None:
        if found is None:
            return None
        if id(found) not in self._made:
            self._made[id(found)] = exhibit.shown(found)
        return self._made[id(found)]
