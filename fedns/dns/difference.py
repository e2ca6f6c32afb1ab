"""What a change of nodes means for the zones: the records that went and those that came.

Law: pure and by record (RFC 1995 section 2): a record with another TTL went and came. A name's two values
are enough; nothing else is looked at.
"""

from collections.abc import Iterable
from typing import NamedTuple

from fedns.dns import content, node

Replaced = Iterable[tuple[bytes, bytes | None, bytes | None]]
"""Name, its node before (None: it was not there) and after (None: it is gone)."""
Records = list[tuple[bytes, node.RRset]]


class Difference(NamedTuple):
    """Of one zone: (owner, records of one type)."""

    removed: Records
    added: Records

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)


def of(replaced: Replaced, before: content.Zones, after: content.Zones) -> dict[bytes, Difference]:
    """Apex -> what differs there."""
    found: dict[bytes, Difference] = {}
    for owner, old, new in replaced:
        was = _records(owner, old, before)
        now = _records(owner, new, after)
        for place in was.keys() | now.keys() if was != now else ():
            apex, name, _ = place
            change = found.setdefault(apex, Difference([], []))
            _note(name, was.get(place), now.get(place), change)
    return found


Place = tuple[bytes, bytes, int]
"""Apex, owner and type of an RRset."""


def _records(owner: bytes, value: bytes | None, zones: content.Zones) -> dict[Place, node.RRset]:
    if value is None:
        return {}
    return {(apex, name, rrset.type): rrset for apex, name, rrset in content.of(owner, value, zones)}


def _note(owner: bytes, was: node.RRset | None, now: node.RRset | None, change: Difference) -> None:
    if was is not None and now is not None and was.ttl == now.ttl:
        old, new = set(was.rdatas), set(now.rdatas)
        gone = tuple(rdata for rdata in was.rdatas if rdata not in new)
        come = tuple(rdata for rdata in now.rdatas if rdata not in old)
        was, now = was._replace(rdatas=gone), now._replace(rdatas=come)
    if was is not None and was.rdatas:
        change.removed.append((owner, was))
    if now is not None and now.rdatas:
        change.added.append((owner, now))
