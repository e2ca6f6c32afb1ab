"""What one value of `fedns.yaml` may be: addresses, prefixes, times, counts, secrets.

Law: a parser takes the written text and raises `schema.Bad`, with a hint where one helps; the aliases at the
end are the types that the structs of the configuration are made of.
"""

import ipaddress
from typing import Annotated, NamedTuple

from fedns import schema

ALGORITHMS = {13: "ecdsap256sha256", 15: "ed25519"}
"""Numbers and names of the DNSSEC algorithms that RFC 8624 recommends to sign with."""


EFFECTS = ("NoSchedule", "NoExecute")
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Address(NamedTuple):
    """Where to listen; port 0 takes any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Taint(NamedTuple):
    """What keeps objects off a member."""

    key: str
    value: str
    effect: str


def taint(text: str, reader: schema.Reader) -> Taint:
    """`key=value:NoSchedule`, `key:NoExecute`."""
    rest, _, effect = text.rpartition(":")
    key, _, value = rest.partition("=")
    if not key or effect not in EFFECTS:
        hint = f"write KEY=VALUE:EFFECT, where EFFECT is {' or '.join(EFFECTS)}"
        raise schema.Bad(f"{text!r} is no taint", hint)
    return Taint(key, value, effect)


def address(text: str, reader: schema.Reader | None = None) -> Address:
    """`127.0.0.1:53`, `[::1]:53`."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise schema.Bad(f"{text!r} is not ADDRESS:PORT", 'write "127.0.0.1:53" or "[::1]:53"') from None
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise schema.Bad(f"{text!r} has no valid port", 'write "127.0.0.1:53" or "[::1]:53"')
    return Address(host, int(port))


def literal(text: str, reader: schema.Reader) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise schema.Bad(f"{text!r} is not an IP address") from None


def reached(text: str, reader: schema.Reader) -> str:
    """An address or a name that somebody can be reached at."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return schema.hostname(text, reader)


def prefix(text: str, reader: schema.Reader) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise schema.Bad(
            f"{text!r} is not a prefix: {error}", "write 10.64.0.0/14 or 2001:db8::/32"
        ) from None


def positive(text: str, reader: schema.Reader) -> float:
    value = schema.seconds(text)
    if value <= 0:
        raise schema.Bad(f"{text!r} must be more than zero")
    return value


def ttl_seconds(text: str, reader: schema.Reader) -> int:
    """A TTL: whole seconds, at most a week (RFC 8767 section 4 advises that cap)."""
    value = schema.seconds(text)
    if value != int(value) or value > 604800:
        raise schema.Bad(f"{text!r} is not a TTL", "whole seconds, at most 7d")
    return int(value)


def count(text: str, reader: schema.Reader) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= 1024):
        raise schema.Bad(f"{text!r} is not a number from 1 to 1024")
    return int(text)


def fraction(text: str, reader: schema.Reader) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise schema.Bad(f"{text!r} is not a number from 0 to 1")
    return value


def short(text: str, reader: schema.Reader) -> str:
    """What fits one character-string of DNS (RFC 1035 section 3.3)."""
    if len(text.encode()) > 255:
        raise schema.Bad(f"{text[:20]!r}... is longer than 255 octets")
    return text


def per_second(text: str, reader: schema.Reader) -> int:
    """A rate; 0 is none at all."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise schema.Bad(f"{text!r} is not a whole number of replies per second", "0 is no limit")
    return int(text)


def amount(text: str, reader: schema.Reader) -> int:
    """Octets or other things in number; 0: no limit."""
    digits, unit = (text[:-1], text[-1:].lower()) if text[-1:].lower() in _UNITS else (text, "")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12):
        raise schema.Bad(f"{text!r} is no amount", "as in 8192, 64k or 1m; 0 is no limit")
    return int(digits) * _UNITS.get(unit, 1)


def slip(text: str, reader: schema.Reader) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= 10):
        raise schema.Bad(f"{text!r} is not a number from 0 to 10", "2: every second limited reply; 0: none")
    return int(text)


def bits4(text: str, reader: schema.Reader) -> int:
    return _bits(text, 32)


def bits6(text: str, reader: schema.Reader) -> int:
    return _bits(text, 64)


def _bits(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and 1 <= int(text) <= most):
        raise schema.Bad(f"{text!r} is not a prefix length from 1 to {most}")
    return int(text)


def secret(text: str, reader: schema.Reader) -> str:
    """A secret of SipHash, 16 octets."""
    if len(text) != 32 or not set(text.lower()) <= set("0123456789abcdef"):
        raise schema.Bad("a cookie secret has 32 hexadecimal digits", "make one: openssl rand -hex 16")
    return text.lower()


def life(text: str, reader: schema.Reader) -> int:
    """How long something of DNSSEC lives: whole seconds, from a few (a resolver's clock has no finer hand) to
    two years (dates of signatures have 32 bits)."""
    value = schema.seconds(text)
    if value != int(value) or not 2 <= value <= 2 * 365 * 86400:
        raise schema.Bad(f"{text!r} is no time for keys or signatures", "whole seconds, from 2s to 730d")
    return int(value)


def algorithm(text: str, reader: schema.Reader) -> int:
    """A DNSSEC algorithm by name or number."""
    for number, name in ALGORITHMS.items():
        if text.lower() in (str(number), name):
            return number
    raise schema.Bad(f"{text!r} is no algorithm to sign with", schema.nearest(text, ALGORITHMS.values()))


Label = Annotated[str, schema.label]
Text = Annotated[str, short]
Host = Annotated[str, schema.hostname]
Directory = Annotated[str, schema.directory]
File = Annotated[str, schema.file]
Listen = Annotated[Address, address]
Ip = Annotated[str, literal]
Reached = Annotated[str, reached]
Prefix = Annotated[str, prefix]
Seconds = Annotated[float, positive]
TtlSeconds = Annotated[int, ttl_seconds]
Life = Annotated[int, life]
Algorithm = Annotated[int, algorithm]
Count = Annotated[int, count]
Secret = Annotated[str, secret]
Rate = Annotated[int, per_second]
Amount = Annotated[int, amount]
Bits4 = Annotated[int, bits4]
Bits6 = Annotated[int, bits6]
Slip = Annotated[int, slip]
Fraction = Annotated[float, fraction]
Tainted = Annotated[Taint, taint]
