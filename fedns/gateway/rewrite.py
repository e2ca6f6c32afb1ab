"""The target that is sent where an annotation rewrites it.

Law: as nginx's `rewrite ... break`: the whole path becomes the text with the groups of the location's
pattern, the query stays. What would climb out by a dot segment is rejected: a group that ends inside a
segment must not become one.
"""

import re

from fedns.gateway import normal, route
from fedns.gateway.head import Head
from fedns.gateway.route import Location

_GROUP = re.compile(rb"\$([1-9])")


def target(location: Location, text: bytes, head: Head) -> bytes:
    """Path and query to send. normal.Rejected when they lead outside."""
    path, mark, extra = _filled(location, text, head).partition(b"?")
    if path[:1] != b"/":
        path = b"/" + path
    if b"/." in path and not {b".", b".."}.isdisjoint(path.split(b"/")):
        raise normal.Rejected(400, "the rewritten path has dot segments")
    query = extra
    if head.query is not None and not (mark and not extra):
        query = extra + b"&" + head.query if extra else head.query
    return path + b"?" + query if query or (head.query is not None and not mark) else path


def _filled(location: Location, text: bytes, head: Head) -> bytes:
    if b"$" not in text or not location.pattern:
        return text
    found = route.pattern(location.pattern).search(head.path)
    if found is None:
        return text
    groups = found.groups()
    return _GROUP.sub(
        lambda group: (groups[int(group[1]) - 1] or b"") if int(group[1]) <= len(groups) else b"", text
    )
