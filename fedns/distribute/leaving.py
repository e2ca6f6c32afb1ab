"""What leaving does in the member itself: it removes what joining made.

Law: only what has our label is removed, the tokens first; a namespace only if nobody else is in it. What
stays is told, with the reason.
"""

from typing import NamedTuple

import msgspec
from msgspec import Struct

from fedns.distribute import errand, imports, joining, permission, rights, token, warrant
from fedns.distribute.joining import Object
from fedns.kube import client
from fedns.kube.failure import ApiError
from fedns.kube.resource import Resource

INSIDE = (
    Resource("", "v1", "pods", "Pod"),
    Resource("", "v1", "services", "Service"),
    Resource("", "v1", "configmaps", "ConfigMap"),
    token.SECRETS,
    token.ACCOUNTS,
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
)
"""What makes a namespace somebody's, if it is not what Kubernetes puts into every one."""
USUAL = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}


class Left(NamedTuple):
    """An object after an attempt to remove it; `why` it is still there, empty: it is gone."""

    what: str
    why: str = ""


class Known(NamedTuple):
    """A member as it is registered: what stands for it, and which cluster it is (empty: nobody knows)."""

    what: list[str]
    identity: str


class _Meta(joining.Meta, rename="camel", gc=False):
    namespace: str = ""


class _Object(Struct, gc=False):
    metadata: _Meta


class _List(Struct, gc=False):
    items: list[_Object] | None = None


_list = msgspec.json.Decoder(_List)


LABEL = ",".join(f"{key}={value}" for key, value in rights.MANAGED.items())


async def secrets(api: client.Client, account: rights.Account) -> tuple[str, ...]:
    """The Secrets of ours that hold tokens of the account. Failure."""
    data = await api.get(token.SECRETS.path(account.namespace), {"labelSelector": LABEL})
    names = (one.metadata.name for one in client.decoded(_list, data).items or ())
    return tuple(name for name in names if name.startswith(f"{account.name}-token"))


async def imported(api: client.Client) -> list[Left]:
    """Removes what we wrote of the cluster set. Failure where the member is out of reach."""
    return [left for one in (imports.IMPORTS[-1], imports.SLICES[-1]) for left in await _cleared(api, one)]


async def _cleared(api: client.Client, resource: Resource) -> list[Left]:
    """Removes all of a kind that we made; nothing is told where there is none."""
    try:
        data = await api.get(resource.path(), {"labelSelector": LABEL})
        found = [one.metadata for one in client.decoded(_list, data).items or ()]
        for meta in found:
            known = {"namespace": meta.namespace, "name": meta.name, "uid": meta.uid}
            await errand.Errand(resource, known, None).run(api)
    except ApiError as error:
        return [] if error.status == 404 else [Left(f"{resource.plural} of ours", str(error))]
    return [Left(f"{len(found)} {resource.plural}")] if found else []


async def leave(api: client.Client, plan: joining.Plan) -> list[Left]:
    """Removes what is ours, tokens first and the namespace last. Failure where the member is out of reach."""
    unseen, names = [], tuple[str, ...]()
    try:
        names = await secrets(api, plan.account)
    except ApiError as error:
        unseen.append(Left(f"tokens of {joining.told(rights.account(plan.account))}", str(error)))
    held = [token.secret(plan.account, name) for name in names]
    others = reversed(plan._replace(secret="").objects()[1:])
    writes = [one for one in warrant.roles(plan.account) if await _there(api, one)]
    outcome = [*unseen, *[await remove(api, one) for one in (*held, *writes, *others)], *await imported(api)]
    space = rights.namespace(plan.account.namespace)
    return [*outcome, await _emptied(api, space)]


async def remove(api: client.Client, one: Object) -> Left:
    """Removes an object if it has our label. Failure where the server is out of reach."""
    what = joining.told(one)
    try:
        meta = await joining.present(api, one)
        if meta is None:
            return Left(what)
        if not joining.ours(meta):
            return Left(what, "it lacks our label, so somebody else made it")
        await api.send("DELETE", joining.path(one), b"", permission.JSON)
    except ApiError as error:
        return Left(what, "" if error.status == 404 else str(error))
    return Left(what)


async def _there(api: client.Client, one: Object) -> bool:
    """Whether it is there, or nobody tells us. Failure where the server is out of reach."""
    try:
        return await joining.present(api, one) is not None
    except ApiError:
        return True


async def _emptied(api: client.Client, space: Object) -> Left:
    """Removes the namespace, if nobody else uses it."""
    name = space["metadata"]["name"]
    for resource in INSIDE:
        try:
            found = client.decoded(_list, await api.get(resource.path(name), {"limit": "50"})).items or ()
        except ApiError as error:
            if error.status == 404:
                continue
            return Left(joining.told(space), str(error))
        others = [one.metadata for one in found if (resource.kind, one.metadata.name) not in USUAL]
        if others:
            return Left(joining.told(space), f"{resource.kind} {others[0].name} is in it")
    return await remove(api, space)
