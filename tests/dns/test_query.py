"""Queries as read from octets."""

import dns.message
from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import query, wire
from tests.conformance import probes


@given(st.binary(min_size=12, max_size=120))
def test_reading_never_raises(octets: bytes) -> None:
    assert query.parse(octets).ident == octets[0] << 8 | octets[1]


@given(st.sampled_from(["a.example.", "."]), st.integers(512, 65535), st.booleans())
def test_what_dnspython_writes_is_read(owner: str, size: int, do: bool) -> None:
    made = dns.message.make_query(owner, "MX", use_edns=0, payload=size, want_dnssec=do)
    read = query.parse(made.to_wire())
    assert (read.rcode, read.type, read.klass, read.edns) == (0, wire.MX, wire.IN, query.Edns(size, 0, do))
    assert read.name == made.question[0].name.to_digestable()


def test_records_before_the_opt_are_passed_over() -> None:
    question = probes.question("@", wire.IXFR)
    soa = b"\xc0\x0c" + b"\0\6\0\1\0\0\0\0\0\2\0\0"
    packet = probes.header()[:8] + b"\0\1\0\1" + question + soa + probes.opt()
    read = query.parse(packet)
    assert read.rcode == wire.NOERROR and read.edns is not None


def test_an_opt_outside_the_additional_section_is_malformed() -> None:
    packet = probes.header()[:6] + b"\0\1\0\0\0\0" + probes.question("@", wire.A) + probes.opt()
    assert query.parse(packet).rcode == wire.FORMERR


def test_options_of_an_unknown_version_are_not_read() -> None:
    read = query.parse(probes.query("@", wire.A, probes.opt(version=3, options=b"\xff")))
    assert read.edns is not None and read.edns.version == 3
