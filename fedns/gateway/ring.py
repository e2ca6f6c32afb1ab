"""Consistent hashing: a key finds the same endpoint again, and few keys move when endpoints come and go.

Law: points of an endpoint depend on its tag alone; their number on its weight. Built once per pool, and only
where something is hashed.
"""

from bisect import bisect_right
from hashlib import blake2b
from struct import Struct as Packed

from msgspec import Struct

from fedns.gateway.route import Endpoint

POINTS = 64
"""Of an endpoint of mean weight: shares come out within some 10 %."""
_BLOCK = 8  # points in one digest
_PACKED = Packed(">8Q")


class Ring(Struct):
    """Points in order, and the endpoint of each."""

    points: list[int]
    owners: list[Endpoint]


def build(weighed: list[tuple[Endpoint, float]]) -> Ring:
    """Of endpoints and their weights."""
    mean = sum(weight for _, weight in weighed) / len(weighed)
    rows = []
    for endpoint, weight in weighed:
        for number in range(max(round(POINTS / _BLOCK * weight / mean), 1)):
            digest = blake2b(b"%s %d" % (endpoint.tag, number), digest_size=64).digest()
            rows += [(point, endpoint) for point in _PACKED.unpack(digest)]
    rows.sort(key=lambda row: row[0])
    return Ring([point for point, _ in rows], [endpoint for _, endpoint in rows])


def walk(ring: Ring, key: bytes, count: int) -> list[Endpoint]:
    """The first endpoints from the key's point on, at most `count`, each once."""
    start = bisect_right(ring.points, int.from_bytes(blake2b(key, digest_size=8).digest(), "big"))
    found: list[Endpoint] = []
    for at in range(start, start + len(ring.owners)):
        endpoint = ring.owners[at % len(ring.owners)]
        if endpoint not in found:
            found.append(endpoint)
            if len(found) == count:
                break
    return found
