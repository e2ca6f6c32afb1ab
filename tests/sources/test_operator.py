"""Operator's orders: kept, synced, edited by hand, expired."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from fedns.model.facts import Order
from fedns.sources import operator
from fedns.sources.change import OrdersChange
from tests.sources.listening import Listener

NOW = 1000.0


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def test_orders_survive_and_replace_each_other_by_target(tmp_path: Path) -> None:
    path, clock = str(tmp_path / "state/orders.json"), Clock()
    first = operator.Operator(path, clock)
    first.add(Order("a", "down", NOW))
    first.add(Order("a", "drain", NOW, NOW + 60, "reboot"))
    first.add(Order("zone:z", "up", NOW))
    second = operator.Operator(path, clock)
    listener = Listener()
    second.look(listener)
    expected = (Order("a", "drain", NOW, NOW + 60, "reboot"), Order("zone:z", "up", NOW))
    assert listener.last(OrdersChange).orders == second.orders == expected
    assert second.remove("a") and not second.remove("a")
    assert operator.Operator(path, clock).orders == ()  # nothing is believed before it was read
    clock.now += 61
    assert second.orders == (Order("zone:z", "up", NOW),)
    assert [one.name for one in (tmp_path / "state").iterdir()] == ["orders.json"]


def test_an_expired_order_goes_without_being_asked(tmp_path: Path) -> None:
    async def main() -> None:
        listener = Listener()
        source = operator.Operator(str(tmp_path / "orders.json"))
        task = asyncio.create_task(source.run(listener))
        await listener.until(lambda: listener.all(OrdersChange))
        source.add(Order("m", "drain", time.time(), time.time() + 0.2))
        assert len(listener.last(OrdersChange).orders) == 1
        await listener.until(lambda: not listener.last(OrdersChange).orders)
        task.cancel()

    asyncio.run(main())


def test_a_file_edited_by_hand_is_taken_up_and_a_broken_one_is_a_problem(tmp_path: Path) -> None:
    path, listener = tmp_path / "orders.json", Listener()
    source = operator.Operator(str(path), Clock())
    source.look(listener)
    assert listener.last(OrdersChange).orders == ()
    path.write_text(json.dumps({"orders": [{"target": "m/ns/web", "word": "down", "issued": 1}]}))
    source.look(listener)
    assert [order.target for order in source.orders] == ["m/ns/web"]
    for broken in (
        "{",
        '{"orders": [{"target": "m", "word": "dwon", "issued": 1}]}',
        '{"orders": [{"target": "a/b", "word": "up", "issued": 1}]}',
    ):
        path.write_text(broken)
        source.look(listener)
        assert listener.problems()[0].startswith(f"{path}:1: ")
        assert [order.target for order in source.orders] == ["m/ns/web"]
    path.unlink()
    source.look(listener)
    assert (source.orders, listener.problems()) == ((), [])


@pytest.mark.parametrize(
    "order",
    [
        Order("", "up", NOW),
        Order("a/b", "up", NOW),
        Order("planet:x", "up", NOW),
        Order("m", "up", NOW, NOW),
        Order("m", "up", NOW, None, "two\nlines"),
    ],
)
def test_an_order_that_cannot_be_given(tmp_path: Path, order: Order) -> None:
    path = tmp_path / "orders.json"
    with pytest.raises(operator.BadOrder):
        operator.Operator(str(path), Clock()).add(order)
    assert not path.exists()
