"""The members as the fleet's API server knows them: `MemberCluster` objects, and the Secrets beside them.

Law: one cluster has one name, and one name one cluster; who that is, the UID of `kube-system` tells. Whatever
is in the way is a `Refusal` before anything is written.
"""

import asyncio
import time
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, field

from fedns.distribute import joining, leaving, permission, registration, rights
from fedns.distribute.refusal import Refusal
from fedns.kube import apply, client
from fedns.kube.failure import ApiError

FORCED = apply.Way(force=True)
BUSY = 429
"""So an API server answers for a kind that was defined a moment ago."""
DEFINED, AGAIN = 30.0, 1.0
"""Seconds in which it knows it at the latest, and until it is asked again where it does not say."""


class Known(NamedTuple):
    """A member that is registered; `identity` is empty where nobody has seen it yet."""

    name: str
    server: str
    identity: str
    secret: str


class _Meta(Struct, gc=False):
    name: str
    annotations: dict[str, str] | None = None


class _Reference(Struct, gc=False):
    name: str = ""


class _Spec(Struct, rename="camel", gc=False):
    server: str = ""
    secret_ref: _Reference = field(default_factory=_Reference)


class _Status(Struct, gc=False):
    identity: str = ""


class _Member(Struct, gc=False):
    metadata: _Meta
    spec: _Spec = field(default_factory=_Spec)
    status: _Status = field(default_factory=_Status)


class _Members(Struct, gc=False):
    items: list[_Member] | None = None


_members = msgspec.json.Decoder(_Members)


class Registry:
    """One fleet's. `namespace`: where the Secrets are."""

    def __init__(self, api: client.Client, namespace: str) -> None:
        self.where, self._api, self._namespace = f"fleet ({api.where})", api, namespace
        self.byhand = ""

    async def look(self) -> tuple[Known, ...]:
        """All members. Failure, Refusal."""
        until = time.monotonic() + DEFINED
        while True:
            try:
                data = await self._api.get(registration.MEMBERS.path())
            except ApiError as error:
                if error.status == 404:
                    what = "knows no MemberCluster: the CRD is not there"
                    hint = "kubectl apply -k deploy/crds, in the fleet's cluster"
                    raise Refusal(self.where, what, hint) from None
                if error.status != BUSY or time.monotonic() > until:
                    raise
                await asyncio.sleep(error.retry_after or AGAIN)
            else:
                return tuple(map(_known, client.decoded(_members, data).items or ()))

    async def check(self, wanted: registration.Member) -> None:
        """Refusal, where the cluster has another name, the name another cluster, or we may not write."""
        if not wanted.server.startswith("https://"):
            raise Refusal(
                self.where, f"{wanted.server}: a MemberCluster is reached by https", "name --server URL"
            )
        for one in await self.look():
            same = one.identity == wanted.identity
            if same and one.name != wanted.name:
                what = f"this cluster (UID {wanted.identity}) is registered already, as {one.name}"
                raise Refusal(self.where, what, f"join it as {one.name}, or fedns unjoin {one.name} first")
            if one.name == wanted.name and one.identity and not same:
                what = f"{one.name} is another cluster (UID {one.identity}, this one has {wanted.identity})"
                raise Refusal(self.where, what, f"choose another name, or fedns unjoin {one.name} first")
        lacking = await permission.missing(self._api, self._asks(wanted.name))
        if lacking:
            raise Refusal(
                self.where, f"you may not {'; '.join(map(str, lacking))}", "ask for these rights there"
            )

    def objects(self, wanted: registration.Member, token: str) -> tuple[dict[str, Any], ...]:
        """What is written, the credentials first."""
        return (
            registration.credentials(wanted.name, self._namespace, token),
            registration.member_cluster(wanted),
        )

    async def register(self, wanted: registration.Member, token: str) -> list[joining.Made]:
        """Writes them, and the namespace where it is missing. Failure."""
        space = rights.namespace(self._namespace)
        done = []
        if await joining.present(self._api, space) is None:
            await apply.apply(self._api, joining.RESOURCES["Namespace"], space)
            done.append(joining.Made(joining.told(space), True))
        for one in self.objects(wanted, token):
            resource = joining.RESOURCES.get(one["kind"], registration.MEMBERS)
            await apply.apply(self._api, resource, one, FORCED)
            done.append(joining.Made(joining.told(one), True))
        return done

    async def find(self, name: str) -> leaving.Known:
        """What `remove` would remove. Failure, Refusal where there is none."""
        found = await self._one(name)
        what = [f"MemberCluster {name}", f"Secret {self._namespace}/{found.secret}"]
        return leaving.Known(what, found.identity)

    async def remove(self, name: str) -> list[leaving.Left]:
        """Takes a member out of the fleet. Failure, Refusal where there is none of that name."""
        found = await self._one(name)
        await self._api.send("DELETE", registration.MEMBERS.path(name=name), b"", permission.JSON)
        secret = registration.credentials(name, self._namespace, "")
        secret["metadata"]["name"] = found.secret
        return [leaving.Left(f"MemberCluster {name}"), await leaving.remove(self._api, secret)]

    async def _one(self, name: str) -> Known:
        known = await self.look()
        found = next((one for one in known if one.name == name), None)
        if found is None:
            names = ", ".join(one.name for one in known) or "none"
            raise Refusal(self.where, f"no MemberCluster {name}", f"known: {names}")
        return found

    def _asks(self, name: str) -> list[permission.Ask]:
        members = permission.Ask("patch", registration.MEMBERS.group, registration.MEMBERS.plural, "", name)
        secrets = permission.Ask("patch", "", "secrets", self._namespace, registration.secret_name(name))
        creates = [one._replace(verb="create", name="") for one in (members, secrets)]
        return [members, secrets, *creates]


def _known(found: _Member) -> Known:
    seen = (found.metadata.annotations or {}).get(registration.IDENTITY, "")
    uid = found.status.identity or seen
    return Known(found.metadata.name, found.spec.server, uid, found.spec.secret_ref.name)
