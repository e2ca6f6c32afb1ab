"""The steps of `fedns join`: look, make, get the token, prove it, register, tell.

Law: a member is registered only when the new token has proved to work; what a step that failed left behind is
mended or taken up by the next try.
"""

import asyncio
import contextlib
import os
import secrets
import tempfile
from typing import NamedTuple

import typer
from msgspec import structs

from fedns import config, schema, values
from fedns.cli import codes, output, rbac, register, request, summary
from fedns.distribute import joining, leaving, refusal, registration, rights, token
from fedns.distribute.refusal import Refusal
from fedns.kube import access, client, endpoint
from fedns.kube.failure import ApiError

SHORTEST = 600.0
"""Seconds: API servers give no token for less."""


class Task(NamedTuple):
    """What was asked for, understood; `settings` is None where there is no file, and no need of one.
    `seconds`: until the token ends (0: never); `patience`: seconds for the member to do its part."""

    told: request.Join
    settings: config.Config | None
    where: access.Where
    at: endpoint.Endpoint
    seconds: float
    patience: float


def perform(told: request.Join) -> None:
    """All of it, and its summary. Refusal, Failure."""
    asyncio.run(_perform(_understood(told)))


def _understood(told: request.Join) -> Task:
    name, patience = register.name(told.name), _seconds("--wait", told.wait)
    seconds = _seconds("--duration", told.duration) if told.duration else 0.0
    if 0 < seconds < SHORTEST:
        raise typer.BadParameter(f"--duration: API servers give no token for less than {SHORTEST:.0f}s")
    for taint in _several(told.taints):
        _tainted(taint)
    where = register.at(told.kubeconfig, told.context)
    found = endpoint.read(where.kubeconfig, where.context)
    return Task(told._replace(name=name), register.loaded(told), where, found, seconds, patience)


def _seconds(option: str, text: str) -> float:
    try:
        return schema.seconds(text)
    except schema.Bad as error:
        raise typer.BadParameter(f"{option}: {error.what} ({error.hint})") from None


def _tainted(text: str) -> None:
    try:
        values.taint(text, schema.Reader(""))
    except schema.Bad as error:
        raise typer.BadParameter(f"--taints: {error.what} ({error.hint})") from None


async def _perform(task: Task) -> None:
    async with joining.talking(task.where) as api, register.opened(task.told, task.settings) as book:
        with refusal.at(_called(task)):
            plan = await _plan(task, api)
            found = await joining.survey(api, plan)
        _judge(task, found)
        wanted = _wanted(task, found)
        if found.identity:
            register.strangers(task.settings, wanted)
            with refusal.at(book.where):
                await book.check(wanted)
        if task.told.dry_run:
            summary.planned(task.told, plan, book.objects(wanted, summary.HIDDEN), book.where)
            return
        done = await _carry(_Step(task, api, plan, found), wanted, book)
    summary.joined(task.told, done, book.where)
    if done.byhand:
        raise typer.Exit(codes.PROBLEMS)


def _called(task: Task) -> str:
    return f"{task.told.name} ({task.where})"


class _Step(NamedTuple):
    task: Task
    api: client.Client
    plan: joining.Plan
    found: joining.Survey


async def _plan(task: Task, api: client.Client) -> joining.Plan:
    """What is to be made in the member; a token that is there already is kept, unless a new one is wanted."""
    told, account = task.told, rights.reader(task.told.namespace)
    member = rights.Needs(member=True)
    needs = structs.replace(
        member if task.settings is None else rbac.joined(task.settings, member),
        exports=told.exports,
        namespaces=bool(told.in_namespaces),
        legacy=await joining.legacy(api),
    )
    if task.seconds:
        return joining.Plan(account, needs, "")
    name = f"{account.name}-token"
    if told.rotate:
        return joining.Plan(account, needs, f"{name}-{secrets.token_hex(3)}")
    with contextlib.suppress(ApiError):  # whether we may look is found out next
        name = next(iter(await leaving.secrets(api, account)), name)
    return joining.Plan(account, needs, name)


