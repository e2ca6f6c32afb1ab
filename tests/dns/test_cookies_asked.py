"""Queries with cookies, on both paths: what is echoed, refused, and left alone."""

import dns.message
import dns.rcode
import pytest

from fedns.dns import client, cookie, resolve, respond, wire
from tests.conformance import probes
from tests.fuzz import fuzz_packets

VIEW = fuzz_packets.view()
SECRET, NOW, CLIENT = bytes(range(16)), 1_700_000_000, b"12345678"
SERVER = client.Server(cookies=SECRET.hex())
PATHS = pytest.mark.parametrize("path", [respond.respond, resolve.resolve])


class Asker(client.Client):
    """Somebody at an address."""

    __slots__ = ("stream",)

    def __init__(self, host: client.Host, stream: bool = False) -> None:
        super().__init__(host)
        self.stream = stream

    def address(self) -> bytes:
        return b"\xc0\x00\x02\x01"


def asker(stream: bool = False, **changes: object) -> Asker:
    return Asker(client.Host(SERVER._replace(**changes), NOW), stream)  # type: ignore[arg-type]


def good(made: int = NOW) -> bytes:
    return cookie.make(cookie.begin(SECRET), CLIENT, Asker(client.NOBODY.host).address(), made)


def query(data: bytes, owner: str = "host") -> bytes:
    return probes.query(owner, wire.A, probes.opt(options=probes.option(cookie.OPTION, data)))


def reading(octets: bytes | None) -> tuple[str, list[bytes], int]:
    """Response code, cookies, answers."""
    assert octets is not None
    read = dns.message.from_wire(octets)
    return dns.rcode.to_text(read.rcode()), [each.to_wire() or b"" for each in read.options], len(read.answer)


@PATHS
@pytest.mark.parametrize("owner", ["host", "svc", "nope", "ent", "alias"])
@pytest.mark.parametrize("data", [CLIENT, good(), good(NOW - 2000), good(NOW - 4000), CLIENT + bytes(8)])
def test_a_client_gets_a_good_cookie_with_its_answer(path: respond.Answer, owner: str, data: bytes) -> None:
    plain = reading(path(VIEW, probes.query(owner, wire.A, probes.opt()), wire.OWN_SIZE, asker()))
    rcode, told, answers = reading(path(VIEW, query(data, owner), wire.OWN_SIZE, asker()))
    assert (rcode, answers) == (plain[0], plain[2])
    assert told == [data if data == good() else good()]


def test_both_paths_tell_the_same() -> None:
    for data in (CLIENT, good(), bytes(24)):
        one, other = (path(VIEW, query(data), 1232, asker()) for path in (respond.respond, resolve.resolve))
        assert one == other


@PATHS
@pytest.mark.parametrize("size", [*range(8), *range(9, 16), 41, 60])
def test_lengths_that_no_cookie_has_are_malformed(path: respond.Answer, size: int) -> None:
    assert reading(path(VIEW, query(bytes(size)), wire.OWN_SIZE, asker())) == ("FORMERR", [], 0)
    assert reading(path(VIEW, query(bytes(size)), wire.OWN_SIZE, asker(cookies="")))[0] == "NOERROR"


@PATHS
def test_without_secrets_a_cookie_is_no_matter(path: respond.Answer) -> None:
    for data in (CLIENT, good()):
        assert reading(path(VIEW, query(data), wire.OWN_SIZE, asker(cookies=""))) == ("NOERROR", [], 1)


@PATHS
def test_where_proof_is_wanted_a_bad_cookie_is_refused_and_a_good_one_given(path: respond.Answer) -> None:
    for data in (CLIENT, good(NOW - 4000), bytes(24)):
        made = cookie.make(cookie.begin(SECRET), data[:8], asker().address(), NOW)
        assert reading(path(VIEW, query(data), wire.OWN_SIZE, asker(proven=True))) == ("BADCOOKIE", [made], 0)
        assert reading(path(VIEW, query(data), wire.STREAM, asker(True, proven=True)))[0] == "NOERROR"
    assert reading(path(VIEW, query(good()), wire.OWN_SIZE, asker(proven=True))) == ("NOERROR", [good()], 1)
    plain = probes.query("host", wire.A, probes.opt())
    assert reading(path(VIEW, plain, wire.OWN_SIZE, asker(proven=True)))[0] == "NOERROR"


@pytest.mark.parametrize(
    ("data", "rcode"), [(CLIENT, "NOERROR"), (good(), "NOERROR"), (good(NOW - 4000), "BADCOOKIE")]
)
def test_a_cookie_may_be_asked_for_without_a_question(data: bytes, rcode: str) -> None:
    """RFC 7873 section 5.4."""
    packet = b"\1\2" + bytes(9) + b"\1" + probes.opt(options=probes.option(cookie.OPTION, data))
    assert reading(respond.respond(VIEW, packet, wire.OWN_SIZE, asker())) == (rcode, [good()], 0)
    bare = b"\1\2" + bytes(9) + b"\1" + probes.opt()
    assert reading(respond.respond(VIEW, bare, wire.OWN_SIZE, asker()))[0] == "FORMERR"
    assert reading(respond.respond(VIEW, packet, wire.OWN_SIZE, asker(cookies="")))[0] == "FORMERR"


def test_beyond_the_ration_a_cookie_counts_as_none() -> None:
    flooded = asker(proven=True)
    for number in range(cookie.RATION + 1):
        respond.respond(VIEW, query(b"%08d" % number), wire.OWN_SIZE, flooded)
    assert reading(respond.respond(VIEW, query(b"new here"), wire.OWN_SIZE, flooded)) == ("NOERROR", [], 1)
