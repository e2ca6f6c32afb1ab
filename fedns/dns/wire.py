"""The octets of DNS messages: numbers, and names in wire form.

Law: a name here is uncompressed wire bytes ending in the zero label; lower-casing with `bytes.lower` is
safe because no length octet (at most 63) is a letter.
"""

HEADER = 12  # octets
STREAM = 65535  # a limit of this size means a stream transport: no EDNS size applies
OWN_SIZE = 1232  # octets of UDP payload that survive common paths unfragmented (RFC 9715)
CLASSIC_SIZE = 512  # octets without EDNS (RFC 1035 section 2.3.4)
MAX_NAME = 255

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
YXDOMAIN = 6
BADVERS, BADCOOKIE = 16, 23

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA = 1, 2, 5, 6, 12, 15, 16, 28
SRV, DNAME, OPT, DS, RRSIG, NSEC, DNSKEY, CDS, CDNSKEY = 33, 39, 41, 43, 46, 47, 48, 59, 60
NXNAME = 128  # what a name that does not exist has (RFC 9824); never to be asked for
SVCB, HTTPS = 64, 65
IXFR, AXFR, MAILB, MAILA, ANY, HINFO = 251, 252, 253, 254, 255, 13
IN, CH, CLASS_ANY = 1, 3, 255

QR, AA, TC, RD = 0x8000, 0x0400, 0x0200, 0x0100

_POINTER_LIMIT = 0x4000  # a compression pointer holds 14 bits
ROOT = b"\0"
WILD = b"\x01*"


def parent(name: bytes) -> bytes:
    """The name without its first label; the root has no parent."""
    return name[1 + name[0] :]


def ancestors(name: bytes) -> list[bytes]:
    """The name and all above it, the root last."""
    found = [name]
    while name[0]:
        name = name[1 + name[0] :]
        found.append(name)
    return found


def labels(name: bytes) -> int:
    """How many labels, the root not counted."""
    count = position = 0
    while name[position]:
        position += 1 + name[position]
        count += 1
    return count


def below(name: bytes, top: bytes) -> bool:
    """Whether `name` is `top` or under it, at a label boundary. Both in the same case."""
    if not name.endswith(top):
        return False
    cut, position = len(name) - len(top), 0
    while position < cut:
        position += 1 + name[position]
    return position == cut


def read_name(packet: bytes, at: int) -> int:
    """The offset after the uncompressed name at `at`, or -1 when it is malformed.

    A question has nothing before it to point to, so a compression pointer there is an error.
    """
    start, end = at, len(packet)
    while at < end:
        size = packet[at]
        if size == 0:
            return at + 1 if at + 1 - start <= MAX_NAME else -1
        if size > 63:
            return -1
        at += 1 + size
    return -1


def skip_name(packet: bytes, at: int) -> int:
    """The offset after the possibly compressed name at `at`, or -1. Pointers are not followed."""
    end = len(packet)
    while at < end:
        size = packet[at]
        if size == 0:
            return at + 1
        if size >= 0xC0:
            return at + 2 if at + 2 <= end else -1
        if size > 63:
            return -1
        at += 1 + size
    return -1


def compress(name: bytes, known: dict[bytes, int], at: int) -> bytes:
    """`name` as written at offset `at`, using and extending `known`: lower-case suffix -> offset."""
    lower, position = name.lower(), 0
    while name[position]:
        suffix = lower[position:]
        target = known.get(suffix)
        if target is not None:
            return name[:position] + (0xC000 | target).to_bytes(2, "big")
        if at + position < _POINTER_LIMIT:
            known[suffix] = at + position
        position += 1 + name[position]
    return name
