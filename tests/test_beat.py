"""Waits that end together."""

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from fedns import beat

SECONDS = st.floats(0.0, 700.0)


@given(seconds=SECONDS, now=st.floats(0.0, 1e7))
def test_a_long_wait_ends_with_a_beat_and_a_short_one_when_it_is_over(seconds: float, now: float) -> None:
    found = beat.pause(seconds, now)
    if seconds < beat.BEAT:
        assert found == seconds
        return
    assert abs(found - seconds) <= beat.BEAT / 2 + 1e-6
    end = (now + found) / beat.BEAT
    assert abs(end - round(end)) < 1e-6


def test_nobody_wakes_before_the_beat() -> None:
    found: list[tuple[float, float]] = []

    async def waits(late: float, patience: float) -> None:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(late)
        begun = clock()
        if patience > beat.BEAT:
            with contextlib.suppress(TimeoutError):
                async with beat.timeout(patience):
                    await asyncio.Event().wait()
        else:
            await beat.sleep(patience)
        found.append((round((begun + patience) / beat.BEAT) * beat.BEAT, clock()))

    async def all_of_them() -> None:
        late = beat.pause(1.0, asyncio.get_running_loop().time()) + 0.55
        await asyncio.gather(*(waits(late + at / 10, 1.0 + at % 2 / 20) for at in range(4)))

    asyncio.run(all_of_them())
    assert all(end >= wanted - 0.01 for wanted, end in found), found


def test_news_ends_a_wait_at_once_and_the_beat_ends_it_without() -> None:
    async def run() -> None:
        news, loop = beat.News(), asyncio.get_running_loop()
        assert not await news.wait(0.02) and not news.is_set()
        loop.call_later(0.05, news.set)
        begun = loop.time()
        assert await news.wait(60.0) and loop.time() - begun < 30.0
        assert await news.wait(60.0) and news.times == 1, "until it is cleared"
        news.clear()
        end = loop.time() + beat.pause(beat.BEAT, loop.time())
        assert not await news.wait(beat.BEAT) and loop.time() >= end - 0.01
        waiting = asyncio.ensure_future(news.wait(60.0))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        news.set()
        assert await news.wait(60.0) and news.times == 2

    asyncio.run(run())
