"""A line for each request, as JSON or as Apache's combined format.

Law: what clients sent is escaped, so that one request is one line; lines are written some at a time and never
waited for: when they cannot be written they are lost, and counted. The file is opened anew when it was moved.
"""

import json
import os
import sys
from collections.abc import Callable
from time import localtime, strftime, time
from typing import NamedTuple

FULL = 256 << 10  # octets that are kept until the next flush; what is beyond is lost
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Entry(NamedTuple):
    """One request, and what became of it."""

    client: str
    method: bytes
    host: bytes
    target: bytes
    version: str
    status: int
    received: int
    sent: int
    seconds: float
    referer: bytes
    agent: bytes
    request_id: bytes
    rule: bytes
    member: str
    endpoint: str
    tries: int


def as_json(entry: Entry) -> str:
    now = time()
    fields = {"time": strftime("%Y-%m-%dT%H:%M:%S", localtime(now)) + strftime("%z", localtime(now))}
    fields |= {
        name: value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in entry._asdict().items()
    }
    fields["seconds"] = round(entry.seconds, 6)  # type: ignore[assignment]
    return json.dumps(fields, separators=(",", ":"))


def as_combined(entry: Entry) -> str:
    now = localtime()
    when = f"{now.tm_mday:02}/{_MONTHS[now.tm_mon - 1]}/{strftime('%Y:%H:%M:%S %z', now)}"
    line = f"{_quoted(entry.method)} {_quoted(entry.target)} HTTP/{entry.version}"
    agent, referer = _quoted(entry.agent) or "-", _quoted(entry.referer) or "-"
    return f'{entry.client} - - [{when}] "{line}" {entry.status} {entry.sent} "{referer}" "{agent}"'


def _quoted(raw: bytes) -> str:
    text = raw.decode("latin-1")
    if text.isprintable() and text.isascii() and '"' not in text and "\\" not in text:
        return text
    return "".join(
        each if 32 <= ord(each) < 127 and each not in '"\\' else f"\\x{ord(each):02x}" for each in text
    )


FORMATS: dict[str, Callable[[Entry], str]] = {"json": as_json, "combined": as_combined}


class Log:
    """Where lines go. `path` empty: standard output."""

    def __init__(self, kind: str, path: str) -> None:
        self.kind, self.path = kind, path
        self._format = FORMATS[kind]
        self._lines: list[str] = []
        self._octets = 0
        self._fd = -1
        self.lost = 0

    def note(self, entry: Entry) -> None:
        if self._octets > FULL:
            self.lost += 1
            return
        line = self._format(entry)
        self._lines.append(line)
        self._octets += len(line) + 1

    def flush(self) -> None:
        """Writes what there is."""
        if not self._lines:
            return
        data = ("\n".join(self._lines) + "\n").encode()
        count, self._lines, self._octets = len(self._lines), [], 0
        try:
            self._written(data)
        except OSError:
            self.lost += count

    def _written(self, data: bytes) -> None:
        if not self.path:
            os.write(sys.stdout.fileno(), data)
            return
        if self._fd >= 0 and not self._here():
            os.close(self._fd)
            self._fd = -1
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        os.write(self._fd, data)

    def _here(self) -> bool:
        """Whether the file is still the one at its path (logs are rotated)."""
        try:
            named, ours = os.stat(self.path), os.fstat(self._fd)
        except OSError:
            return False
        return (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)

    def close(self) -> None:
        self.flush()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
