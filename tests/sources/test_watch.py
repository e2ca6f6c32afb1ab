"""One watcher for many ears."""

import asyncio
import os
import time
from pathlib import Path

from fedns.sources import watch


def test_an_ear_hears_of_its_own_path_only_and_soon(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()

    async def main() -> list[float]:
        watcher = watch.Watcher()
        a, b = watcher.listen(str(tmp_path / "a")), watcher.listen(str(tmp_path / "b"))
        task = asyncio.create_task(watcher.run())
        assert await a.news() is None and await b.news() is None  # at first everything is news
        assert await a.news(10.0) is None  # and once more when the watch has begun
        await b.news(10.0)
        delays = []
        for number in range(20):
            file = tmp_path / "a" / f"{number}.yaml"
            began = time.monotonic()
            file.write_text("1")
            hints = await a.news(10.0)
            delays.append(time.monotonic() - began)
            assert hints == {str(file)}
        assert not b.ready.is_set()
        task.cancel()
        return sorted(delays)

    assert asyncio.run(main())[10] < 0.1


def test_a_path_that_appears_or_is_replaced_is_news(tmp_path: Path) -> None:
    root = tmp_path / "late"

    async def main() -> None:
        watcher = watch.Watcher()
        ear = watcher.listen(str(root))
        task = asyncio.create_task(watcher.run())
        await ear.news()
        for change in (root.mkdir, lambda: os.rename(root, tmp_path / "old"), root.mkdir):
            while ear.ready.is_set():
                await ear.news()
            change()
            while await ear.news(10.0) is not None:
                continue
        task.cancel()

    asyncio.run(main())
