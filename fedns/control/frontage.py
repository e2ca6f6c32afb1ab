"""Where clients reach the gateway, as statuses of Ingresses say it: what the configuration says, or what the
load balancer of a Service was given.

Law: a Service that cannot be read leaves what was known; while nothing is known nothing is written.
"""

import logging
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

import msgspec

from fedns import beat, logs, portal
from fedns.errors import Problem
from fedns.kube import client
from fedns.kube.failure import Failure
from fedns.kube.resource import Resource

SERVICES = Resource("", "v1", "services", "Service")
LOOK = 10.0
"""Seconds between two looks at the Service: a load balancer is given its addresses once."""
FIELDS = ("ip", "hostname")
Address = Mapping[str, str]

_whole = msgspec.json.Decoder()
_log = logging.getLogger("fedns.control.frontage")


class Frontage:
    """`addresses` as an Ingress's status has them; None: not known yet."""

    def __init__(self, settings: portal.Gateway, namespace: str) -> None:
        self._name, self._namespace = "" if settings.publish else settings.service, namespace
        self.addresses: tuple[Address, ...] | None = None
        if not self._name:
            self.addresses = tuple(map(_row, settings.publish))
        self.trouble = ""

    @property
    def problems(self) -> tuple[Problem, ...]:
        if not self.trouble:
            return ()
        where = f"Service {self._namespace}/{self._name}"
        return (Problem(where, self.trouble, "Ingresses are not told where clients reach them"),)

    async def run(self, api: client.Client) -> None:
        """Looks at the Service again and again; ends at once where there is none to look at."""
        while self._name:
            try:
                await self._look(api)
            except Failure as failure:
                self._failed(str(failure))
            await beat.sleep(LOOK)

    async def _look(self, api: client.Client) -> None:
        found: Any = client.decoded(_whole, await api.get(SERVICES.path(self._namespace, self._name)))
        rows = ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        told = tuple({name: row[name] for name in FIELDS if row.get(name)} for row in rows)
        if told:
            self.addresses, self.trouble = told, ""
        elif not self.addresses:
            self._failed("its load balancer has no address yet")

    def _failed(self, why: str) -> None:
        if why != self.trouble:
            _log.warning("the gateway's addresses are not known", extra=logs.fields(error=why))
        self.trouble = why


def _row(text: str) -> Address:
    try:
        return {"ip": str(ip_address(text))}
    except ValueError:
        return {"hostname": text}
