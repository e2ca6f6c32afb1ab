"""The steps of `fedns unjoin`: tell, ask, take out of the register, then clean up in the member.

Law: the register comes first, so that nobody asks a member with credentials that are being revoked. A member
out of reach is no reason to stay: what remains there is told, with the words that remove it.
"""

import asyncio
import contextlib
import shlex
import sys
from typing import NamedTuple

import typer

from fedns import config
from fedns.cli import codes, output, register, request
from fedns.distribute import joining, leaving, refusal, rights
from fedns.distribute.refusal import Refusal
from fedns.kube.failure import Failure, Unreachable

NEEDS = rights.Needs(member=True)
"""Enough to name all that joining makes."""


class Left(NamedTuple):
    """What came of it; `lost`: why the member could not be asked."""

    here: list[leaving.Left]
    there: list[leaving.Left]
    lost: str


def perform(told: request.Unjoin) -> None:
    """All of it, and its summary. Refusal, Failure."""
    told = told._replace(name=register.name(told.name))
    plan = joining.Plan(rights.reader(told.namespace), NEEDS, "")
    settings = register.loaded(told)
    found = asyncio.run(_look(told, settings))
    if told.dry_run:
        _foretell(told, plan, found.what)
        return
    _ask(told)
    done = asyncio.run(_perform(told, settings, plan))
    _tell(told, plan, done)
    if done.lost or any(one.why for one in (*done.here, *done.there)):
        raise typer.Exit(codes.PROBLEMS)


async def _look(told: request.Unjoin, settings: config.Config | None) -> leaving.Known:
    """What is registered. Refusal, also where the kubeconfig leads to some other cluster."""
    async with register.opened(told, settings) as book:
        with refusal.at(book.where):
            found = await book.find(told.name)
    known, there = found.identity or register.remembered(settings, told.name), ""
    if told.kubeconfig:
        where = register.at(told.kubeconfig, told.context)
        with contextlib.suppress(Unreachable):  # which is told at the end
            async with joining.talking(where) as api:
                there = await joining.identity(api)
        if known and there and known != there:
            what = f"this is another cluster (UID {there}) than {told.name} (UID {known})"
            raise Refusal(str(where), what, "name the context of the member")
    return found


async def _perform(told: request.Unjoin, settings: config.Config | None, plan: joining.Plan) -> Left:
    async with register.opened(told, settings) as book:
        with refusal.at(book.where):
            here = [*await book.remove(told.name), *register.forget(settings, told.name)]
    if not told.kubeconfig:
        return Left(here, [], "")
    where = register.at(told.kubeconfig, told.context)
    try:
        async with joining.talking(where) as api:
            return Left(here, await leaving.leave(api, plan), "")
    except Failure as failure:
        return Left(here, [], f"{where}: {failure}")


def _ask(told: request.Unjoin) -> None:
    if told.yes:
        return
    if not sys.stdin.isatty():
        output.complain("nobody is there to confirm it: say --yes")
        raise typer.Exit(codes.USAGE)
    there = " and remove what is ours there" if told.kubeconfig else ""
    typer.confirm(f"Take {told.name} out of the federation{there}?", abort=True)


def _foretell(told: request.Unjoin, plan: joining.Plan, here: list[str]) -> None:
    there = [joining.told(one) for one in plan.objects()] if told.kubeconfig else []
    if told.format is not request.Format.text:
        output.emit({"member": told.name, "here": here, "there": there})
        return
    for what in here:
        _print(f"would remove {what}")
    for what in there:
        _print(f"would remove {what}, in the member, if it has our label")


def _tell(told: request.Unjoin, plan: joining.Plan, done: Left) -> None:
    rest = [joining.told(one) for one in plan.objects()] if done.lost or not told.kubeconfig else []
    if told.format is not request.Format.text:
        values = {name: [one._asdict() for one in getattr(done, name)] for name in ("here", "there")}
        output.emit({"member": told.name, **values, "lost": done.lost or None, "remains": rest})
        return
    _print(f"{told.name} is no member any more")
    for one in (*done.here, *done.there):
        _print(f"  {'stays' if one.why else 'removed':<10}{one.what}{': ' + one.why if one.why else ''}")
    if done.lost:
        output.complain(f"the member could not be asked: {done.lost}")
    if rest:
        _print(f"What was made in the member remains: {', '.join(rest)}, and its token. To remove it there:")
        for line in _byhand(plan.account):
            _print(f"  {line}")


def _byhand(account: rights.Account) -> list[str]:
    label = ",".join(f"{key}={value}" for key, value in rights.MANAGED.items())
    inside = ["kubectl", "-n", account.namespace, "delete", "secret,serviceaccount", "-l", label]
    return [
        shlex.join(inside),
        shlex.join(["kubectl", "delete", "clusterrole,clusterrolebinding", account.role]),
        shlex.join(["kubectl", "delete", "serviceimports,endpointslices", "-A", "-l", label])
        + "  # if imports were written",
        shlex.join(["kubectl", "delete", "namespace", account.namespace]) + "  # if nothing else is in it",
    ]


def _print(text: str) -> None:
    output.out.print(text, markup=False)
