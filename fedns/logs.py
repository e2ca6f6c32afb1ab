"""One line per event, one format for every process, so that any log can be read and cut alike:

    2026-11-21T02:46:23.123Z info control fedns.app: table published generation=7 names=1400

Law: log once, at the edge that handles; a hot path counts instead. A line stays one line: text that
came from outside is quoted, so that input cannot forge an entry.
"""

import json
import logging
import re
import sys
import time
from typing import Any

_PLAIN = re.compile(r"[^\s\"=\x00-\x1f\x7f]+")


def fields(**values: object) -> dict[str, Any]:
    """What a call passes as `extra=`: shown as `key=value` after the message, in this order."""
    return {"fields": values}


def quoted(value: object) -> str:
    """`value` as one word: plain, or a JSON string where it holds blanks or control characters."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


class Line(logging.Formatter):
    """The format above. `role` names the process: `control`, `supervisor`, `dns-0`."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        message = " ".join(record.getMessage().split())
        level = record.levelname.lower()
        line = f"{moment}.{int(record.msecs):03d}Z {level} {self.role} {record.name}: {message}"
        extra: dict[str, object] = getattr(record, "fields", {})
        line += "".join(f" {key}={quoted(value)}" for key, value in extra.items())
        if record.exc_info:
            line += f" trace={quoted(self.formatException(record.exc_info))}"
        return line


def setup(role: str, level: str = "info") -> None:
    """Sends every logger of this process to standard error in the one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line(role))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("aiohttp.access", "watchfiles.main"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
