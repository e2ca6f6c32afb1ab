"""An answer that is let through only so fast (`limit-rate`).

Law: it stands between a connection and the exchange that it answers, so that answers without a pace know
nothing of it. Of the backend no more is read than waits here.
"""

from typing import TYPE_CHECKING

from fedns.gateway.options import Limits
from fedns.proxy.outbound import Outbound

if TYPE_CHECKING:
    from fedns.proxy.exchange import Exchange

STEP = 0.1  # seconds


class Pacing:
    """Of one answer."""

    def __init__(self, exchange: "Exchange", outbound: Outbound, limits: Limits) -> None:
        self.head_only = exchange.head_only
        self._exchange, self._outbound = exchange, outbound
        self._rate, self._free = limits.pace, limits.pace_after
        self._waiting = bytearray()
        self._ended = self._ticking = False

    def arrived(self, outbound: Outbound) -> None:
        self._waiting += b"".join(outbound.pieces)
        outbound.pieces = []
        self._ended, outbound.ended = self._ended or outbound.ended, False
        if not outbound.lost:
            outbound.transport.pause_reading()
        if not self._ticking:
            self._step()

    def interim(self, outbound: Outbound) -> None:
        self._exchange.interim(outbound)

    def switched(self, outbound: Outbound, rest: bytes) -> None:
        outbound.fail("switched without being asked")

    def ceased(self, outbound: Outbound) -> bool:
        return False

    def lost(self, outbound: Outbound, why: str) -> None:
        if not self._ended:
            self._exchange.lost(outbound, why)

    def full(self) -> None:
        self._exchange.full()

    def drained(self) -> None:
        self._exchange.drained()

    def _step(self) -> None:
        """As much as may go now."""
        exchange, outbound = self._exchange, self._outbound
        self._ticking = False
        if exchange.outbound is not outbound:
            return  # given up
        free = min(self._free, len(self._waiting))
        self._free -= free
        most = free + max(int(self._rate * STEP), 1)
        piece = bytes(self._waiting[:most])
        del self._waiting[:most]
        outbound.pieces = [piece] if piece else []
        outbound.ended = self._ended and not self._waiting
        if not outbound.ended:
            self._ticking = True
            exchange.inbound.hall.loop.call_later(STEP, self._step)
        elif not outbound.lost:
            outbound.transport.resume_reading()
        if outbound.pieces or outbound.ended or outbound.fresh:
            exchange.arrived(outbound)
        goes_on = exchange.outbound is outbound and not (self._waiting or self._ended or outbound.lost)
        if goes_on and not exchange.inbound.clogged:
            outbound.transport.resume_reading()
