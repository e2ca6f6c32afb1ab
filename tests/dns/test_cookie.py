"""Server cookies: rollover, freshness, and what a flood of them may cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import cookie

SECRET, OTHER = bytes(range(16)), bytes(16)
CLIENT, ADDRESS = b"12345678", b"\xc0\x00\x02\x01"
NOW = 1_700_000_000


def test_siphash_of_its_authors() -> None:
    """The last and an early line of the table in the SipHash paper's reference code."""
    assert cookie.siphash(cookie.begin(SECRET), b"").hex() == "310e0edd47db6f72"
    assert cookie.siphash(cookie.begin(SECRET), bytes(range(15))).hex() == "e545be4961ca29a1"


def _full(secret: bytes = SECRET, made: int = NOW) -> bytes:
    return cookie.make(cookie.begin(secret), CLIENT, ADDRESS, made)


@pytest.mark.parametrize(
    ("age", "valid", "same"),
    [(-301, False, False), (-300, True, True), (0, True, True), (1800, True, True), (1801, True, False),
     (3600, True, False), (3601, False, False)],
)  # fmt: skip
def test_a_cookie_is_good_for_an_hour_and_renewed_after_half_of_it(age: int, valid: bool, same: bool) -> None:
    data = _full(made=NOW - age)
    seen = cookie.Jar([SECRET], NOW).look(data, ADDRESS)
    assert seen and (seen.valid, seen.option[4:] == data) == (valid, same)


def test_what_is_kept_ages_as_time_passes() -> None:
    jar, data = cookie.Jar([SECRET], NOW), _full()
    for passed in range(0, 4000, 50):
        jar.tick(NOW + passed)
        seen = jar.look(data, ADDRESS)
        assert seen and seen.valid == (passed <= cookie.PAST)
        assert (seen.option[4:] == data) == (passed <= cookie.RENEW)
        fresh = jar.look(seen.option[4:], ADDRESS)
        assert fresh and fresh.valid, "what was handed out is good"


def test_secrets_roll_over_without_a_client_noticing() -> None:
    staged, rolled = cookie.Jar([OTHER, SECRET], NOW), cookie.Jar([SECRET, OTHER], NOW)
    for maker, taker in ((staged, rolled), (rolled, staged)):
        given_out = maker.look(CLIENT, ADDRESS)
        assert given_out and not given_out.valid
        taken = taker.look(given_out.option[4:], ADDRESS)
        assert taken and taken.valid
    gone = cookie.Jar([bytes(15) + b"x"], NOW).look(_full(), ADDRESS)
    assert gone and not gone.valid


@given(st.binary(min_size=16, max_size=40), st.sampled_from([ADDRESS, bytes(16)]))
def test_what_we_did_not_make_is_not_good(data: bytes, address: bytes) -> None:
    seen = cookie.Jar([SECRET, OTHER], NOW).look(data, address)
    assert seen and not seen.valid and seen.option[4:12] == data[:8]
    again = cookie.Jar([SECRET], NOW).look(seen.option[4:], address)
    elsewhere = cookie.Jar([OTHER, SECRET], NOW).look(seen.option[4:], address[::-1] + b"\1")
    assert again and again.valid and elsewhere and not elsewhere.valid


def test_a_flood_of_fresh_cookies_is_rationed_and_who_is_known_stays_known() -> None:
    jar, known = cookie.Jar([SECRET, OTHER], NOW), _full()
    jar.look(known, ADDRESS)
    judged = sum(jar.look(b"%024d" % number, ADDRESS) is not None for number in range(10_000))
    assert judged <= cookie.RATION
    seen = jar.look(known, ADDRESS)
    assert seen and seen.valid
    jar.tick(NOW + 1)
    assert jar.look(b"x" * 24, ADDRESS) is not None


def test_the_jar_is_bounded() -> None:
    jar = cookie.Jar([SECRET], NOW)
    for number in range(3 * cookie.ROOM):
        jar.tick(NOW)
        jar.look(b"%08d" % number, ADDRESS)
    assert len(jar) <= 2 * cookie.ROOM
