"""A gateway worker's connections without sockets: what is fed to them, and what they would have sent.

Law: the protocols, tables and routes are the real ones; only the transport underneath is a record. There is
always one idle connection to the backend, so that nothing is ever opened.
"""

import asyncio
from pathlib import Path
from typing import Any

from fedns import tables
from fedns.gateway import route, terms
from fedns.gateway.terms import Terms
from fedns.proxy.directory import Directory
from fedns.proxy.hall import Hall
from fedns.proxy.inbound import Inbound
from fedns.proxy.outbound import Key, Outbound
from fedns.servers.tally import Tally

POOL = b"ns/all/80"
ONE_TRY = Terms(least_budget=0, budget=0.0)
_KEY = Key("192.0.2.1", 80)


class Cable(asyncio.Transport):
    """Remembers what was written, and who took over from the first protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.closed, self.aborted, self.paused = bytearray(), False, False, False
        self.other: Any = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.9", 4000), "sockname": ("192.0.2.8", 8080)}.get(name, default)

    def set_protocol(self, protocol: Any) -> None:
        self.other = protocol

    def write(self, data: Any) -> None:
        if not self.closed:
            self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Line:
    """One connection: what is at its end, and its record."""

    def __init__(self, end: Any) -> None:
        self.first, self.cable = end, Cable()
        self._lost = False
        end.connection_made(self.cable)

    @property
    def end(self) -> Any:
        """Who is there now."""
        return self.cable.other or self.first

    def feed(self, data: bytes) -> None:
        if not self.cable.closed:
            self.end.data_received(data)
        self.check()

    def hang_up(self) -> None:
        """The other side has ended its half."""
        if not self.cable.closed and not self.end.eof_received():
            self.cable.close()
        self.check()

    def check(self) -> None:
        """Tells the end when its transport is gone."""
        if self.cable.closed and not self._lost:
            self._lost = True
            self.end.connection_lost(None)


class Stand:
    """A hall with one pool of one backend. `state` is a directory for the tables."""

    def __init__(self, state: Path, agreed: Terms = ONE_TRY) -> None:
        self.loop = asyncio.new_event_loop()
        writer = tables.Writer(str(state / "tables"))
        end = route.Endpoint("192.0.2.1", 80, "one", b"one")
        pool = route.Pool((route.Tier(1.0, (route.Part("one", 1.0, (end,)),)),))
        everything = route.Table(default=route.Location(b"ns/all */", b"/", POOL))
        entries = {terms.TERMS: terms.encode(agreed), route.ROUTES: route.encode(everything)}
        writer.publish({"gateway": entries | {route.SERVICE + POOL: route.encode(pool)}}, 0.0)
        writer.close()
        self.hall = Hall(self.loop, Directory(str(state / "tables")), Tally(str(state / "one")))
        self._last: Line | None = None

    def client(self) -> Line:
        return Line(Inbound(self.hall))

    def backend(self) -> Line:
        """The idle connection; another one where the last is not idle any more."""
        last = self._last
        if last is not None and last.end.taker is None and not last.cable.closed:
            return last
        self._last = made = Line(Outbound(self.hall.depot, _KEY))
        self.hall.depot.give(made.end)
        made.end.used = 0  # nobody would think that it had only gone stale
        return made

    def turn(self) -> None:
        """Lets the loop do what is due."""
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def close(self) -> None:
        self.hall.depot.close()
        self.loop.close()
