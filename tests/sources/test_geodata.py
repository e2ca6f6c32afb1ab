"""The geographic database is copied, proven and kept."""

import asyncio
import os
from pathlib import Path

import pytest

from fedns.sources import change, geodata
from tests.fakes import mmdb

BERLIN = mmdb.database({"192.0.2.0/24": mmdb.city("DE", "EU")})
PARIS = mmdb.database({"192.0.2.0/24": mmdb.city("FR", "EU")})


class Home:
    """A file that an operator writes, and the state directory."""

    def __init__(self, root: Path) -> None:
        self.file, self.state = root / "geo.mmdb", root / "state"
        self.state.mkdir()
        self.source = self.again()

    def again(self) -> geodata.Geodata:
        self.source = geodata.Geodata(str(self.file), str(self.state))
        return self.source

    def look(self) -> tuple[str | None, list[str] | None]:
        """The path told, and the problems told (None: nothing new)."""
        news = self.source.look()
        paths = [each.path for each in news if isinstance(each, change.GeodataChange)]
        found = [each.problems for each in news if isinstance(each, change.ProblemsChange)]
        return (paths or [None])[0], [each.what for each in found[0]] if found else None

    def write(self, data: bytes) -> None:
        """As `cp` does, in place; the stamp differs although all this is one moment."""
        before = self.file.stat().st_mtime_ns if self.file.exists() else 0
        self.file.write_bytes(data)
        os.utime(self.file, ns=(before + 10**9, before + 10**9))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_good_file_is_told_of_once(home: Home) -> None:
    home.write(BERLIN)
    path, problems = home.look()
    assert path and Path(path).read_bytes() == BERLIN and Path(path).parent == home.state
    assert problems == []
    assert home.look() == (None, None)
    home.write(BERLIN)
    assert home.look() == (None, None)
    home.write(PARIS)
    path, _ = home.look()
    assert path and Path(path).read_bytes() == PARIS


@pytest.mark.parametrize("bad", [b"", b"nonsense", BERLIN[:-40], BERLIN[40:]])
def test_a_bad_file_is_a_problem_and_the_last_good_one_stays(home: Home, bad: bytes) -> None:
    home.write(BERLIN)
    good, _ = home.look()
    home.write(bad)
    path, problems = home.look()
    assert path is None and problems and "is no MaxMind database" in problems[0]
    home.again()
    assert home.look() == (good, problems)
    home.file.unlink()
    path, problems = home.look()
    assert path is None and problems and "cannot be taken in" in problems[0]
    home.write(PARIS)
    path, problems = home.look()
    assert path and Path(path).read_bytes() == PARIS and problems == []


def test_without_a_good_file_there_is_none(home: Home) -> None:
    assert home.look()[0] == ""
    assert home.look() == (None, None)


def test_old_copies_go(home: Home) -> None:
    told = []
    for number in range(5):
        home.write(mmdb.database({"192.0.2.0/24": {"country": f"{number:02}"}}))
        told.append(home.look()[0])
    assert {str(path) for path in home.state.iterdir()} == set(told[-2:])


def test_it_goes_on_looking(home: Home) -> None:
    home.write(BERLIN)
    heard: list[change.Change] = []

    async def run() -> None:
        told = asyncio.Event()

        def hear(news: change.Change) -> None:
            heard.append(news)
            told.set()

        task = asyncio.ensure_future(home.source.run(hear))
        async with asyncio.timeout(20):
            await told.wait()
            told.clear()
            home.write(PARIS)
            await told.wait()
        task.cancel()

    asyncio.run(run())
    kinds = [change.GeodataChange, change.ProblemsChange, change.GeodataChange]
    assert [type(each) for each in heard] == kinds


def test_check_tells_what_is_wrong_with_a_file(home: Home) -> None:
    home.write(BERLIN)
    assert geodata.problems(str(home.file)) == ()
    home.write(b"nonsense")
    assert [each.where for each in geodata.problems(str(home.file))] == [str(home.file)]
    assert geodata.problems(str(home.state / "none")) == ()