def _judge(task: Task, found: joining.Survey) -> None:
    """Refusal, where something is in the way in the member."""
    where = _called(task)
    if task.at.proxy and not task.told.server:
        what = f"the kubeconfig goes by way of a proxy ({task.at.proxy}), which fedns will not do"
        raise Refusal(where, what, "name with --server the URL at which fedns reaches it")
    if found.missing:
        what = "you may not:" + "".join(f"\n  {one}" for one in dict.fromkeys(found.missing))
        if not task.told.dry_run:
            hint = (
                "use a context with these rights, or have somebody apply what --dry-run prints who has them"
            )
            raise Refusal(where, what, hint)
        output.complain(f"{where}: {what}")
    if found.foreign:
        what = f"{', '.join(found.foreign)}: there already, and not made by fedns"
        raise Refusal(where, what, "choose another --namespace; what is not ours is not changed")


def _wanted(task: Task, found: joining.Survey) -> registration.Member:
    told, at = task.told, task.at
    return registration.Member(
        name=told.name,
        server=(told.server or at.server).rstrip("/"),
        identity=found.identity or summary.UNSEEN,
        ca=at.ca,
        server_name=at.name,
        region=told.region,
        zones=_several(told.zones),
        gateway="" if told.gateway is request.Gateway.endpoints else told.gateway.value,
        selector=told.selector,
        namespaces=told.in_namespaces,
        exports=told.exports,
        aliases=_several(told.aliases),
        provider=told.provider,
        taints=_several(told.taints),
    )


def _several(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


async def _carry(step: _Step, wanted: registration.Member, book: register.Register) -> summary.Joined:
    """Makes, proves, registers, and revokes what has been replaced. Failure, Refusal."""
    task, api, plan = step.task, step.api, step.plan
    with refusal.at(_called(task)):
        made = await joining.make(api, plan, step.found.present)
        given = await _token(task, api, plan)
    if not wanted.ca and task.at.unverified:
        wanted = registration.with_ca(wanted, given.ca)
    with refusal.at(f"{wanted.name} ({wanted.server}, asked with the new token)"):
        await _prove(task, wanted, plan, given.text)
    with refusal.at(book.where):
        registered = await book.register(wanted, given.text)
    revoked = await _revoke(task, api, plan) if task.told.rotate or task.seconds else []
    distributes = task.settings is None or task.settings.fleet.distribute
    done = summary.Joined(wanted, step.found, made, registered, revoked, given.until, book.byhand)
    return done._replace(distributes=distributes)


async def _revoke(task: Task, api: client.Client, plan: joining.Plan) -> list[leaving.Left]:
    """Removes the tokens that have been replaced. Failure."""
    with refusal.at(_called(task)):
        old = [name for name in await leaving.secrets(api, plan.account) if name != plan.secret]
        return [await leaving.remove(api, token.secret(plan.account, name)) for name in old]


async def _token(task: Task, api: client.Client, plan: joining.Plan) -> token.Token:
    if task.seconds:
        return await token.requested(api, plan.account, task.seconds)
    return await token.awaited(api, plan.account, plan.secret, task.patience)


async def _prove(task: Task, wanted: registration.Member, plan: joining.Plan, text: str) -> None:
    """Asks the member as fedns will. Failure, Refusal."""
    with tempfile.TemporaryDirectory(prefix="fedns-join-") as folder:
        lacking = await joining.prove(_as_fedns(wanted, text, folder), plan, task.patience)
    if lacking:
        what = f"the new token may not {'; '.join(map(str, lacking))}"
        hint = "nothing is registered; look for what denies it (a webhook?), and join again"
        raise Refusal(f"{wanted.name} ({wanted.server})", what, hint)


def _as_fedns(wanted: registration.Member, text: str, folder: str) -> access.Where:
    """The way that fedns will take; the CA as a file in `folder`."""
    ca = os.path.join(folder, "ca.crt") if wanted.ca else ""
    if ca:
        with open(ca, "w", encoding="utf-8") as file:
            file.write(wanted.ca)
    return access.Where(server=wanted.server, ca=ca, token=text, server_name=wanted.server_name)
