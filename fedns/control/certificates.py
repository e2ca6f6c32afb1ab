"""What is wrong with the certificate that workers show, told before clients tell it.

Law: workers read the files themselves and keep the last good ones; here they are only looked at, by
the same function, and what is found is a problem of source `tls`.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from cryptography import x509

from fedns import beat
from fedns.errors import Problem
from fedns.servers import tls
from fedns.sources import change

SOURCE = "tls"
SOON = 14 * 86400.0
"""Seconds before its end at which a certificate is a problem: time for a person to renew it."""
LOOK = 1.0
"""Seconds between two looks for files that changed."""
AGAIN = 3600.0
"""Seconds until the same files are read again: their end comes nearer."""


def problems(chain: str, key: str, now: float) -> tuple[Problem, ...]:
    """What is wrong with these PEM files at `now`, Unix seconds."""
    try:
        tls.context(chain, key)
        with open(chain, "rb") as file:
            found = x509.load_pem_x509_certificates(file.read())
    except (OSError, ValueError) as error:
        hint = (
            "two PEM files, the chain with the server's own certificate first, and its key without a password"
        )
        return (Problem(chain, f"the certificate cannot be used with {key}: {_reason(error)}", hint),)
    end = min(each.not_valid_after_utc for each in found).timestamp()
    if end - now > SOON:
        return ()
    day = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%d %H:%M")
    word = "has expired" if end <= now else "expires"
    return (
        Problem(chain, f"the certificate {word} ({day} UTC)", "renew it; the new files are taken up at once"),
    )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return error.strerror
    return str(error)


async def watch(chain: str, key: str, publish: Callable[[change.Change], None]) -> None:
    """Until cancelled: tells what is wrong whenever that changes."""
    told: tuple[Problem, ...] = ()
    seen, due = None, 0.0
    while True:
        now = time.time()
        stamp = tls.stamp(chain, key)
        if stamp != seen or now >= due:
            seen, due = stamp, now + AGAIN
            found = problems(chain, key, now)
            if found != told:
                publish(change.ProblemsChange(SOURCE, found))
                told = found
        await beat.sleep(LOOK)
