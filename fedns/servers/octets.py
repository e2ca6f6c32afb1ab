"""What the compiled core does with memory in an instruction or two: copy, compare, fold case, digest.

Law: this is their meaning, and how the core runs uncompiled; `octets.pxd` is the same in C. Whoever calls
has seen to it that all places lie inside: only this form of them would complain.
"""

import ctypes
import time

Memory = memoryview | bytearray
_MASK = (1 << 64) - 1
_ODD = 0x9E3779B97F4A7C15  # 2**64 / golden ratio
_libc = ctypes.PyDLL(None)


def copy(to: Memory, at: int, source: Memory, start: int, size: int) -> None:
    to[at : at + size] = source[start : start + size]


def put(to: Memory, at: int, data: bytes, start: int, size: int) -> None:
    to[at : at + size] = data[start : start + size]


def take(source: Memory, start: int, size: int) -> bytes:
    return bytes(source[start : start + size])


def same(one: Memory, at: int, other: Memory, start: int, size: int) -> bool:
    return one[at : at + size] == other[start : start + size]


def lower(to: Memory, at: int, source: Memory, start: int, size: int) -> None:
    """Copies in lower case (ASCII); the lengths of labels stay, since they are below any letter."""
    to[at : at + size] = bytes(source[start : start + size]).lower()


def digest(source: Memory, size: int, seed: int) -> int:
    """64 bits of the first octets. Of one text, two seeds never have the same."""
    value = seed
    for at in range(0, size, 8):
        value = (value ^ int.from_bytes(source[at : min(at + 8, size)], "little")) * _ODD & _MASK
        value ^= value >> 29
    value = (value ^ size) * _ODD & _MASK
    return value ^ value >> 32


def number(data: bytes, at: int, size: int) -> int:
    """An unsigned little-endian integer."""
    return int.from_bytes(data[at : at + size], "little")


def word(source: Memory, at: int, size: int) -> int:
    return int.from_bytes(source[at : at + size], "little")


def fetch(source: Memory, at: int) -> None:
    """Has the cache line there on its way from memory."""


def fetch_word(words: Memory, at: int) -> None:
    """The same of words."""


def clock() -> int:
    """Nanoseconds, as `time.perf_counter_ns` has them."""
    return time.perf_counter_ns()


def receive(fd: int, headers: int, count: int) -> int:
    """recvmmsg without waiting; the headers lie at this address."""
    return int(_libc.recvmmsg(fd, ctypes.c_void_p(headers), count, 0x40, None))


def send(fd: int, headers: int, count: int) -> int:
    return int(_libc.sendmmsg(fd, ctypes.c_void_p(headers), count, 0x40))
