"""A passage through a gate."""

import asyncio

from fedns.kube import gate


def test_who_left_twice_let_nobody_else_in() -> None:
    async def main() -> None:
        shared = asyncio.Semaphore(1)
        first, second = gate.Passage(shared), gate.Passage(shared)
        assert not first.leave()
        await first.enter()
        waiting = asyncio.ensure_future(second.enter())
        await asyncio.sleep(0)
        assert not waiting.done() and not second.leave()
        assert first.leave() and not first.leave()
        await waiting
        assert shared.locked() and second.leave() and not shared.locked()

    asyncio.run(main())
