"""The answers every authoritative server owes: RFC 8906 section 8, and the table of edge queries.

A table, not a test: each probe is a packet and what its reply must show. `judge` compares; the exchange
is given, so that the same rows run against `respond` and against a server behind a socket.
Whoever runs them serves `ZONE`.
"""

import socket
import struct
from collections.abc import Callable
from typing import NamedTuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Exchange = Callable[[bytes, bool], bytes | None]  # packet, over a stream -> reply

ORIGIN = "probe.example."
ZONE = """\
$ORIGIN probe.example.
$TTL 300
@ SOA ns1 hostmaster 7 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.1
host A 192.0.2.2
leaf.ent A 192.0.2.3
alias CNAME host
outside CNAME www.elsewhere.example.
loop CNAME pool
pool CNAME loop
*.wild TXT "any"
sub NS ns.sub
ns.sub A 192.0.2.4
tree DNAME host
long DNAME {long}
big TXT {big}
""".format(long=".".join(["z" * 60] * 3), big=" ".join(['"' + "x" * 250 + '"'] * 8))
_IDENT = 0x5EED
_ANSWERED = (3, 8, 9, 10, 15, 19)  # options that a server may send, those asked for among them
_DO, _UNKNOWN_FLAG = 0x8000, 0x0040
_QR, _AA, _TC, _RD, _Z, _AD, _CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x40, 0x20, 0x10


class Expect(NamedTuple):
    """What the reply shows. None in `rcode`: no reply at all. None in a section: not looked at."""

    rcode: str | None = "NOERROR"
    aa: bool = True
    tc: bool = False
    answer: str | None = None  # types, in order, space between
    authority: str | None = None
    opt: bool | None = None
    error: int | None = None  # extended DNS error code
    echo: bool = True  # the question comes back


class Probe(NamedTuple):
    """One packet and its due reply. `stream`: to be sent over TCP, else UDP."""

    id: str
    packet: bytes
    expect: Expect
    stream: bool = False


def name(text: str) -> bytes:
    return dns.name.from_text(text, dns.name.from_text(ORIGIN)).to_wire() or b""


def question(owner: str, rtype: int, klass: int = 1) -> bytes:
    return name(owner) + struct.pack(">HH", rtype, klass)


def header(flags: int = 0, questions: int = 1, extras: int = 0) -> bytes:
    return struct.pack(">HHHHHH", _IDENT, flags, questions, 0, 0, extras)


def opt(size: int = 1232, version: int = 0, flags: int = 0, options: bytes = b"") -> bytes:
    return struct.pack(">BHHBBHH", 0, 41, size, 0, version, flags, len(options)) + options


def option(code: int, value: bytes = b"") -> bytes:
    return struct.pack(">HH", code, len(value)) + value


def query(owner: str, rtype: int, tail: bytes = b"", flags: int = 0) -> bytes:
    return header(flags, extras=int(bool(tail))) + question(owner, rtype) + tail


_SOA = Expect(answer="SOA")
_SOA_OPT = Expect(answer="SOA", opt=True)
_BADVERS = Expect("BADVERS", aa=False, answer="", authority="", opt=True)
_NODATA = Expect(answer="", authority="SOA")
_NXDOMAIN = Expect("NXDOMAIN", answer="", authority="SOA")
_FORMERR = Expect("FORMERR", aa=False, answer="", authority="", echo=False)
_SILENCE = Expect(None)
_DEFINED = option(3) + option(8, b"\0\1\0\0") + option(9) + option(10, b"12345678")

