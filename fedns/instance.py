"""One instance's configuration: the file, what the command line says over it, and what it last was.

Law: a file that cannot be used costs nothing that ran: what it said when it was last good is kept in the
state directory, as the file's own text.
"""

import os
from typing import NamedTuple

from msgspec import structs

from fedns import config
from fedns.errors import Problem

KEPT = "fedns.yaml.good"
"""In the state directory: the file as it could last be used, for a start while it cannot."""


class Told(NamedTuple):
    """What the command line says: the file, the state directory in use and the member that this instance is
    in, whatever the file says of those (empty: what it says)."""

    path: str
    state: str = ""
    member: str = ""


def found(told: Told) -> config.Loaded:
    """The file as this instance takes it. Workers read in the state directory, so it moves only with all of
    them."""
    loaded = stationed(config.load(told.path), told.member)
    settings = loaded.config
    if settings is None or not told.state or settings.state == told.state:
        return loaded
    moved = f"`state` is {settings.state} now, and {told.state} in use"
    problems = (*loaded.problems, Problem(told.path, moved, "restart `fedns serve`"))
    return config.Loaded(structs.replace(settings, state=told.state), problems)


def begun(told: Told) -> config.Loaded:
    """The configuration to begin with: while the file is bad, what it said when it was last good."""
    loaded = found(told)
    if loaded.config is not None or not told.state:
        return loaded
    before = stationed(config.Loaded(kept(told.path, told.state), loaded.problems), told.member)
    return before._replace(problems=loaded.problems)


def stationed(loaded: config.Loaded, member: str) -> config.Loaded:
    """As an instance in this member has it, whatever the file says (empty: as the file says)."""
    settings = loaded.config
    if settings is None or not member:
        return loaded
    wrong = config.unknown(settings, member)
    if wrong:
        return config.Loaded(None, (*loaded.problems, Problem("--member", wrong, config.called(settings))))
    return config.Loaded(config.settled(structs.replace(settings, member=member)), loaded.problems)


def keep(path: str, state: str) -> None:
    """Keeps a copy of the file in the state directory, if it can be used. OSError when that cannot be."""
    with open(path, "rb") as file:
        data = file.read()
    copy = os.path.join(state, KEPT)
    if config.parse(data, path).config is None or _content(copy) == data:
        return
    with open(copy + ".new", "wb") as file:
        os.fchmod(file.fileno(), os.stat(path).st_mode & 0o777)  # it may hold secrets
        file.write(data)
        os.fsync(file.fileno())
    os.replace(copy + ".new", copy)


def kept(path: str, state: str) -> config.Config | None:
    """What `path` said when it could last be used; None where nothing was kept."""
    data = _content(os.path.join(state, KEPT))
    return None if data is None else config.parse(data, path).config


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
