"""What joining does in the member itself: it looks, makes the account and its rights, and proves them.

Law: nothing is changed before the look has found everything in order, and nothing is ever changed that lacks
our label. Each step may be taken again: what is there already stays, what was bent is mended.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from fedns.distribute import permission, rights, token, topology
from fedns.kube import access, apply, client
from fedns.kube.failure import ApiError
from fedns.kube.resource import Resource

RESOURCES = {
    one.kind: one
    for one in (
        Resource("", "v1", "namespaces", "Namespace", False),
        token.ACCOUNTS,
        token.SECRETS,
        Resource(rights.RBAC, "v1", "clusterroles", "ClusterRole", False),
        Resource(rights.RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", False),
        Resource(rights.RBAC, "v1", "roles", "Role"),
        Resource(rights.RBAC, "v1", "rolebindings", "RoleBinding"),
    )
}
NAMESPACE = "Namespace"
SYSTEM = {"kind": NAMESPACE, "metadata": {"name": "kube-system"}}
LOOK = 0.5
"""Seconds between tries of new rights: an API server hears of them within moments."""

Object = Mapping[str, Any]


class Plan(NamedTuple):
    """Who is to be made, for what; `secret`: the name of the Secret with its token, empty: there is none."""

    account: rights.Account
    needs: rights.Needs
    secret: str

    def objects(self) -> tuple[dict[str, Any], ...]:
        """In the order in which they are made."""
        held = (token.secret(self.account, self.secret),) if self.secret else ()
        return (
            rights.namespace(self.account.namespace),
            rights.account(self.account),
            *rights.granted(self.account, rights.rights(self.needs)),
            *held,
        )


class Survey(NamedTuple):
    """What was found. `missing`: rights that we lack; `foreign`: objects in our place that others made;
    `present`: versions of those that are there, by what `told` calls them."""

    version: str
    identity: str
    topology: topology.Topology
    missing: tuple[permission.Ask, ...]
    foreign: tuple[str, ...]
    present: Mapping[str, str]


class Made(NamedTuple):
    """An object, and whether it differs from what was there."""

    what: str
    changed: bool


class Meta(Struct, rename="camel", gc=False):
    """What we look at of an object."""

    uid: str = ""
    name: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None


class _Object(Struct, gc=False):
    metadata: Meta


_object = msgspec.json.Decoder(_Object)


def told(one: Object) -> str:
    """`ServiceAccount fedns/fedns-reader`."""
    meta = one["metadata"]
    inside = f"{meta['namespace']}/" if "namespace" in meta else ""
    return f"{one['kind']} {inside}{meta['name']}"


@contextlib.asynccontextmanager
async def talking(where: access.Where) -> AsyncIterator[client.Client]:
    """A client for some steps."""
    api = client.Client(where, asyncio.Semaphore(client.AT_ONCE))
    try:
        yield api
    finally:
        await api.close()


async def legacy(api: client.Client) -> bool:
    """Whether the cluster has no EndpointSlices. Failure."""
    slices = (
        Resource("discovery.k8s.io", version, "endpointslices", "EndpointSlice")
        for version in ("v1", "v1beta1")
    )
    return not any([await api.serves(one) for one in slices])


async def identity(api: client.Client) -> str:
    """The UID of `kube-system`; empty where we may not see it. Failure."""
    try:
        found = await present(api, SYSTEM)
    except ApiError:
        return ""
    return found.uid if found else ""


async def survey(api: client.Client, plan: Plan) -> Survey:
    """Looks, and changes nothing. Failure."""
    version, objects = await api.version(), plan.objects()
    unseen = await permission.missing(api, [_ask("get", one) for one in (SYSTEM, *objects)])
    if unseen:
        missing = await _missing(api, plan, ())
        return Survey(version, "", topology.NOWHERE, (*unseen, *missing), (), {})
    system, nodes = await present(api, SYSTEM), topology.NOWHERE
    with contextlib.suppress(ApiError):  # who may not list nodes may perhaps grant it
        nodes = await topology.read(api)
    found = [(one, meta) for one in objects if (meta := await present(api, one))]
    return Survey(
        version,
        system.uid if system else "",
        nodes,
        await _missing(api, plan, [told(one) for one, _ in found]),
        tuple(told(one) for one, meta in found if one["kind"] != NAMESPACE and not ours(meta)),
        {told(one): meta.resource_version for one, meta in found},
    )


async def make(api: client.Client, plan: Plan, before: Mapping[str, str]) -> list[Made]:
    """Makes what is not there, mends what is; a namespace that is there is not touched. Failure."""
    done = []
    for one in plan.objects():
        what = told(one)
        if one["kind"] == NAMESPACE and what in before:
            continue
        after = await apply.apply(api, RESOURCES[one["kind"]], one, apply.Way(force=True))
        done.append(Made(what, after["metadata"].get("resourceVersion") != before.get(what)))
    return done


async def prove(where: access.Where, plan: Plan, patience: float) -> tuple[permission.Ask, ...]:
    """Asks the member as the new account: what it still may not after `patience` seconds. Failure."""
    loop = asyncio.get_running_loop()
    given = permission.of(rights.rights(plan.needs), plan.account.namespace)
    deadline = loop.time() + patience
    async with talking(where) as api:
        while not await _works(api, given):
            if loop.time() >= deadline:
                return await _lacking(api, given)
            await asyncio.sleep(LOOK)
        return ()


async def _works(api: client.Client, given: tuple[permission.Ask, ...]) -> bool:
    """Whether all of it is granted; a token or a right may be one that the server does not know yet."""
    try:
        return not await _lacking(api, given)
    except ApiError:
        return False


async def _lacking(api: client.Client, given: tuple[permission.Ask, ...]) -> tuple[permission.Ask, ...]:
    lacking = await permission.missing(api, given)
    if not lacking:
        await api.get("/api/v1/services", {"limit": "1"})
    return lacking


async def _missing(api: client.Client, plan: Plan, present: Iterable[str]) -> tuple[permission.Ask, ...]:
    """The rights that it takes to make all this, and that we lack."""
    asked = [ask for one in plan.objects() for ask in _asks(one, told(one) in present)]
    if plan.secret:
        asked.append(permission.Ask("list", "", "secrets", plan.account.namespace))
    else:
        asked.append(
            permission.Ask("create", "", "serviceaccounts/token", plan.account.namespace, plan.account.name)
        )
    lacking = await permission.missing(api, asked)
    if await permission.missing(api, permission.of(rights.rights(plan.needs), plan.account.namespace)):
        # Nobody may give what he does not have, unless he has these.
        special = [permission.Ask(verb, rights.RBAC, "clusterroles") for verb in ("escalate", "bind")]
        lacking += await permission.missing(api, special)
    return lacking


def _asks(one: Object, there: bool) -> Iterable[permission.Ask]:
    if one["kind"] == NAMESPACE and there:
        return
    yield _ask("patch", one)
    if not there:
        yield _ask("create", one)._replace(name="")


def _ask(verb: str, one: Object) -> permission.Ask:
    resource, meta = RESOURCES[one["kind"]], one["metadata"]
    return permission.Ask(verb, resource.group, resource.plural, meta.get("namespace", ""), meta["name"])


async def present(api: client.Client, one: Object) -> Meta | None:
    """What is there of it; None: nothing. Failure."""
    try:
        found: _Object = client.decoded(_object, await api.get(path(one)))
    except ApiError as error:
        if error.status == 404:
            return None
        raise
    return found.metadata


def path(one: Object) -> str:
    """Where it is in the API."""
    meta = one["metadata"]
    return RESOURCES[one["kind"]].path(meta.get("namespace", ""), meta["name"])


def ours(meta: Meta) -> bool:
    """Whether it has our label."""
    return rights.MANAGED.items() <= (meta.labels or {}).items()
