"""Cross-origin requests: which origins are allowed, and what is said to them.

Law: an origin is compared as a whole, in lower case; a star stands for one label. Without a match nothing is
said, and a preflight goes to the backend like any other request.
"""

from fedns.gateway.head import Head
from fedns.gateway.options import Cors, Field

_LABEL = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-")


def allowed(asked: Cors, head: Head) -> bytes | None:
    """The Access-Control-Allow-Origin of the answer; None: none."""
    if asked.anyone:
        return b"*"
    origin = head.get(b"origin")
    if origin is None:
        return None
    lower = origin.lower()
    if lower in asked.origins:
        return origin
    for before, after in asked.wild:
        label = lower[len(before) : len(lower) - len(after)]
        if label and lower.startswith(before) and lower.endswith(after) and _LABEL.issuperset(label):
            return origin
    return None


def fields(asked: Cors, head: Head) -> tuple[Field, ...]:
    """Fields to set on any answer to this request, instead of the backend's own."""
    origin = allowed(asked, head)
    return ((b"Access-Control-Allow-Origin", origin), *asked.fields) if origin is not None else ()


def preflight(asked: Cors, head: Head) -> tuple[Field, ...]:
    """Fields of the answer (204) to an OPTIONS request; none: the backend answers it."""
    said = fields(asked, head)
    return (*said, (b"Content-Type", b"text/plain charset=UTF-8")) if said else ()
