"""The election over a Lease (coordination.k8s.io/v1): reads it, renews it, lets go of it at the end.

Law: `held` is asked just before each write, and turns false by itself. Nobody but writers waits for it. What
fails is tried again at the pace of the election; what goes on being refused (403, 404) more slowly: an API
server that has just started refuses everything for a moment.
"""

import asyncio
import contextlib
import datetime
import logging
import os
import random
import secrets
import socket
import time
from typing import Any

import msgspec
from msgspec import Struct

from fedns import logs
from fedns.kube import client, election
from fedns.kube.failure import ApiError, Failure, Unreachable
from fedns.kube.resource import Resource

LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
REFUSED = 30.0
"""Seconds until what is refused time and again is tried again: rights are given by people."""
REPEATED = 5
"""Refusals in a row before they are taken to last."""
LEAVE = 2.0
"""Seconds for letting go at the end."""
JSON = "application/json"

log = logging.getLogger("fedns.kube.lease")


class _Spec(Struct):
    holderIdentity: str | None = None
    leaseDurationSeconds: int | None = None
    acquireTime: str | None = None
    renewTime: str | None = None
    leaseTransitions: int | None = None


class _Lease(Struct):
    metadata: dict[str, Any]
    spec: _Spec | None = None
    apiVersion: str = LEASES.api_version
    kind: str = LEASES.kind


_decoder = msgspec.json.Decoder(_Lease)


def identity() -> str:
    """Who this process is among all that ever were: the pod, or the machine, and something random."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}_{secrets.token_hex(6)}"


def clock() -> float:
    """Seconds that go on while the machine sleeps, where there is such a clock."""
    kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(kind)


class Lease:
    """One process' part in the election over `namespace`/`name`. `run` goes on until cancelled."""

    def __init__(self, api: client.Client, namespace: str, name: str, me: election.Election) -> None:
        self._api, self._name, self._namespace = api, name, namespace
        self.election = me
        self.trouble = self.refused = ""
        self._refusals = 0
        self._meta: dict[str, Any] = {}
        self._doubt = self._told = False
        """Whether a write is without an answer; whether the log says that we hold it."""

    @property
    def held(self) -> bool:
        return self.election.held(clock())

    @property
    def holder(self) -> str:
        """Who the record names."""
        return self.election.record.holder

    @property
    def where(self) -> str:
        return f"Lease {self._namespace}/{self._name}"

    async def run(self) -> None:
        try:
            while True:
                await self._try()
                slow = REFUSED if self._refusals >= REPEATED else 0.0
                await asyncio.sleep(max(self.election.wait(clock(), random.random()), slow))
        finally:
            await self._leave()

    async def _try(self) -> None:
        try:
            async with asyncio.timeout(self.election.terms.deadline / 2):
                await self._round()
        except TimeoutError:
            self._failed(Unreachable("no answer in time"))
        except Failure as failure:
            self._failed(failure)
        else:
            self.trouble = self.refused = ""
            self._refusals = 0
        if self.held != self._told:
            self._told = self.held
            what = "this process writes" if self._told else "this process writes no more"
            log.info(what, extra=logs.fields(lease=self.where, holder=self.holder, trouble=self.trouble))

    def _failed(self, failure: Failure) -> None:
        self.trouble = str(failure)
        lasting = isinstance(failure, ApiError) and failure.status in (403, 404)
        self.refused = str(failure) if lasting else ""
        self._refusals = self._refusals + 1 if lasting else 0

    async def _round(self) -> None:
        """Reads the record, unless it is ours and known; writes it if it is for us to do so."""
        if self._doubt or not self.election.mine:
            await self._read()
        wanted = self.election.wish(clock(), _wall())
        if wanted is None:
            return
        try:
            await self._write(wanted)
        except ApiError as error:
            if error.status != 409 and not (error.status == 404 and self.election.version):
                raise
            await self._read()  # somebody was first, or removed it; the next try goes by that

    async def _read(self) -> None:
        try:
            data = await self._api.get(LEASES.path(self._namespace, self._name))
        except ApiError as error:
            if error.status != 404:
                raise
            self.election.saw(None, "", clock())
        else:
            record, version = self._took(data)
            self.election.saw(record, version, clock())
        self._doubt = False

    async def _write(self, record: election.Record) -> None:
        """Creates the Lease, or writes it over the version that was read."""
        version, sent = self.election.version, clock()
        meta = {**self._meta, "resourceVersion": version} if version else self._fresh()
        body = msgspec.json.encode(_Lease(meta, _Spec(*_written(record))))
        path = LEASES.path(self._namespace, self._name if version else "")
        self._doubt = True
        data = await self._api.send("PUT" if version else "POST", path, body, JSON)
        self.election.wrote(*self._took(data), sent)
        self._doubt = False

    def _fresh(self) -> dict[str, Any]:
        return {"name": self._name, "namespace": self._namespace}

    def _took(self, data: bytes) -> tuple[election.Record, str]:
        """What a reply says; the labels that others gave the object are kept."""
        found: _Lease = client.decoded(_decoder, data)
        self._meta = {name: value for name, value in found.metadata.items() if name != "managedFields"}
        spec = found.spec or _Spec()
        record = election.Record(
            spec.holderIdentity or election.NOBODY,
            spec.leaseDurationSeconds or 0,
            spec.acquireTime or "",
            spec.renewTime or "",
            spec.leaseTransitions or 0,
        )
        return record, str(found.metadata.get("resourceVersion", ""))

    async def _leave(self) -> None:
        """Lets go, so that the next one does not have to wait."""
        self.election.leave(_wall())
        with contextlib.suppress(Failure, TimeoutError):
            async with asyncio.timeout(LEAVE):
                if self._doubt:
                    await self._read()
                while (wanted := self.election.leave(_wall())) is not None:
                    await self._let_go(wanted)

    async def _let_go(self, wanted: election.Record) -> None:
        try:
            await self._write(wanted)
        except ApiError as error:
            if error.status != 409:
                raise
            await self._read()  # a renewal that was under way came between
        else:
            log.info("let go", extra=logs.fields(lease=self.where))


def _written(record: election.Record) -> tuple[str | None, int, str | None, str, int]:
    """In the order of the fields; nobody is told by leaving the holder out."""
    return (
        record.holder or None,
        record.seconds,
        record.acquired or None,
        record.renewed,
        record.transitions,
    )


def _wall() -> str:
    """As `MicroTime` is written."""
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
