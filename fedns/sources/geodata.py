"""The geographic database, taken in: a copy in the state directory that workers can map without fear.

Law: operators write over such files in place, and a mapped file that shrinks kills who reads it; so the file
is copied, and only a copy that was read as a database is told of. The last good copy is kept, across restarts
too, while the file is bad or gone.
"""

import asyncio
import glob
import os
from hashlib import blake2b
from ipaddress import IPv4Address

import maxminddb

from fedns import beat
from fedns.errors import Problem
from fedns.sources import change, tree

LOOK_S = 1.0
"""Seconds between looks at the file's stamp."""
_KEPT = "geo-{}.mmdb"
_GAP = 16
"""Zero octets that follow the search tree."""
_SAMPLES = 256
"""Addresses that are looked up to see whether the file is whole."""


class Geodata:
    """The database at `path`; copies go to `folder`."""

    def __init__(self, path: str, folder: str) -> None:
        self._path, self._folder = path, os.path.abspath(folder)
        self._stamp: tree.Stamp | None = (0, 0, 0)
        self._problems: tuple[Problem, ...] | None = None
        self._copies = sorted(glob.glob(os.path.join(self._folder, _KEPT.format("*"))), key=_age)

    async def run(self, publish: change.Publish) -> None:
        """Publishes at once, and whenever the file is another one."""
        while True:
            news = await asyncio.to_thread(self.look)
            for each in news:
                publish(each)
            await beat.sleep(LOOK_S)

    def look(self) -> tuple[change.Change, ...]:
        """What is new. A file that is being written is looked at again."""
        stamp = tree.stamp(self._path)
        if stamp == self._stamp and self._problems is not None:
            return ()
        copy, problems = self._take()
        if stamp == tree.stamp(self._path):
            self._stamp = stamp
        news: list[change.Change] = []
        if (copy and copy not in self._copies[-1:]) or self._problems is None:
            self._keep(copy)
            news.append(change.GeodataChange(self._copies[-1] if self._copies else ""))
        if problems != self._problems:
            self._problems = problems
            news.append(change.ProblemsChange("geo", problems))
        return tuple(news)

    def _take(self) -> tuple[str, tuple[Problem, ...]]:
        """A good copy of the file as it is now, or the reason why there is none."""
        fresh = os.path.join(self._folder, "geo.new")
        hint = "the last good one stays in use" if self._copies else "clients are at the default place"
        try:
            with open(self._path, "rb") as file:
                data = file.read()
            with open(fresh, "wb") as file:
                file.write(data)
            check(fresh)
            copy = os.path.join(self._folder, _KEPT.format(blake2b(data, digest_size=8).hexdigest()))
            os.replace(fresh, copy)
        except OSError as error:
            return "", (Problem(self._path, f"cannot be taken in: {error.strerror}", hint),)
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            return "", (Problem(self._path, f"is no MaxMind database: {error}", hint),)
        return copy, ()

    def _keep(self, copy: str) -> None:
        """The newest copy and the one before stay: a worker may be about to open that one."""
        self._copies = [each for each in self._copies if each != copy] + ([copy] if copy else [])
        for old in self._copies[:-2]:
            _remove(old)
        del self._copies[:-2]


def check(path: str) -> None:
    """Whether the file is a database that can be read. OSError, ValueError, InvalidDatabaseError."""
    with maxminddb.open_database(path) as reader, open(path, "rb") as file:
        told = reader.metadata()
        file.seek(told.node_count * told.record_size // 4)
        if file.read(_GAP) != bytes(_GAP):
            raise ValueError("its search tree is not as long as it says")
        for number in range(_SAMPLES):
            reader.get(IPv4Address(number << 24))


def problems(path: str) -> tuple[Problem, ...]:
    """What is wrong with a file that is there."""
    try:
        check(path)
    except OSError:
        return ()  # a path that cannot be reached is the configuration's problem already
    except (maxminddb.InvalidDatabaseError, ValueError) as error:
        return (Problem(path, f"is no MaxMind database: {error}", "get the .mmdb file anew"),)
    return ()


def _age(path: str) -> float:
    stamp = tree.stamp(path)
    return stamp[0] if stamp else 0.0


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        return
