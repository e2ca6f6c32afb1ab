"""A certificate that clients will not take is a problem before they refuse it."""

import asyncio
import time
from pathlib import Path

import pytest

from fedns.control import certificates as shown
from fedns.sources import change
from tests.servers import certificates


@pytest.mark.parametrize(("days", "said"), [(90, ""), (13, "expires"), (-1, "has expired")])
def test_its_end_is_told_in_time(tmp_path: Path, days: float, said: str) -> None:
    files = certificates.write(tmp_path, days)
    found = shown.problems(*files, time.time())
    assert [problem.where for problem in found] == [files[0]] * bool(said)
    assert all(said in problem.what for problem in found)


def test_what_cannot_be_used_is_told_with_its_reason(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = certificates.write(tmp_path / "other")
    (problem,) = shown.problems(chain, other, time.time())
    assert problem.where == chain and "mismatch" in problem.what.lower()
    (problem,) = shown.problems(chain, str(tmp_path / "none.pem"), time.time())
    assert "No such file" in problem.what
    certificates.put(tmp_path / "chain.pem", b"nonsense")
    (problem,) = shown.problems(chain, key, time.time())
    assert "cannot be used" in problem.what


def test_changes_are_told_once(tmp_path: Path) -> None:
    files = certificates.write(tmp_path, days=1)
    heard: list[change.Change] = []

    async def look() -> None:
        task = asyncio.ensure_future(shown.watch(*files, heard.append))
        deadline = time.monotonic() + 20
        certificate = iter((90,))
        while len(heard) < 2 and time.monotonic() < deadline:
            if len(heard) == 1 and (days := next(certificate, None)):
                certificates.write(tmp_path, days)
            await asyncio.wait([task], timeout=0.01)
        task.cancel()

    asyncio.run(look())
    assert [len(each.problems) for each in heard if isinstance(each, change.ProblemsChange)] == [1, 0]
