"""Queries with the options that resolvers send: the hot path says what the slow path says."""

import random

import dns.message
import pytest

from fedns.dns import client, cookie, opt, query, resolve, respond, wire
from tests.conformance import probes
from tests.dns import test_places
from tests.fuzz import fuzz_packets

NOW, SECRET = 1_700_000_000, bytes(range(16))
ADDRESS = b"\xc0\x00\x02\x01"
GOOD = cookie.make(cookie.begin(SECRET), b"12345678", ADDRESS, NOW)
SUBNETS = [b"\0\1\x18\0\x0a\1\2", b"\0\2\x38\0\x20\1\x0d\xb8\1\2\3", b"\0\1\0\0", b"\0\1\x20\0\x0a\1\2\3"]
ODD = [
    b"\0\1\x18\x18\x0a\1\2",
    b"\0\1\x11\0\x0a\1\x80",
    b"\0\1\x18\0\x0a\1",
    b"",
]
OWNERS = ["host", "svc", "nope", "nope.svc", "ent", "alias", "a.wild", "x.sub", "@"]
PLACED = {key[:-12] for key in test_places.TABLE if key.endswith(b"\x07example\x03com\0")}


class Asker(client.Client):
    """Somebody at an address, of a server with cookies."""

    def address(self) -> bytes:
        return ADDRESS


def asker(**changes: object) -> Asker:
    server = client.Server(cookies=SECRET.hex())._replace(**changes)  # type: ignore[arg-type]
    return Asker(client.Host(server, NOW))


def options(chance: random.Random) -> bytes:
    """One to three options, mostly such as resolvers send."""
    choices = [(query.SUBNET, data) for data in (*SUBNETS, *ODD)]
    choices += [(cookie.OPTION, data) for data in (b"12345678", GOOD, bytes(24), bytes(9))]
    choices += [(query.NSID, b""), (4711, b"x"), (12, bytes(20))]
    return b"".join(probes.option(*chance.choice(choices)) for _ in range(chance.choice((1, 1, 2, 2, 3))))


def meaning(octets: bytes | None) -> list[str]:
    """A reply but for how its names are compressed, and the order of its records."""
    return sorted(dns.message.from_wire(octets).to_text().lower().splitlines()) if octets else []


def test_both_paths_say_the_same() -> None:
    chance, view = random.Random(3), fuzz_packets.view()
    for _ in range(4000):
        tail = probes.opt(chance.choice((512, 1232, 4096)), options=options(chance))
        if chance.random() < 0.1:
            tail = tail[: chance.randrange(len(tail))]
        packet = probes.query(chance.choice(OWNERS), chance.choice((wire.A, wire.AAAA, wire.MX)), tail)
        who = asker(proven=chance.random() < 0.3)
        hot = respond.respond(view, packet, wire.OWN_SIZE, who)
        slow = resolve.resolve(view, packet, wire.OWN_SIZE, who)
        assert meaning(hot) == meaning(slow), packet.hex()


@pytest.mark.parametrize("subnet", SUBNETS)
def test_both_paths_say_the_same_where_places_matter(subnet: bytes) -> None:
    tail = probes.opt(options=probes.option(query.SUBNET, subnet))
    for name in (each + below for each in sorted(PLACED) for below in (b"", b"\3new")):
        for rtype in (wire.A, wire.AAAA):
            where = name[-4:] + name[:-4] if name.endswith(b"\3new") else name
            octets = where + b"\x07example\x03com\0" + rtype.to_bytes(2, "big") + b"\0\1"
            packet = probes.header(0, extras=1) + octets + tail
            view = test_places.TABLE
            hot = respond.respond(view, packet, wire.OWN_SIZE, asker())
            slow = resolve.resolve(view, packet, wire.OWN_SIZE, asker())
            assert meaning(hot) == meaning(slow), packet


def test_the_usual_options_are_read() -> None:
    view = fuzz_packets.view()
    for each in ([(10, GOOD)], [(10, b"12345678")], [(8, SUBNETS[0])], [(8, SUBNETS[1]), (10, GOOD)]):
        tail = probes.opt(options=b"".join(probes.option(*option) for option in each))
        packet = probes.query("host", wire.A, tail)
        begin, row = opt.read(view, packet, asker())
        assert begin == len(packet) - len(tail) and row is not None
        assert len(tail) <= opt.LONGEST


def test_a_zero_octet_in_a_name_ends_no_name() -> None:
    tail = probes.opt(options=probes.option(8, SUBNETS[0]))
    name = b"\4a\0\0b" + b"\7example\3com\0"
    packet = probes.header(0, extras=1) + name + b"\0\1\0\1" + tail
    assert opt.read(fuzz_packets.view(), packet, asker())[1] is None