RFC8906 = (
    Probe("8.1.1 soa", query("@", 6), _SOA._replace(opt=False)),
    Probe("8.1.2 unknown type", query("@", 1000), _NODATA),
    Probe("8.1.3.1 cd", query("@", 6, flags=_CD), _SOA),
    Probe("8.1.3.2 ad", query("@", 6, flags=_AD), _SOA),
    Probe("8.1.3.3 reserved bit", query("@", 6, flags=_Z), _SOA),
    Probe("8.1.3.4 rd", query("@", 6, flags=_RD), _SOA),
    Probe("8.1.4 unknown opcode", header(15 << 11, 0), Expect("NOTIMP", aa=False, echo=False)),
    Probe("8.1.5 tcp", query("@", 6), _SOA, stream=True),
    Probe("8.2.1 edns", query("@", 6, opt()), _SOA_OPT),
    Probe("8.2.2 edns version 1", query("@", 6, opt(version=1)), _BADVERS),
    Probe("8.2.3 unknown option", query("@", 6, opt(options=option(100))), _SOA_OPT),
    Probe("8.2.4 unknown flag", query("@", 6, opt(flags=_UNKNOWN_FLAG)), _SOA_OPT),
    Probe("8.2.5 version 1, unknown flag", query("@", 6, opt(version=1, flags=_UNKNOWN_FLAG)), _BADVERS),
    Probe("8.2.6 version 1, option", query("@", 6, opt(version=1, options=option(100))), _BADVERS),
    Probe("8.2.7 truncated", query("big", 16, opt(512, flags=_DO)), Expect(tc=True, answer="", opt=True)),
    Probe("8.2.8 do", query("@", 6, opt(flags=_DO)), _SOA_OPT),
    Probe("8.2.9 version 1, do", query("@", 6, opt(version=1, flags=_DO)), _BADVERS),
    Probe("8.2.10 defined options", query("@", 6, opt(options=_DEFINED)), _SOA_OPT),
)

EDGES = (
    Probe("type absent", query("host", 28), _NODATA),
    Probe("type absent, edns", query("host", 28, opt()), _NODATA._replace(opt=True)),
    Probe("private type", query("host", 65280), _NODATA),
    Probe("empty non-terminal", query("ent", 1), _NODATA),
    Probe("below a leaf", query("x.host", 1), _NXDOMAIN),
    Probe("below a leaf, edns", query("x.host", 1, opt()), _NXDOMAIN._replace(opt=True)),
    Probe("below the zone", query("no.such", 28), _NXDOMAIN),
    Probe("mixed case", query("HoSt", 1), Expect(answer="A")),
    Probe("any", query("host", 255), Expect(answer="A")),
    Probe("alias", query("alias", 1), Expect(answer="CNAME A")),
    Probe("alias out of our zones", query("outside", 1), Expect(answer="CNAME", authority="")),
    Probe("alias loop", query("loop", 1), Expect(answer="CNAME CNAME", authority="")),
    Probe("wildcard", query("a.b.wild", 16), Expect(answer="TXT")),
    Probe("wildcard without the type", query("a.wild", 1), _NODATA),
    Probe("delegation", query("x.sub", 1), Expect(aa=False, answer="", authority="NS")),
    Probe("delegation, ds", query("sub", 43), _NODATA),
    Probe("ds at the apex", query("@", 43), _NODATA),
    Probe("dname", query("x.tree", 1), Expect("NXDOMAIN", answer="DNAME CNAME", authority="SOA")),
    Probe("dname too long", query("y" * 60 + ".long", 1), Expect("YXDOMAIN", answer="DNAME")),
    Probe("axfr over udp", query("@", 252), Expect("REFUSED", aa=False, answer="")),
    Probe("axfr", query("@", 252), Expect("REFUSED", aa=False, answer=""), stream=True),
    Probe("ixfr", query("@", 251), Expect("REFUSED", aa=False, answer="")),
    Probe("nxname", query("@", 128, opt()), Expect("FORMERR", aa=False, opt=True, error=30)),
    Probe("class ch", header() + question("@", 16, 3), Expect("REFUSED", aa=False, answer="")),
    Probe("version", header() + b"\7version\4bind\0" + struct.pack(">HH", 16, 3), Expect(answer="TXT")),
    Probe("opcode 15", query("@", 6, flags=15 << 11), Expect("NOTIMP", aa=False, answer="")),
    Probe("notify", query("@", 6, flags=4 << 11), Expect("NOTIMP", aa=False, answer="")),
    Probe("update", query("@", 6, flags=5 << 11), Expect("NOTIMP", aa=False, answer="")),
    Probe("not our zone", query("www.elsewhere.example.", 1), Expect("REFUSED", aa=False, answer="")),
    Probe(
        "not our zone, edns",
        query("www.elsewhere.example.", 1, opt()),
        Expect("REFUSED", aa=False, answer="", opt=True, error=20),
    ),
    Probe("larger than classic", query("big", 16), Expect(tc=True, answer="")),
    Probe("larger than the client", query("big", 16, opt(1232)), Expect(tc=True, answer="", opt=True)),
    Probe("large over tcp", query("big", 16), Expect(answer="TXT"), stream=True),
    Probe("size below 512", query("host", 1, opt(100)), Expect(answer="A", opt=True)),
)

