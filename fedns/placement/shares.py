"""Whole replicas divided among members by weight: Webster's method, in exact integers.

Law: pure. The sum is what was to be divided; one replica more never takes one from anybody; weights count
only by their relation. Ties go to who has fewer, then by name, in an order that differs from object to
object, so that equal weights do not favour one member everywhere (Karmada since 1.16).
"""

import heapq
from collections.abc import Mapping

FNV_OFFSET, FNV_PRIME = 0x811C9DC5, 0x01000193


class _Claim:
    """A member's claim on the next replica: `weight / (2 * seats + 1)`, the largest first."""

    __slots__ = ("name", "place", "seats", "weight")

    def __init__(self, name: str, place: int, weight: int, seats: int) -> None:
        self.name, self.place, self.weight, self.seats = name, place, weight, seats

    def __lt__(self, other: "_Claim") -> bool:
        mine, its = self.weight * (2 * other.seats + 1), other.weight * (2 * self.seats + 1)
        if mine != its:
            return mine > its
        return (self.seats, self.place) < (other.seats, other.place)


def divided(
    total: int, weights: Mapping[str, int], uid: str = "", before: Mapping[str, int] | None = None
) -> dict[str, int]:
    """`total` replicas by member, on top of those of `before`. `uid` is the object's, for ties."""
    names = sorted(weights, reverse=odd(uid))
    seats = dict.fromkeys(names, 0) | dict(before or {})
    claims = [_Claim(name, at, weights[name], seats[name]) for at, name in enumerate(names)]
    heapq.heapify(claims)
    for _ in range(total if claims else 0):
        first = claims[0]
        first.seats += 1
        heapq.heapreplace(claims, first)
    return seats | {each.name: each.seats for each in claims}


def odd(uid: str) -> bool:
    """Whether the FNV-1a hash of an UID is odd: all that counts of it."""
    found = FNV_OFFSET
    for byte in uid.encode():
        found = ((found ^ byte) * FNV_PRIME) & 0xFFFFFFFF
    return bool(uid) and bool(found & 1)
