"""The token by which fedns is known to a member.

Law: by default one that does not end, kept by the member in a Secret that it fills itself: nobody has to be
awake to renew it, and removing the Secret revokes it at once. Kubernetes' clean-up of unused tokens spares
Secrets that were asked for. A token that ends (`TokenRequest`) is for who must have that, and renews it.
"""

import asyncio
import base64
import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from fedns.distribute import rights
from fedns.kube import client
from fedns.kube.failure import ApiError, Unreachable
from fedns.kube.resource import Resource

TYPE = "kubernetes.io/service-account-token"
ACCOUNT = "kubernetes.io/service-account.name"
SECRETS = Resource("", "v1", "secrets", "Secret")
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
LOOK = 0.25
"""Seconds between looks whether the Secret is filled."""


class Token(NamedTuple):
    """`ca`: PEM that the cluster gives to its pods; `until`: Unix seconds, 0: it does not end."""

    text: str
    ca: str = ""
    until: float = 0.0


class _Secret(Struct, gc=False):
    data: dict[str, str] | None = None


class _Issued(Struct, rename="camel", gc=False):
    token: str
    expiration_timestamp: datetime.datetime


class _Request(Struct, gc=False):
    status: _Issued


_secret = msgspec.json.Decoder(_Secret)
_request = msgspec.json.Decoder(_Request)


def secret(account: rights.Account, name: str) -> dict[str, Any]:
    """The Secret that a member fills with a token of the account."""
    notes = {ACCOUNT: account.name}
    meta = {
        "name": name,
        "namespace": account.namespace,
        "labels": dict(rights.MANAGED),
        "annotations": notes,
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": TYPE}


async def awaited(api: client.Client, account: rights.Account, name: str, patience: float) -> Token:
    """What the Secret holds, as soon as it does. Failure: also where nobody fills it."""
    try:
        async with asyncio.timeout(patience):
            return await _filled(api, SECRETS.path(account.namespace, name))
    except TimeoutError:
        what = f"Secret {account.namespace}/{name} got no token within {patience:g} s"
        raise Unreachable(
            f"{what}: does kube-controller-manager run? --duration asks for another kind"
        ) from None


async def _filled(api: client.Client, path: str) -> Token:
    while True:
        data = client.decoded(_secret, await api.get(path)).data or {}
        if data.get("token"):
            return Token(_plain(data["token"]), _plain(data.get("ca.crt", "")))
        await asyncio.sleep(LOOK)


async def requested(api: client.Client, account: rights.Account, seconds: float) -> Token:
    """One that ends after so many seconds, or earlier if the server says so. Failure."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": int(seconds)},
    }
    path = ACCOUNTS.path(account.namespace, account.name, "token")
    reply = await api.send("POST", path, msgspec.json.encode(body), "application/json")
    issued = client.decoded(_request, reply).status
    return Token(issued.token, "", issued.expiration_timestamp.timestamp())


def _plain(coded: str) -> str:
    try:
        return base64.b64decode(coded).decode()
    except ValueError:
        raise ApiError(500, "Invalid", "a token Secret holds what is no text") from None
