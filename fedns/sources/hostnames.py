"""Load-balancer hostnames -> addresses, asked again when their TTL ends.

Law: a name that fails to resolve keeps its last good addresses and shows the error; names are
independent of each other; a name nobody aims at any more is forgotten.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence, Set

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
from msgspec import Struct, structs

from fedns.model.facts import Hostname
from fedns.sources.change import HostnameChange, Publish


class Settings(Struct, frozen=True):
    """Seconds. `shortest` and `longest` bound the TTL honoured; `retry` is the wait after a failure.
    `nameservers` (`address` or `address:port`) replace the system's."""

    shortest: float = 5.0
    longest: float = 60.0
    retry: float = 5.0
    timeout: float = 3.0
    together: int = 32
    nameservers: tuple[str, ...] = ()


DEFAULTS = Settings()


class Resolved(Struct, frozen=True):
    """One answer: addresses sorted, and for how many seconds it holds."""

    addresses: tuple[str, ...]
    ttl: float


class Resolver:
    """Keeps the names given to `aim` resolved while `run` runs."""

    def __init__(self, settings: Settings = DEFAULTS, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock = settings, clock
        self._resolver = _resolver(settings)
        self._known: dict[str, Hostname] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._names: frozenset[str] = frozenset()
        self._news = asyncio.Event()
        self._turns = asyncio.Semaphore(settings.together)

    def aim(self, names: Set[str]) -> None:
        """Resolve these names from now on, and no others."""
        if names != self._names:
            self._names = frozenset(names)
            self._news.set()

    async def run(self, publish: Publish) -> None:
        try:
            while True:
                self._news.clear()
                self._follow(publish)
                await self._news.wait()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self._tasks.clear()

    def _follow(self, publish: Publish) -> None:
        gone = self._tasks.keys() - self._names
        for name in gone:
            self._tasks.pop(name).cancel()
        known = [name for name in gone if self._known.pop(name, None)]
        if known:
            publish(HostnameChange(dict(self._known), frozenset(known)))
        for name in self._names - self._tasks.keys():
            self._tasks[name] = asyncio.create_task(self._keep(name, publish))

    async def _keep(self, name: str, publish: Publish) -> None:
        """Resolve one name again and again."""
        while True:
            wait = await self._once(name, publish)
            await asyncio.sleep(wait * random.uniform(0.95, 1.05))

    async def _once(self, name: str, publish: Publish) -> float:
        """Resolve once, publish if that is news; seconds until the next time."""
        before = self._known.get(name)
        wait = self._settings.retry
        try:
            async with self._turns:
                found = await self._resolve(name)
            now = Hostname(found.addresses, self._clock())
            wait = min(max(found.ttl, self._settings.shortest), self._settings.longest)
        except (dns.exception.DNSException, OSError) as error:
            last = before or Hostname((), 0.0)
            now = structs.replace(last, error=_reason(error))
        self._known[name] = now
        if before is None or (before.addresses, before.error) != (now.addresses, now.error):
            publish(HostnameChange(dict(self._known), frozenset((name,))))
        return wait

    async def _resolve(self, name: str) -> Resolved:
        """A and AAAA together; it is a failure only if neither gives addresses."""
        kinds = ("A", "AAAA")
        asked = (self._resolver.resolve(f"{name}.", kind, lifetime=self._settings.timeout) for kind in kinds)
        found = await asyncio.gather(*asked, return_exceptions=True)
        answers = [one for one in found if isinstance(one, dns.resolver.Answer)]
        failures = [one for one in found if isinstance(one, BaseException)]
        # one family failing for a reason other than "has none" would make its addresses vanish
        grave = [one for one in failures if not isinstance(one, dns.resolver.NoAnswer)]
        if grave or not answers:
            raise (grave or failures)[0]
        addresses = {rdata.to_text() for answer in answers for rdata in answer}
        ttl = min(answer.rrset.ttl for answer in answers if answer.rrset is not None)
        return Resolved(tuple(sorted(addresses)), ttl)


def _resolver(settings: Settings) -> dns.asyncresolver.Resolver:
    if not settings.nameservers:
        try:
            return dns.asyncresolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            return dns.asyncresolver.Resolver(configure=False)
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = _servers(settings.nameservers)
    return resolver


def _servers(texts: Sequence[str]) -> list[str | dns.nameserver.Nameserver]:
    servers: list[str | dns.nameserver.Nameserver] = []
    for text in texts:
        host, colon, port = text.rpartition(":")
        bare = not colon or (":" in host and not host.startswith("["))
        address = text if bare else host.strip("[]")
        servers.append(dns.nameserver.Do53Nameserver(address, 53 if bare else int(port)))
    return servers


def _reason(error: BaseException) -> str:
    if isinstance(error, dns.resolver.NXDOMAIN):
        return "there is no such name"
    if isinstance(error, dns.resolver.NoAnswer):
        return "the name has no addresses"
    if isinstance(error, dns.exception.Timeout):
        return "no answer in time"
    return " ".join(str(error).split())[:200] or type(error).__name__
