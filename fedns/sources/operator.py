"""Operator's orders (up, down, drain), kept in one file until they expire.

Law: an order is on disk, synced, before it is believed: the file is written beside and renamed over.
A file edited by hand is taken up within a second; a broken one is a problem while the last good
orders stay in force.
"""

import os
import re
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from fedns import beat
from fedns.errors import FednsError, Problem
from fedns.model.facts import Order
from fedns.sources import tree
from fedns.sources.change import OrdersChange, ProblemsChange, Publish

LOOK_S = 1.0
"""Seconds between looks for edits by hand: a stat; the commands publish at once."""
REASON_LIMIT = 200
_LABEL = r"[A-Za-z0-9_](?:[-A-Za-z0-9_.]{0,62})"
_TARGET = re.compile(rf"(?:(?:region|zone):{_LABEL}|{_LABEL}(?:/{_LABEL}/{_LABEL})?)\Z")


class BadOrder(FednsError):
    """An order that cannot be given; the text tells the operator why."""


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    orders: tuple[Order, ...] = ()


class Operator:
    """The orders of one installation, in `path` (`state/orders.json`)."""

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._orders: tuple[Order, ...] = ()
        self._published: tuple[Order, ...] | None = None
        self._problems: tuple[Problem, ...] | None = None
        self._stamp: tree.Stamp | None = (0, 0, 0)
        self._publish: Publish | None = None

    @property
    def orders(self) -> tuple[Order, ...]:
        """The orders in force, sorted."""
        now = self._clock()
        return tuple(sorted(order for order in self._orders if order.until is None or order.until > now))

    async def run(self, publish: Publish) -> None:
        """Publish at once, at every order, edit and expiry."""
        self._publish = publish
        while True:
            self.look(publish)
            await beat.sleep(self._patience())

    def look(self, publish: Publish) -> None:
        """Read the file if it changed; publish what differs."""
        problems = self._problems or ()
        stamp = tree.stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            problems = self._read()
        self._tell(publish, problems)

    def add(self, order: Order) -> None:
        """Give an order (it replaces one for the same target). BadOrder; OSError if it cannot be kept."""
        _check(order, self._clock())
        self.look(self._publish or _nowhere)
        self._keep((*(one for one in self.orders if one.target != order.target), order))

    def remove(self, target: str) -> bool:
        """Take an order back; False if there was none."""
        self.look(self._publish or _nowhere)
        rest = tuple(one for one in self.orders if one.target != target)
        if rest == self.orders:
            return False
        self._keep(rest)
        return True

    def _patience(self) -> float:
        ends = [order.until - self._clock() for order in self.orders if order.until is not None]
        return max(min([LOOK_S, *ends]), 0.0)

    def _keep(self, orders: tuple[Order, ...]) -> None:
        _write(self._path, msgspec.json.format(msgspec.json.encode(_File(tuple(sorted(orders))))))
        self._orders, self._stamp = orders, tree.stamp(self._path)
        if self._publish:
            self._tell(self._publish, ())

    def _read(self) -> tuple[Problem, ...]:
        try:
            with open(self._path, "rb") as file:
                found = msgspec.json.decode(file.read(), type=_File)
            for order in found.orders:
                _check(order, None)
        except FileNotFoundError:
            self._orders = ()
        except (msgspec.MsgspecError, RecursionError, BadOrder) as error:
            return (Problem(f"{self._path}:1", str(error), "the last good orders stay in force"),)
        except OSError as error:
            return (Problem(self._path, f"cannot be read: {error.strerror}"),)
        else:
            self._orders = found.orders
        return ()

    def _tell(self, publish: Publish, problems: tuple[Problem, ...]) -> None:
        if self._published != self.orders:
            self._published = self.orders
            publish(OrdersChange(self.orders))
        if self._problems != problems:
            self._problems = problems
            publish(ProblemsChange("orders", problems))


def _nowhere(change: object) -> None:
    """Where news goes while nobody listens."""


def _check(order: Order, now: float | None) -> None:
    if not _TARGET.match(order.target):
        hint = "name a MEMBER, MEMBER/NAMESPACE/NAME, region:REGION or zone:ZONE"
        raise BadOrder(f"{order.target!r} is no target: {hint}")
    if now is not None and order.until is not None and order.until <= now:
        raise BadOrder("the order would have expired already")
    if len(order.reason) > REASON_LIMIT or not order.reason.isprintable():
        raise BadOrder(f"a reason is one line of at most {REASON_LIMIT} characters")


def _write(path: str, data: bytes) -> None:
    """Replace the file as a whole, on disk when this returns."""
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    beside = f"{path}.new"
    with open(beside, "wb") as file:
        file.write(data + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
