"""Which cluster a member is: the UID of its namespace `kube-system`, remembered across restarts.

Law: a name belongs to the first cluster that was seen under it. Another one under that name is a mistake in a
kubeconfig until somebody says otherwise, by removing the file; until then nothing is taken from it.
"""

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from fedns.errors import Problem
from fedns.kube import client
from fedns.kube.failure import ApiError, Failure

NAMESPACE = "/api/v1/namespaces/kube-system"
SAME = 1.0
"""Seconds for which a cluster whose identity was seen is still that cluster."""
_UID = re.compile(r"[0-9A-Za-z-]{1,64}")


class _Meta(Struct, gc=False):
    uid: str = ""


class _Namespace(Struct, gc=False):
    metadata: _Meta


_namespace = msgspec.json.Decoder(_Namespace)


class Foreign(Failure):
    """Somebody else's cluster."""

    kind = "identity"


class Register:
    """One file per member below `folder`; `learns` False: nothing is written."""

    def __init__(self, folder: str, learns: bool = True) -> None:
        self._folder, self._learns = folder, learns

    def path(self, member: str) -> str:
        return os.path.join(self._folder, member)

    def known(self, member: str) -> str:
        """The UID last learnt; empty: none."""
        with contextlib.suppress(FileNotFoundError), open(self.path(member), encoding="ascii") as file:
            return file.read(100).strip()
        return ""

    def forget(self, member: str) -> None:
        """The name belongs to nobody any more."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path(member))

    def learn(self, member: str, uid: str) -> None:
        if not self._learns or not _UID.fullmatch(uid):
            return
        os.makedirs(self._folder, exist_ok=True)
        path = self.path(member)
        with open(f"{path}.new", "w", encoding="ascii") as file:
            file.write(f"{uid}\n")
            os.fsync(file.fileno())
        os.replace(f"{path}.new", path)


class Identity:
    """One member's. `check` before anything is taken from the server."""

    def __init__(self, api: client.Client, register: Register, member: str) -> None:
        self._api, self._register, self._member = api, register, member
        self._lock, self._seen_at = asyncio.Lock(), 0.0
        self.uid = self._foreign = self._untold = ""
        """`uid`: of the cluster that this member is; empty: not seen yet."""

    @property
    def foreign(self) -> str:
        """Why nothing is taken from it; empty: it is the right one."""
        return f"another cluster: kube-system has the UID {self._foreign}" if self._foreign else ""

    async def check(self) -> None:
        """Failure: the cluster is another one, or does not answer."""
        async with self._lock:
            if time.monotonic() - self._seen_at < SAME:
                return
            self._untold = ""
            try:
                found = client.decoded(_namespace, await self._api.get(NAMESPACE)).metadata.uid
            except ApiError as error:
                if error.status not in (403, 404):
                    raise
                self._untold = str(error)
            else:
                self._compare(found)
            self._seen_at = time.monotonic()

    def _compare(self, found: str) -> None:
        try:
            known = self._register.known(self._member)
            if not known:
                self._register.learn(self._member, found)
        except OSError as error:
            self._untold = f"{error.filename}: {error.strerror}"
            return
        self._foreign = found if known and known != found else ""
        self.uid = known or found
        if self._foreign:
            raise Foreign(f"another cluster: kube-system has the UID {found}, and had {known}")

    def problems(self, where: str) -> Iterator[Problem]:
        if self._foreign:
            what = f"this is another cluster (UID {self._foreign}) than member {self._member} was"
            hint = f"nothing is taken from it; if it is right, remove {self._register.path(self._member)}"
            yield Problem(where, what, hint)
        if self._untold:
            hint = "which cluster this is cannot be checked; allow `get` of that namespace"
            yield Problem(where, f"namespace kube-system: {self._untold}", hint)
