"""The slow path: every question that the hot path hands over."""

from typing import Protocol


class View(Protocol):
    def get(self, key: bytes, /) -> bytes | None: ...


def resolve(view: View, packet: bytes, limit: int) -> bytes | None:
    """SERVFAIL to everything."""
    if len(packet) < 12 or packet[2] & 0x80:
        return None
    return packet[:2] + bytes((0x80 | packet[2] & 0x79, 2)) + bytes(8)
