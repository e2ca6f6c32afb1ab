"""`fedns serve`: one command that runs the control process and all workers, until it is told to stop."""

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from fedns import config, instance, logs, portal
from fedns.cli import codes, output
from fedns.errors import FednsError
from fedns.servers import supervisor


class Role(StrEnum):
    all = "all"
    control = "control"
    dns = "dns"
    gateway = "gateway"


def serve(
    file: output.ConfigOption = config.DEFAULT_FILE,
    role: Annotated[
        Role, typer.Option(help="Run only this part; parts share the state directory.")
    ] = Role.all,
    member: Annotated[
        str, typer.Option(help="Serve as the agent of this member: whoever asks is inside of it.")
    ] = "",
) -> None:
    """Serve until SIGTERM or Ctrl-C. SIGHUP and changes of the files reload."""
    raise typer.Exit(run(file, role, member))


def run(file: str, role: Role = Role.all, member: str = "") -> int:
    """Prints what is wrong with the configuration; serves if it can be used. Returns the exit code."""
    loaded = instance.stationed(config.load(file), member)
    for problem in loaded.problems:
        output.complain(str(problem))
    if loaded.config is None:
        return codes.PROBLEMS
    options = ("--config", os.path.abspath(file), "--state", loaded.config.state, "--member", member)
    control = (sys.executable, "-m", "fedns.app", *options)
    logs.setup("supervisor")
    try:
        return supervisor.Supervisor(plan(loaded.config, control, role)).run()
    except FednsError as error:
        output.complain(str(error))
        return codes.PROBLEMS


def plan(settings: config.Config, control: tuple[str, ...], role: Role = Role.all) -> supervisor.Plan:
    """What the supervisor is told: sockets, workers, the state directory, and control's command line."""
    listen = tuple((one.host, one.port) for one in settings.dns.listen)
    inside = tuple(((one.listen.host, one.listen.port), one.member) for one in settings.dns.inside)
    answers = role in (Role.all, Role.dns)
    return supervisor.Plan(
        listen if answers else (),
        settings.dns.workers,
        settings.state,
        control if role in (Role.all, Role.control) else (),
        tls=_tls(settings.dns.tls),
        gateway=_gateway(settings.gateway) if role in (Role.all, Role.gateway) else None,
        inside=inside if answers else (),
    )


def _gateway(told: portal.Gateway) -> supervisor.Gateway | None:
    if not told.serves:
        return None
    listen, tls = (tuple((one.host, one.port) for one in each) for each in (told.listen, told.tls))
    return supervisor.Gateway(listen, tls, told.workers)


def _tls(told: config.Tls) -> supervisor.Tls | None:
    listen = tuple((one.host, one.port) for one in told.listen)
    return supervisor.Tls(listen, told.certificate, told.key) if listen else None
