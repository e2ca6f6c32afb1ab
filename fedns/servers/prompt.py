"""The UDP listener with the compiled core: most packets are answered where they lie, the others as ever.

Law: whether there is a core is a matter of speed alone. It needs batches (64-bit Linux) and the compiled
modules, and `FEDNS_CORE=off` does without; then `dns_udp.Listener` serves.
"""

import contextlib
import logging
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fedns import tables
from fedns.dns import places, respond
from fedns.servers import batch, counters, dns_udp

if TYPE_CHECKING:
    from fedns.servers import core


class Form(NamedTuple):
    """The modules that make up the core, as Python or compiled."""

    core: ModuleType
    gate: ModuleType


compiled: Form | None = None
with contextlib.suppress(ImportError):  # there was no compiler
    from fedns.servers import _core, _gate  # type: ignore[attr-defined]

    compiled = Form(_core, _gate)

_log = logging.getLogger("fedns.prompt")

SWITCH = "FEDNS_CORE"  # environment variable


def form() -> Form | None:
    """The core that serves here, if any."""
    return compiled if batch.works() and os.environ.get(SWITCH) != "off" else None


class View(respond.View, Protocol):
    """One generation; `stamp` is another number for each of the same tables."""

    def stamp(self) -> int: ...

    def close(self) -> None: ...


class Source(Protocol):
    """Where tables come from; `opened` is another number for other tables."""

    opened: int

    def view(self) -> View: ...

    def marks(self) -> memoryview | None: ...


class Reading:
    """The tables as the core reads them."""

    def __init__(self, source: Source) -> None:
        self._source, self._view = source, source.view()
        self.get = self._view.get
        self.close = self._view.close
        self.close()

    def marks(self) -> memoryview | None:
        return self._source.marks()

    def open(self) -> int:
        view = self._source.view()
        self.get, self.close = view.get, view.close
        return self._source.opened + view.stamp()

    def signed(self) -> bool:
        return self.get(tables.SIGNING) is not None


class Kit(NamedTuple):
    """What the listeners of one worker share: the core's form, its rows, a secret number."""

    form: Form
    rows: "core.Rows"
    seed: int


def kit(source: Source, seed: int) -> Kit | None:
    """None where Python serves alone."""
    serving = form()
    return Kit(serving, serving.core.Rows(seed, Reading(source)), seed) if serving else None


class Listener(dns_udp.Listener):
    """One UDP socket of one worker, with a core of its own."""

    def __init__(self, plain: dns_udp.Plain, kit: Kit) -> None:
        super().__init__(plain)
        assert isinstance(self._datagrams, batch.Batch)
        self._batches, self._host = self._datagrams, plain.host
        self._frames = frames = self._batches.frames()
        self._gate = gate = kit.form.gate.Gate(plain.limiter, frames, kit.seed)
        self._core = kit.form.core.Core(kit.rows, frames, counters.layout(plain.cells), self, gate)
        self.refresh, self.send = self._batches.refresh, self._batches.answer
        self._suspects: dns_udp.Suspects = ()
        self._hidden: dict[int, int] = {}

    def renew(self) -> None:
        self._gate.renew()

    def _batch(self) -> int:
        count: int = self._core.turn()
        return count

    def place(self, index: int, known: places.Places) -> int:
        asker = self._senders[index]
        return known.find(places.sender(asker), self._host.geo, asker.member).place

    def failed(self) -> None:
        error = sys.exception()
        if isinstance(error, tables.DAMAGE):
            raise error
        _log.error("the core failed", exc_info=error)

    def unsent(self, count: int) -> None:
        self._cells.add("unsent", count)

    def suspects(self, count: int, now: int, loud: list[int]) -> None:
        """Queries of those who may be beyond a limit have no length until the core is done."""
        self._limiter.watch(loud, now)
        self._suspects = self._limiter.suspects(self._batches.sources(count), now)
        received = self._frames.received
        self._hidden = {place: received[place] for _, found in self._suspects for place in found}
        for place in self._hidden:
            received[place] = 0

    def others(self, count: int) -> int:
        frames = self._frames
        for place, length in self._hidden.items():
            frames.received[place] = length
        places = [place for place, length in enumerate(frames.lengths[:count].tolist()) if not length]
        starts = [batch.SLOT * place for place in places]
        packets = [
            bytes(frames.requests[start : start + frames.received[place]])
            for start, place in zip(starts, places, strict=True)
        ]
        at = {place: index for index, place in enumerate(places)}
        suspects = [(account, [at[place] for place in found]) for account, found in self._suspects]
        self._suspects, self._hidden = (), {}
        replies = self._judged(packets, [self._senders[place] for place in places], suspects)
        for start, place, reply in zip(starts, places, replies, strict=True):
            if reply is not None:
                frames.replies[start : start + len(reply)] = reply
                frames.lengths[place] = len(reply)
        self._cells.answered(packets, replies)
        return replies.count(None)
