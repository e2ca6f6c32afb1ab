"""Where members are registered: in the fleet, where it is an API server, else in `fedns.yaml`.

Law: one cluster is one member. Which cluster a name stands for, the fleet knows, and the state directory, if
it is on this machine.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any, Protocol

import typer

from fedns import config, fleet, schema
from fedns.cli import request, settings
from fedns.distribute import joining, leaving, registration, registry
from fedns.distribute.refusal import Refusal
from fedns.kube import access, endpoint
from fedns.sources import identity


class Register(Protocol):
    """One of the two. `byhand`: what is left for people to write."""

    where: str
    byhand: str

    async def check(self, wanted: registration.Member) -> None: ...

    def objects(self, wanted: registration.Member, token: str) -> tuple[dict[str, Any], ...]: ...

    async def register(self, wanted: registration.Member, token: str) -> list[joining.Made]: ...

    async def find(self, name: str) -> leaving.Known: ...

    async def remove(self, name: str) -> list[leaving.Left]: ...


def name(text: str) -> str:
    """A member's name in canonical form."""
    try:
        return schema.hostname(text, schema.Reader(""))
    except schema.Bad as error:
        raise typer.BadParameter(f"{error.what}: a member's name is made of DNS labels") from None


def at(kubeconfig: str, context: str) -> access.Where:
    """A context of a kubeconfig; of several files, as KUBECONFIG may name them, the first that has it."""
    paths = [os.path.expanduser(path) for path in kubeconfig.split(os.pathsep) if path]
    having = [path for path in paths if context in endpoint.contexts(path)]
    return access.Where(kubeconfig=(having or paths or [""])[0], context=context)


def loaded(told: request.Join | request.Unjoin) -> config.Config | None:
    """What the file says; None where there is none and the fleet is named without it. Refusal."""
    if told.fleet_kubeconfig and not os.path.exists(told.file):
        return None
    found = config.load(told.file)
    if found.config is None:
        first = found.problems[0]
        raise Refusal(first.where, first.what, first.hint or "`fedns check` tells all that is wrong")
    return found.config


@contextlib.asynccontextmanager
async def opened(told: request.Join | request.Unjoin, found: config.Config | None) -> AsyncIterator[Register]:
    """The one that this configuration has. Refusal."""
    place = fleet.where(found.fleet) if found else None
    if told.fleet_kubeconfig:
        place = at(told.fleet_kubeconfig, told.fleet_context)
    written = found and any(member.name == told.name for member in found.members)
    if found and (place is None or (written and isinstance(told, request.Unjoin))):
        yield settings.Settings(told.file, found)
        return
    if place is None or (place.in_cluster and "KUBERNETES_SERVICE_HOST" not in os.environ):
        what = "the fleet is the cluster that fedns runs in, and you are not in it"
        raise Refusal(told.file, what, "name it with --fleet-kubeconfig and --fleet-context")
    if written:
        what = f"member {told.name} is written here, and wins over a MemberCluster of the same name"
        raise Refusal(told.file, what, "take it out of the file, or choose another name")
    async with joining.talking(place) as api:
        yield registry.Registry(api, found.fleet.namespace if found else fleet.NAMESPACE)


def strangers(found: config.Config | None, wanted: registration.Member) -> None:
    """Refusal, where another member of the file is this cluster, or this name was another one."""
    if found is None:
        return
    known = _identities(found)
    for member in found.members:
        if member.name != wanted.name and known.known(member.name) == wanted.identity:
            what = f"this cluster (UID {wanted.identity}) is a member already: {member.name}"
            raise Refusal(found.state, what, f"join it as {member.name}, or fedns unjoin {member.name} first")
    before = known.known(wanted.name)
    if before and before != wanted.identity:
        what = f"{wanted.name} was another cluster (UID {before}, this one has {wanted.identity})"
        raise Refusal(
            found.state, what, f"choose another name; if it is right, remove {known.path(wanted.name)}"
        )


def remembered(found: config.Config | None, member: str) -> str:
    """Which cluster a name has stood for on this machine; empty: none is known."""
    return _identities(found).known(member) if found else ""


def forget(found: config.Config | None, member: str) -> list[leaving.Left]:
    """Lets a name stand for another cluster from now on."""
    path = _identities(found).path(member) if found else ""
    try:
        os.remove(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        return [leaving.Left(path, str(error.strerror))]
    return [leaving.Left(path)]


def _identities(found: config.Config) -> identity.Register:
    return identity.Register(os.path.join(found.state, "identities"), learns=False)
