"""The questions of each scenario, as octets in the file that dnsperf repeats.

Law: the same seed gives the same questions. A file is in TCP-stream form (two octets of length before each
message, RFC 1035 section 4.2.2), so that every octet is ours: letter case, options, names that do not exist.
"""

import random
import string
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

MISSING = 0.1  # share of the ordinary mix that asks for names which do not exist
SIZE = 1232  # octets of the reply that the client takes
DO = 0x8000
COOKIE, SUBNET = 10, 8  # EDNS option codes
_LETTERS = string.ascii_lowercase + string.digits

Option = tuple[int, bytes]


class Crowd(NamedTuple):
    """What a kind of question is made from: chance, the names that exist, a full cookie per client."""

    chance: random.Random
    names: Sequence[str]
    cookies: Sequence[bytes] = ()


Kind = Callable[[Crowd], bytes]


def packet(name: str, options: Iterable[Option] = (), rtype: int = 1) -> bytes:
    """A query for addresses with EDNS and DO as resolvers send it, and these options."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    rdata = b"".join(struct.pack(">HH", code, len(data)) + data for code, data in options)
    head = struct.pack(">HHHHHH", 0, 0, 1, 0, 0, 1)
    opt = struct.pack(">BHHHHH", 0, 41, SIZE, 0, DO, len(rdata))
    return head + labels + struct.pack(">BHH", 0, rtype, 1) + opt + rdata


def stream(messages: Iterable[bytes]) -> bytes:
    return b"".join([len(each).to_bytes(2, "big") + each for each in messages])


def messages(data: bytes) -> Iterator[bytes]:
    """What `stream` made, taken apart."""
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        yield data[at + 2 : end]
        at = end


def mix(crowd: Crowd) -> bytes:
    """Addresses of names at every level, one in ten of them absent."""
    return packet(_name(crowd))


def absent(crowd: Crowd) -> bytes:
    """A random name beside the services: what a random-subdomain attack asks."""
    return packet(_absent(crowd))


def shouted(crowd: Crowd) -> bytes:
    """The mix with each letter in a case by chance (draft-vixie-dnsext-dns0x20)."""
    name, bits = _name(crowd), crowd.chance.getrandbits(256)
    return packet("".join(c.upper() if bits >> at & 1 else c for at, c in enumerate(name)))


def cookie(crowd: Crowd) -> bytes:
    return packet(_name(crowd), (_cookie(crowd),))


def subnet(crowd: Crowd) -> bytes:
    return packet(_name(crowd), (_subnet(crowd),))


def cookie_and_subnet(crowd: Crowd) -> bytes:
    return packet(_name(crowd), (_cookie(crowd), _subnet(crowd)))


def _name(crowd: Crowd) -> str:
    name = crowd.chance.choice(crowd.names)
    return f"nosuch{name}" if crowd.chance.random() < MISSING else name


def _absent(crowd: Crowd) -> str:
    above = crowd.chance.choice(crowd.names).partition(".")[2]
    return "".join(crowd.chance.choices(_LETTERS, k=12)) + "." + above


def _cookie(crowd: Crowd) -> Option:
    """A resolver that comes again sends the server's cookie back (RFC 7873 section 5.1)."""
    return COOKIE, crowd.chance.choice(crowd.cookies)


def _subnet(crowd: Crowd) -> Option:
    """An IPv4 client's /24 (RFC 7871 section 6): family, source and scope length, three octets."""
    return SUBNET, struct.pack(">HBB", 1, 24, 0) + crowd.chance.randbytes(3)
