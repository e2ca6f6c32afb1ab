"""The target that is sent where an annotation rewrites it.

Law: as nginx's `rewrite ... break`: the whole path becomes the text with the groups of the location's
pattern, the query stays. What would climb out by a dot segment is rejected: a group that ends inside a
segment must not become one.
"""

import re
from functools import lru_cache

from fedns.gateway import normal
from fedns.gateway.head import Head

_GROUP = re.compile(rb"\$([1-9])")


def target(text: bytes, head: Head) -> bytes:
    """Path and query to send. normal.Rejected when they lead outside."""
    path, mark, extra = _filled(text, head)
    if path[:1] != b"/":
        path = b"/" + path
    if b"." in path and normal.climbs(path):
        raise normal.Rejected(400, "the rewritten path has dot segments")
    query = head.query
    if query is None:
        return path + mark + extra if extra else path
    if mark:
        query = extra + b"&" + query if extra else b""
        return path + b"?" + query if query else path
    return path + b"?" + query


def _filled(text: bytes, head: Head) -> tuple[bytes, bytes, bytes]:
    """The text with the groups that the location's pattern found, parted where its query begins."""
    texts, groups = _parsed(text)
    if not groups or head.found is None:
        return text.partition(b"?")
    found = head.found.groups()
    parts = [texts[0]]
    for each, group in zip(texts[1:], groups, strict=True):
        parts.append((found[group] or b"") + each if group < len(found) else each)
    return b"".join(parts).partition(b"?")


@lru_cache(maxsize=4096)
def _parsed(text: bytes) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """Texts, and between each two of them the index of a group."""
    parts = _GROUP.split(text)
    return tuple(parts[::2]), tuple(int(number) - 1 for number in parts[1::2])
