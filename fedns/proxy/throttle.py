"""Whether one more may come: rates and numbers at once, of a client or of a route.

Law: in nginx's order: what is at once, then what is within a time. Who is refused has spent nothing. A client
is an address, in IPv6 its network of 64 bits.
"""

from typing import NamedTuple

from fedns.gateway import access, variables
from fedns.gateway.head import Head
from fedns.gateway.options import Field, Limits, Refusal
from fedns.proxy.allowance import Allowance, Rate

_OWN = 64  # bits of an IPv6 address that are the client's own
REDIRECT = 302


class Said(NamedTuple):
    """To one too many."""

    status: int
    fields: tuple[Field, ...]
    text: bytes


class Pass(NamedTuple):
    """May come, and is counted in these places; or what is said instead."""

    places: tuple[int, ...]
    said: Said | None = None


FREE = Pass(())


class Throttle:
    """One worker's. The file is made when something is limited."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._shared: Allowance | None = None

    @property
    def shared(self) -> Allowance:
        if self._shared is None:
            self._shared = Allowance(self._path)
        return self._shared

    def enter(self, limits: Limits, rule: bytes, head: Head) -> Pass:
        version, number = access.numbered(head.client)
        if limits.exempt and access.within(limits.exempt, version, number):
            return FREE
        ingress = rule.partition(b" ")[0]
        client = b"%b %d %x" % (ingress, version, number if version == 4 else number >> _OWN)
        places: tuple[int, ...] = ()
        for name, most, refusal in (
            (b"r" + rule, limits.concurrency, limits.busy),
            (b"c" + client, limits.connections, limits.refusal),
        ):
            at = self.shared.enter(name, most) if most else 0
            if at < 0:
                self.leave(places)
                return Pass((), _said(refusal, head))
            places = (*places, at) if at else places
        rates = [
            Rate(b"%d " % at + (client if each.client else rule), each.rate, each.burst)
            for at, each in enumerate(limits.buckets)
        ]
        if rates and not self.shared.spend(rates):
            self.leave(places)
            return Pass((), _said(limits.refusal, head))
        return Pass(places)

    def leave(self, places: tuple[int, ...]) -> None:
        for each in places:
            self.shared.leave(each)


def _said(refusal: Refusal, head: Head) -> Said:
    if refusal.redirect:
        return Said(REDIRECT, ((b"Location", variables.fill(refusal.redirect, head)),), b"")
    if refusal.body:
        return Said(refusal.status, ((b"Content-Type", refusal.kind),), refusal.body)
    return Said(refusal.status, (), b"")
