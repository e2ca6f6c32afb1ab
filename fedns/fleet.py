"""The parts of `fedns.yaml` about where objects come from: the members, and the fleet's own place.

Law: each is read from one place, a directory or an API server; which one is said by what is written.
"""

import contextlib
import functools
from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Struct, structs

from fedns import schema
from fedns.kube import access
from fedns.model.propagation import Propagation
from fedns.placement import defaults, matching
from fedns.values import Directory, File, Host, Label, Prefix, Tainted, Text

PLACES = "write `manifests: DIRECTORY`, `kubeconfig: FILE` (and `context:`), or `api: {in_cluster: true}`"

HOME = matching.Taint("fedns.io/fleet")
NAMESPACE = "fedns"
"""Where our own objects are in a cluster, unless told otherwise."""


class Api(Struct, frozen=True):
    """An API server written out: its URL, the file of its CA, the name in its certificate if that is another
    one; and a token, a file of one, or a client certificate with its key (PEM; they may share a file). Or,
    `in_cluster`, that of the cluster whose pod this is."""

    server: str = ""
    ca: File = ""
    token: str = ""
    token_file: File = ""
    in_cluster: bool = False
    server_name: str = ""
    certificate: File = ""
    key: File = ""


class Fleet(Struct, frozen=True):
    """Where fleet-wide objects (`TrafficPolicy`, `MemberCluster`) are; empty: nowhere. `namespace`: where the
    Secrets of members and our Lease are (by default that of our pod, else `fedns`); `status`: how objects
    fare is written back to them; `distribute`: objects that policies select are brought to the members,
    `services`: and federated Services that none selects, to all; `namespaces`: those of copies go along;
    `farewell`: how long a copy that moves waits for somebody else who can serve (0: it never waits)."""

    manifests: Directory = ""
    kubeconfig: Annotated[str, schema.anywhere] = ""
    context: str = ""
    api: Api = Api()
    namespace: Label = ""
    status: bool = True
    distribute: bool = False
    services: bool = False
    namespaces: bool = True
    farewell: Annotated[float, schema.duration] = 600.0


class Member(Struct, frozen=True):
    """One cluster. `region` and `zones` may be left to the labels of its nodes. `selector`: of labels, so
    that an API server is asked for some services only; `namespaces`: of the labels of their namespaces;
    `exports`: only those with a ServiceExport. The gateway goes to the endpoints of its services, or, as
    across networks, to their addresses. Policies
    that distribute know it by its `aliases` too (an id), its `provider` and its `taints`."""

    name: Host
    region: Label = ""
    zones: tuple[Label, ...] = ()
    labels: Mapping[str, str] = {}
    manifests: Directory = ""
    kubeconfig: Annotated[str, schema.anywhere] = ""
    context: str = ""
    api: Api = Api()
    selector: str = ""
    namespaces: str = ""
    exports: bool = False
    clients: tuple[Prefix, ...] = ()
    gateway: Literal["endpoints", "addresses"] = "endpoints"
    aliases: tuple[Text, ...] = ()
    provider: Text = ""
    taints: tuple[Tainted, ...] = ()


def where(told: Fleet | Member) -> access.Where | None:
    """The API server to be asked; None: it is a directory, or nothing."""
    return _where(told.kubeconfig, told.context, told.api)


@functools.lru_cache(4096)
def _where(kubeconfig: str, context: str, api: Api) -> access.Where | None:
    """All members are asked about again and again."""
    if kubeconfig:
        return access.Where(kubeconfig=kubeconfig, context=context)
    if api == Api():
        return None
    return access.Where(**structs.asdict(api))


def seen(told: Member, home: bool = False) -> matching.Member:
    """A member as policies that distribute see it, as far as that is written. `home`: it is the fleet's own
    cluster, where a copy would be its own original."""
    taints = (*(matching.Taint(*each) for each in told.taints), *((HOME,) if home else ()))
    names = told.name, told.aliases
    return matching.Member(*names, told.labels, told.provider, told.region, told.zones, taints)


def builtin(told: Fleet) -> tuple[Propagation, ...]:
    """The policies that hold where nobody wrote another one."""
    return defaults.policies(told.services, told.namespaces)


def completed(fleet: Fleet) -> Fleet:
    """With the namespace that it means."""
    if fleet.namespace:
        return fleet
    own = ""
    with contextlib.suppress(OSError), open(f"{access.ACCOUNT}/namespace", encoding="ascii") as file:
        own = file.read(100).strip() if fleet.api.in_cluster else ""
    return structs.replace(fleet, namespace=own or NAMESPACE)


def check(fleet: Fleet, members: tuple[Member, ...], reader: schema.Reader) -> None:
    """What one of them cannot say about itself."""
    seen: set[str] = set()
    for index, member in enumerate(members):
        path: schema.Path = ("members", index)
        if member.name in seen:
            reader.bad((*path, "name"), f"member {member.name!r} is written twice")
        seen.add(member.name)
        if not member.manifests and where(member) is None:
            reader.bad(path, f"member {member.name!r} has no source", PLACES)
        _check(member, path, reader)
    _check(fleet, ("fleet",), reader)


def _check(told: Fleet | Member, path: schema.Path, reader: schema.Reader) -> None:
    whose = f"member {told.name!r}" if isinstance(told, Member) else "fleet"
    api = told.api
    if sum(map(bool, (told.manifests, told.kubeconfig, api != Api()))) > 1:
        reader.bad(path, f"{whose} has more than one source", PLACES)
    if told.context and not told.kubeconfig:
        reader.bad((*path, "context"), f"{whose}: context without kubeconfig", "name the file that has it")
    if api.in_cluster and api != Api(in_cluster=True):
        reader.bad((*path, "api"), f"{whose}: api.in_cluster says it all", "leave the others out")
    elif api != Api() and not api.in_cluster and not api.server.startswith(("https://", "http://")):
        reader.bad((*path, "api"), f"{whose}: api.server is no URL", "write https://HOST:PORT")
    if api.token and api.token_file:
        reader.bad((*path, "api"), f"{whose}: both api.token and api.token_file", "keep the file")
    for key in ("selector", "namespaces", "exports") if told.manifests else ():
        if getattr(told, key, None) and isinstance(told, Member):
            reader.bad((*path, key), f"{whose}: {key} is for API servers", "all in a directory is read")
    if api.key and not api.certificate:
        reader.bad((*path, "api"), f"{whose}: api.key without api.certificate", "name the file of both")
