"""Who sits out, and for how long."""

from fedns.gateway.route import Endpoint, Part, Pool, Tier
from fedns.proxy import bench

A, B, C, D = (
    Endpoint(f"10.0.0.{n}", 80, member, b"%d" % n) for n, member in enumerate(("c1", "c1", "c1", "c2"))
)
POOL = Pool((Tier(1.0, (Part("c1", 0.75, (A, B, C)), Part("c2", 0.25, (D,)))),))


def test_who_cannot_be_reached_sits_out_at_once_and_longer_each_time() -> None:
    made, now, lasted = bench.Bench(), 100.0, []
    made.missed(A, POOL, now)
    for _ in range(7):
        assert made.due(made.out[A.tag].until - 0.01) == []
        lasted.append(made.out[A.tag].until - now)
        now = made.out[A.tag].until
        assert made.due(now) == [A] and made.due(now) == []
        made.away(A, now)
    assert lasted == [0, 1, 2, 4, 5, 5, 5]
    made.back(A)
    assert not made.out and not made.clean
    made.missed(A, POOL, now)
    assert made.out[A.tag].until - now == 5
    made.back(A)
    made.answered(A)
    assert made.clean
    made.missed(A, POOL, now)
    assert made.out[A.tag].until == now


def test_two_of_a_member_take_it_with_them_but_not_one_after_a_while() -> None:
    made = bench.Bench()
    made.missed(A, POOL, 100.0)
    made.missed(B, POOL, 101.5)
    assert made.out.keys() == {A.tag, B.tag}
    made.missed(C, POOL, 101.6)
    other = bench.Bench()
    other.missed(A, POOL, 100.0)
    other.missed(B, POOL, 100.1)
    assert other.out.keys() == {A.tag, B.tag, C.tag}


def test_who_stumbles_once_stays() -> None:
    made = bench.Bench()
    assert not made.stumbled(A, 100.0)
    made.answered(A)
    assert not made.stumbled(A, 101.0)
    assert made.stumbled(A, 102.0)
    assert made.out.keys() == {A.tag}


def test_who_left_the_pool_is_forgotten_unless_it_is_sure_to_be_away() -> None:
    made, rest = bench.Bench(), Pool((Tier(1.0, (Part("c2", 1.0, (D,)),)),))
    made.stumbled(A, 100.0)
    made.stumbled(A, 100.0)
    made.keep(rest, 100.0)
    assert not made.out and made.clean
    made.missed(A, POOL, 200.0)
    assert made.due(200.0) == [A]
    made.away(A, 200.0)
    made.keep(rest, 200.0)
    assert made.unreachable(rest) == {"c1": (1, 1)}
    assert made.due(201.0) == [A]
    made.away(A, 201.0)
    made.keep(POOL, 201.5)
    assert made.due(201.5) == [A] and made.out.keys() == {A.tag}  # at once, and nobody goes there yet
    made.keep(rest, 202.0)
    assert made.due(202.0 + bench.ABSENT + 1) == [] and made.clean


def test_only_who_was_looked_at_in_vain_counts_as_unreachable() -> None:
    made = bench.Bench()
    made.missed(A, POOL, 100.0)
    made.missed(B, POOL, 100.0)
    assert made.out.keys() == {A.tag, B.tag, C.tag} and made.unreachable(POOL) == {}
    assert made.due(100.0) == [A, B, C]  # the third is a guess, and looked at like the others
    made.away(A, 100.0)
    made.back(C)
    assert made.unreachable(POOL) == {"c1": (1, 3)}
    made.away(B, 100.0, sure=False)
    assert made.unreachable(POOL) == {"c1": (1, 3)}
    assert made.answered(A) and made.unreachable(POOL) == {}


def test_few_sit_out_for_saying_that_they_cannot_serve() -> None:
    made = bench.Bench()
    assert [made.sickened(A, POOL, 100.0) for _ in range(bench.SICK)] == [False] * 4 + [True]
    assert made.out.keys() == {A.tag}
    assert not any(made.sickened(B, POOL, 101.0) for _ in range(20))
    made.back(A)
    made.answered(B)
    assert not made.sickened(B, POOL, 102.0)
    assert [made.sickened(A, POOL, 103.0) for _ in range(bench.SICK)][-1]
    assert made.out[A.tag].until == 105.0
    alone = Pool((Tier(1.0, (Part("c2", 1.0, (D,)),)),))
    last = bench.Bench()
    assert not any(last.sickened(D, alone, 100.0) for _ in range(20))


def test_who_broke_off_is_looked_at_at_once() -> None:
    made = bench.Bench()
    made.stumbled(A, 100.0)
    made.stumbled(B, 100.0)
    assert made.busy and not made.out and made.due(100.0) == [A, B]
    made.away(A, 100.0)
    made.back(B)
    assert made.out.keys() == {A.tag} and made.unreachable(POOL) == {"c1": (1, 3)}
    made.stumbled(B, 100.1)
    assert made.due(100.1) == [B]
    made.back(B)  # it can be reached, and sits out for breaking off
    assert made.out.keys() == {A.tag, B.tag} and made.due(100.2) == []
    made.stumbled(B, 100.2)
    made.away(B, 100.3)
    assert made.unreachable(POOL) == {"c1": (2, 3)}


def test_many_who_fail_to_reach_one_at_once_are_one_failure() -> None:
    made = bench.Bench()
    for _ in range(20):
        made.missed(A, POOL, 100.0)
    assert made.due(100.0) == [A]


def test_who_leaves_before_it_was_looked_at_is_looked_at() -> None:
    made, rest = bench.Bench(), Pool((Tier(1.0, (Part("c2", 1.0, (D,)),)),))
    made.missed(A, POOL, 100.0)
    made.missed(B, POOL, 100.0)
    assert made.due(100.0) == [A, B, C]
    made.keep(rest, 100.1)
    made.away(A, 100.2)
    made.away(B, 100.2)
    made.back(C)
    assert made.unreachable(rest) == {"c1": (2, 3)}  # one is enough to come back
    made.keep(POOL, 100.3)
    assert made.unreachable(POOL) == {"c1": (2, 3)}
    only = Pool((Tier(1.0, (Part("c1", 0.5, (C,)), Part("c2", 0.5, (D,)))),))
    made.keep(only, 100.4)
    assert not made.out  # the member has others by now
