"""What `fedns join` and `fedns unjoin` tell: what was found and done, and what comes next.

Law: no token is ever printed.
"""

import datetime
import os
import shlex
from collections.abc import Iterable
from typing import Any, NamedTuple

import typer

from fedns import config
from fedns.cli import output, request
from fedns.distribute import joining, leaving, manifest, registration, rights

HIDDEN = "(the new token)"
UNSEEN = "(the UID of its namespace kube-system)"


class Joined(NamedTuple):
    """What came of it. `until`: when the token ends (Unix seconds, 0: never); `byhand`: the entry that people
    have to write. `distributes`: policies may have copies brought to it."""

    wanted: registration.Member
    found: joining.Survey
    made: list[joining.Made]
    registered: list[joining.Made]
    revoked: list[leaving.Left]
    until: float
    byhand: str
    distributes: bool = False


def planned(told: request.Join, plan: joining.Plan, entries: Iterable[Any], where: str) -> None:
    """What would be made, as text to be read or applied."""
    reasons = [(rights.rule(one), one.why) for one in rights.rights(plan.needs)]
    shown = tuple(entries)
    if told.format is request.Format.json:
        output.emit({"member": plan.objects(), "register": shown})
        return
    typer.echo(
        f"# In the cluster of {told.name}, to be applied there:\n{manifest.text(plan.objects(), reasons)}",
        nl=False,
    )
    typer.echo(f"---\n# In {where}, with the token that the member makes:\n{manifest.text(shown)}", nl=False)


def joined(told: request.Join, done: Joined, where: str) -> None:
    """The summary of a member that has joined."""
    if told.format is not request.Format.text:
        output.emit(_told(done, where))
        return
    wanted, found = done.wanted, done.found
    _print(f"{wanted.name} has joined: {wanted.server}, Kubernetes {found.version}")
    _row("identity", f"{wanted.identity} (UID of kube-system)")
    _row("place", _place(wanted, found))
    _row("there", _listed(done.made) or "all was there already")
    _row("token", _ends(done.until))
    _row("proved", "with the token: services are listed, and every right that is needed is there")
    _row("here", _listed(done.registered) or f"all was in {where} already")
    for one in done.revoked:
        _row("revoked", f"{one.what}{': ' + one.why if one.why else ''}")
    _next(told, done)


def _next(told: request.Join, done: Joined) -> None:
    if done.byhand:
        output.complain(f"{told.file} could not be edited safely. Put this entry below `members:`:")
        output.err.print(done.byhand, markup=False)
        return
    _print("Next: a running fedns takes it up by itself; `fedns status` tells how it fares.")
    if not (done.found.topology.regions or done.wanted.region):
        _print("No node tells a region: without --region it has global names only.")
    if done.distributes:
        _print(f"Policies may have copies brought to it; if they do, it grants that too: {grant(told)}")
    _print(f"To take it back: {undo(told)}")


def grant(told: request.Join) -> str:
    """The command that has it grant what policies take."""
    words = ["fedns", "rbac", "--for-policies", "fleet", "--member", told.name, *_where(told)]
    there = ["kubectl", "--kubeconfig", os.path.expanduser(told.kubeconfig)]
    there += ["--context", told.context] if told.context else []
    return f"{shlex.join(words)} | {shlex.join([*there, 'apply', '-f', '-'])}"


def undo(told: request.Join) -> str:
    """The command that takes it back."""
    words = ["fedns", "unjoin", told.name, "--kubeconfig", os.path.expanduser(told.kubeconfig)]
    words += ["--context", told.context] if told.context else []
    words += ["--namespace", told.namespace] if told.namespace != request.NAMESPACE else []
    return shlex.join([*words, *_where(told)])


def _where(told: request.Join) -> list[str]:
    """Options by which the fleet is found."""
    words = ["--config", told.file] if told.file != config.DEFAULT_FILE else []
    words += ["--fleet-kubeconfig", told.fleet_kubeconfig] if told.fleet_kubeconfig else []
    return [*words, *(["--fleet-context", told.fleet_context] if told.fleet_context else [])]


def _place(wanted: registration.Member, found: joining.Survey) -> str:
    nodes = found.topology
    region = wanted.region or next(iter(nodes.regions), "")
    zones = wanted.zones or nodes.zones
    told = f"region {region or 'unknown'}, zones {', '.join(zones) or 'unknown'}"
    if not nodes.nodes or (wanted.region and wanted.zones):
        return told
    more = (
        f"; also nodes in {', '.join(nodes.regions[1:])}" if nodes.regions[1:] and not wanted.region else ""
    )
    return f"{told} (labels of {nodes.nodes} nodes{more})"


def _ends(until: float) -> str:
    if not until:
        return "does not end; it is revoked by removing its Secret"
    when = datetime.datetime.fromtimestamp(until, datetime.UTC)
    return f"ends at {when:%Y-%m-%d %H:%M} UTC: join again before"


def _listed(made: list[joining.Made]) -> str:
    return ", ".join(one.what for one in made if one.changed)


def _told(done: Joined, where: str) -> dict[str, Any]:
    wanted, found = done.wanted, done.found
    return {
        "member": wanted.name,
        "server": wanted.server,
        "version": found.version,
        "identity": wanted.identity,
        "region": wanted.region or next(iter(found.topology.regions), ""),
        "zones": wanted.zones or found.topology.zones,
        "nodes": found.topology.nodes,
        "made": [one._asdict() for one in done.made],
        "register": where,
        "registered": [one._asdict() for one in done.registered],
        "revoked": [one._asdict() for one in done.revoked],
        "token_ends": done.until or None,
        "by_hand": done.byhand or None,
    }


def _row(name: str, text: str) -> None:
    _print(f"  {name:<10}{text}")


def _print(text: str) -> None:
    output.out.print(text, markup=False)
