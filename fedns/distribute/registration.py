"""What the fleet is told of a member: a `MemberCluster` and the Secret with our credentials there.

Law: pure. Only what was asked for is said, so that what somebody adds to the object (`clients`, and its
labels, which are the member's) stays when a member is joined again.
"""

import base64
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from fedns.distribute import rights
from fedns.kube.resource import Resource

MEMBERS = Resource("fedns.io", "v1alpha1", "memberclusters", "MemberCluster", False)
CREDENTIALS = {"fedns.io/credentials": "member"}
"""The label by which fedns finds such Secrets, and no others."""
IDENTITY = "fedns.io/identity"
"""The annotation with the UID of the member's `kube-system`."""


class Member(Struct, frozen=True):
    """A cluster to be registered, and what is to be said of it; `ca` is PEM."""

    name: str
    server: str
    identity: str
    ca: str = ""
    server_name: str = ""
    region: str = ""
    zones: tuple[str, ...] = ()
    gateway: str = ""
    selector: str = ""
    namespaces: str = ""
    exports: bool = False
    aliases: tuple[str, ...] = ()
    provider: str = ""
    taints: tuple[str, ...] = ()


def with_ca(member: Member, ca: str) -> Member:
    """The same, whose server is known by this CA."""
    return structs.replace(member, ca=ca)


def secret_name(member: str) -> str:
    return f"member-{member}"


def member_cluster(member: Member) -> dict[str, Any]:
    spec = {
        "server": member.server,
        "caBundle": _coded(member.ca),
        "tlsServerName": member.server_name,
        "secretRef": {"name": secret_name(member.name)},
        "region": member.region,
        "zones": list(member.zones),
        "gateway": member.gateway,
        "selector": member.selector,
        "namespaces": member.namespaces,
        "exports": member.exports,
        "aliases": list(member.aliases),
        "provider": member.provider,
        "taints": list(member.taints),
    }
    meta = {"name": member.name, "annotations": {IDENTITY: member.identity}}
    return {**_head(MEMBERS), "metadata": meta, "spec": {key: value for key, value in spec.items() if value}}


def credentials(member: str, namespace: str, token: str) -> dict[str, Any]:
    """The Secret. In print the token is hidden by whoever prints it."""
    labels = {**rights.MANAGED, **CREDENTIALS}
    meta = {"name": secret_name(member), "namespace": namespace, "labels": labels}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": meta,
        "type": "Opaque",
        "data": {"token": _coded(token)},
    }


def _head(resource: Resource) -> Mapping[str, str]:
    return {"apiVersion": resource.api_version, "kind": resource.kind}


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
