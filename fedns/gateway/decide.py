"""The decision about one request: which location takes it, and which pool serves it.

Law: host before path, and no way back: what the rules of a host do not take goes to its default backend.
One function for the data path and for `explain`, which passes a list to be told each step.
"""

from msgspec import Struct

from fedns.gateway import route
from fedns.gateway.head import Head
from fedns.gateway.route import Host, Location, Options, Table

Steps = list[str]


class Decision(Struct, gc=False):
    """`status` 0: to be sent to `pool`; else it is answered here with it. `options` are the location's."""

    status: int
    location: Location | None = None
    options: Options | None = None
    pool: bytes = b""


def decide(table: Table, head: Head, steps: Steps | None = None) -> Decision:
    """Where this request goes. `steps`: to be told why."""
    location = find(table, head, steps)
    if location is None:
        if steps is not None:
            steps.append("no rule and no default backend takes it: 404")
        return Decision(404)
    return Decision(0, location, table.options[location.options], location.pool)


def find(table: Table, head: Head, steps: Steps | None = None) -> Location | None:
    """The location that takes the request, or the default backend."""
    name = head.host
    host = table.hosts.get(name)
    if host is None:
        host = table.wild.get(name[name.find(b".") :]) if table.wild and b"." in name else None
        if host is None:
            host = table.anyone
        if steps is not None:
            steps.append(_told_host(table, name, host))
    elif steps is not None:
        steps.append(f"host {_text(name)} has rules")
    if host is None:
        return _fallback(table.default, "the default backend of all hosts", steps)
    found = locate(host, head.path, steps)
    if found is not None:
        return found
    if host.default is not None:
        return _fallback(host.default, "the default backend of the host", steps)
    return _fallback(table.default, "the default backend of all hosts", steps)


def locate(host: Host, path: bytes, steps: Steps | None = None) -> Location | None:
    """The host's location for a canonical path."""
    if host.regexes:
        found, how = _search(host, path), "the first matching pattern"
    else:
        found, how = host.exact.get(path), "the exact path"
        if found is None:
            found, how = _longest(host, path), "the longest prefix"
    if steps is not None:
        if found is None:
            steps.append(f"no path of the host takes {_text(path)}")
        else:
            steps.append(f"{how} for {_text(path)}: {_text(found.path)} of {_text(found.rule)}")
    return found


def _longest(host: Host, path: bytes) -> Location | None:
    """By whole elements, or by any beginning where that is longer (a prefix counts with its slash)."""
    found, length = None, 0
    key, prefix = path, host.prefix
    if path[:1] != b"/":
        return None
    if len(path) > host.longest:
        key = path[: host.longest + 1]
        key = key[: key.rfind(b"/")]
    while True:
        found = prefix.get(key)
        if found is not None or not key:
            break
        key = key[: key.rfind(b"/")]
    if found is not None:
        length = len(key) + 1
    for size in host.lengths:
        if size <= length:
            break
        longer = host.starts.get(path[:size])
        if longer is not None:
            return longer
    return found


def _search(host: Host, path: bytes) -> Location | None:
    lower = path.lower()
    for each in host.regexes:
        if lower.startswith(each.literal) and route.pattern(each.location.pattern).search(path) is not None:
            return each.location
    return None


def _fallback(location: Location | None, what: str, steps: Steps | None) -> Location | None:
    if steps is not None and location is not None:
        steps.append(f"{what} takes it: {_text(location.rule)}")
    return location


def _told_host(table: Table, name: bytes, host: Host | None) -> str:
    if host is None:
        return f"no rule is for host {_text(name)}"
    if host is table.anyone:
        return f"no rule names host {_text(name)}: the rules for any host"
    return f"host {_text(name)} is covered by *{_text(name[name.find(b'.') :])}"


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")