GARBAGE = (
    Probe("no question", header(questions=0), _FORMERR),
    Probe("two questions", header(questions=2) + question("@", 6) * 2, _FORMERR),
    Probe("long label", header() + b"\x40" + b"a" * 64 + b"\0\0\1\0\1", _FORMERR),
    Probe("long name", header() + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1", _FORMERR),
    Probe("pointer loop", header() + b"\xc0\x0c\0\1\0\1", _FORMERR),
    Probe("cut name", header() + b"\x03ab", _FORMERR),
    Probe("cut question", header() + b"\x01a\0\0", _FORMERR),
    Probe("trailing octet", query("@", 6) + b"x", _FORMERR._replace(echo=True)),
    Probe("two opts", header(extras=2) + question("@", 6) + opt() * 2, _FORMERR._replace(echo=True)),
    Probe("cut option", query("@", 6, opt(options=b"\0\x0a\0\x08abc")), _FORMERR._replace(echo=True)),
    Probe("missing opt", header(extras=1) + question("@", 6), _FORMERR._replace(echo=True)),
    Probe("a reply", query("@", 6, flags=_QR), _SILENCE),
    Probe("a reply, garbage", header(_QR, 0), _SILENCE),
    Probe("eleven octets", header()[:11], _SILENCE),
    Probe("one octet", b"\0", _SILENCE),
)

ALL = RFC8906 + EDGES + GARBAGE


def judge(probe: Probe, octets: bytes | None) -> list[str]:
    """What is wrong with the reply; empty when all is well."""
    expect = probe.expect
    if octets is None or expect.rcode is None:
        return (
            []
            if (octets is None) == (expect.rcode is None)
            else ["no reply" if octets is None else "a reply"]
        )
    try:
        reply = dns.message.from_wire(octets, raise_on_truncation=False)
    except dns.exception.DNSException as trouble:
        return [f"does not parse: {trouble!r}"]
    sent = probe.packet[2] << 8 | probe.packet[3]
    flags = octets[2] << 8 | octets[3]
    found = {
        "id": (reply.id, _IDENT),
        "rcode": (dns.rcode.to_text(reply.rcode()), expect.rcode),
        "qr": (bool(flags & _QR), True),
        "opcode and rd": (flags & 0x7900, sent & 0x7900),
        "z, ad, cd": (flags & 0x70, 0),
        "aa": (bool(flags & _AA), expect.aa),
        "tc": (bool(flags & _TC), expect.tc),
        "question": (_question(octets), _question(probe.packet) if expect.echo else b""),
        "answer": (_types(reply.answer), expect.answer),
        "authority": (_types(reply.authority), expect.authority),
        "opt": (reply.edns >= 0, expect.opt),
        "error": (_error(reply), expect.error),
        "edns version, flags": (reply.edns <= 0 and not reply.ednsflags & 0x7FFF, True),
        "options": ([each.otype for each in reply.options if each.otype not in _ANSWERED], []),
    }
    looked_at = {key: pair for key, pair in found.items() if pair[1] is not None}
    return [f"{key}: {have!r} is not {want!r}" for key, (have, want) in looked_at.items() if have != want]


def over_socket(host: str, port: int, patience: float = 1.0) -> Exchange:
    """An exchange with a server at an address; no reply within `patience` seconds counts as none."""

    def exchange(packet: bytes, stream: bool) -> bytes | None:
        kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as peer:
            peer.settimeout(patience)
            peer.connect((host, port))
            try:
                peer.sendall(len(packet).to_bytes(2, "big") + packet if stream else packet)
                return _read_framed(peer) if stream else peer.recv(65535)
            except (TimeoutError, ConnectionError):
                return None

    return exchange


def _read_framed(peer: socket.socket) -> bytes | None:
    data = b""
    while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
        more = peer.recv(65535)
        if not more:
            return None
        data += more
    return data[2:]


def _question(packet: bytes) -> bytes:
    """The octets of the first question, case and all; empty when there is none."""
    if len(packet) < 12 or packet[4:6] == b"\0\0":
        return b""
    _, size = dns.name.from_wire(packet, 12)
    return packet[12 : 12 + size + 4]


def _types(section: list[dns.rrset.RRset]) -> str:
    return " ".join(dns.rdatatype.to_text(rrset.rdtype) for rrset in section)


def _error(reply: dns.message.Message) -> int | None:
    return next((int(each.code) for each in reply.options if isinstance(each, dns.edns.EDEOption)), None)
