"""Statuses of one kind, where the watch tells what became of a write before its reply has come."""

import asyncio

import pytest

from fedns.distribute import feud, shelf, statuses
from fedns.kube.resource import Resource
from tests.distribute import writing
from tests.fakes import kubecluster

MEMBERS = Resource("fedns.io", "v1alpha1", "memberclusters", "MemberCluster", False)
KEY, WHERE = ("MemberCluster", "", "a"), f"{MEMBERS.path('', 'a')}/status?fieldManager=them"
MERGE = "application/merge-patch+json"


def judged(name: str, live: statuses.Live) -> statuses.Verdict | None:
    return None if live.fields.get("services") == 1 else statuses.Verdict((), {"services": 1}, plain=True)


@pytest.mark.parametrize("late", [True, False])
def test_a_reply_that_comes_after_the_news_takes_nothing_back(late: bool) -> None:
    """`late`: it comes after what somebody else made of it, too."""
    with kubecluster.running() as cluster:
        meta = {"apiVersion": "fedns.io/v1alpha1", "kind": "MemberCluster", "metadata": {"name": "a"}}
        cluster.put({**meta, "spec": {}})
        made = shelf.Shelf(shelf.Chapter(MEMBERS, lambda _: "", judged))

        async def set_back(hand: writing.Hand) -> None:
            _, there = cluster.request("PATCH", WHERE, {"status": {"services": 7}}, MERGE)
            await hand.heard(KEY, there)

        async def run() -> None:
            async with writing.opened(made, cluster) as hand:
                for _ in range(feud.ROUNDS):
                    assert not list(made.problems("fleet"))
                    reply = await hand.write(KEY)
                    await (set_back(hand) if late else hand.heard(KEY, reply))
                    made.wrote(KEY, reply)
                    await (asyncio.sleep(0) if late else set_back(hand))
                    assert made.difference(KEY) is not None, "what they set is known"
                (told,) = made.problems("fleet")
                assert "them sets its status back again and again" in str(told)

        asyncio.run(run())
