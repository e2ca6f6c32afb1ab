"""The secrets of DNS cookies: kept in the state directory, and rolled over every day (RFC 9018 section 5).

Law: what is next is accepted a whole period before it makes cookies, and what was is accepted a period
longer, so that no worker ever meets a good cookie that it does not know. Secrets never change where the
configuration gives them, as replicas that share no directory need.
"""

import json
import logging
import os
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from fedns import logs
from fedns.dns import cookie

PERIOD = 86400.0  # seconds; RFC 7873 section 7.1: at most 36 days, and a day or less is better
RETRY = 60.0  # seconds until a file that could not be written is tried again

_log = logging.getLogger("fedns.secrets")


class Kept(NamedTuple):
    """`made`: when the last change was, Unix seconds. `texts`: the secret in use, the next, the last."""

    made: float
    texts: tuple[str, ...]


class Secrets:
    """The secrets of one installation. `given`: hexadecimal texts of the configuration, the first in use."""

    def __init__(self, path: str, given: Sequence[str] = ()) -> None:
        self._path, self._given = path, tuple(given)
        self._kept: Kept | None = None
        self._saved = True

    def words(self, now: float) -> str:
        """As `client.Server.cookies` has them, rolled over when it is time."""
        if self._given:
            return " ".join(self._given)
        kept = self._kept or _read(self._path)
        after = rolled(kept, now)
        if after != kept or not self._saved:
            self._saved = _write(self._path, after)
        self._kept = after
        return " ".join(after.texts)

    def wait(self, now: float) -> float | None:
        """Seconds until `words` may differ; None: never."""
        if self._given or self._kept is None:
            return None
        return max(RETRY, self._kept.made + PERIOD - now) if self._saved else RETRY


def rolled(kept: Kept | None, now: float) -> Kept:
    """The same, or after a period the next in use; a clock that was set back rolls over too."""
    if kept is None:
        return Kept(now, (_fresh(), _fresh()))
    if 0 <= now - kept.made < PERIOD:
        return kept
    return Kept(now, (kept.texts[1], _fresh(), kept.texts[0]))


def _fresh() -> str:
    return secrets.token_hex(cookie.SECRET)


def _read(path: str) -> Kept | None:
    """What was kept; None where there is nothing of use."""
    try:
        with open(path, "rb") as file:
            told = json.load(file)
        kept = Kept(float(told["made"]), tuple(map(str, told["texts"])))
        sound = all(len(bytes.fromhex(text)) == cookie.SECRET for text in kept.texts)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return kept if sound and len(kept.texts) in (2, 3) else None


def _write(path: str, kept: Kept) -> bool:
    """Whole or not at all, and for nobody else to read."""
    fresh = path + ".new"
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fd, "w") as file:
            json.dump(kept._asdict(), file)
            file.flush()
            os.fsync(fd)
        os.replace(fresh, path)
    except OSError as error:
        _log.warning("cookie secrets are not kept", extra=logs.fields(path=path, error=error.strerror))
        return False
    return True
