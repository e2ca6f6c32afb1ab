"""Connections by network: shares, the exempt, and who has most."""

from fedns.dns import rate
from fedns.servers import crowd

LIMITS = rate.Limits(connections=2, exempt=("10.0.0.0/8", "fd00::/8"))


def test_an_address_belongs_to_its_prefix() -> None:
    one = crowd.Crowd()
    assert one.network("192.0.2.1", LIMITS) == one.network("192.0.2.254", LIMITS)
    assert one.network("192.0.2.1", LIMITS) != one.network("192.0.3.1", LIMITS)
    assert one.network("2001:db8:0:ff::1", LIMITS) == one.network("2001:db8:0:1::9", LIMITS)
    assert one.network("2001:db8:0:ff::1", LIMITS) != one.network("2001:db8:0:100::1", LIMITS)
    assert one.network("fd00::1%eth0", LIMITS) == one.network("10.1.2.3", LIMITS) == crowd.EXEMPT
    assert one.network("10.1.2.3", LIMITS._replace(exempt=())) != crowd.EXEMPT


def test_a_share_is_full_until_somebody_leaves() -> None:
    one, free = crowd.Crowd(), LIMITS._replace(enabled=False)
    for address in ("192.0.2.1", "192.0.2.2", "198.51.100.1", *["10.0.0.1"] * 3):
        assert not one.full(one.network(address, LIMITS), LIMITS)
        one.enter(one.network(address, LIMITS))
    here = one.network("192.0.2.3", LIMITS)
    assert one.full(here, LIMITS) and not one.full(here, free)
    assert not one.full(here, LIMITS._replace(connections=0))
    assert one.largest() == here
    one.leave(here)
    assert not one.full(here, LIMITS)


def test_the_exempt_are_asked_last() -> None:
    one = crowd.Crowd()
    assert one.largest() == crowd.EXEMPT
    one.enter(crowd.EXEMPT)
    one.enter(crowd.EXEMPT)
    assert one.largest() == crowd.EXEMPT
    one.enter((4, 1))
    assert one.largest() == (4, 1)
    one.leave((4, 1))
    assert one.largest() == crowd.EXEMPT
