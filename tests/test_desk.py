"""What the desk works out for the metrics."""

import pytest
from msgspec import structs

from fedns import desk
from fedns.model import policy, snapshot
from fedns.model.facts import ShardFacts


def fleet(**verdicts: snapshot.Verdict) -> snapshot.Snapshot:
    shards = tuple(
        snapshot.Shard(member, "r", ("z",), ShardFacts(("192.0.2.1",)), ("192.0.2.1",), verdict)
        for member, verdict in verdicts.items()
    )
    service = snapshot.Service("shop", "web", policy.TrafficPolicy(), shards, ())
    return snapshot.Snapshot(services={"shop/web": service}, touched=frozenset({"shop/web"}))


def verdict(state: snapshot.State, flaps: int) -> snapshot.Verdict:
    return snapshot.Verdict(state, "because", 5.0, flaps=flaps)


NEW, UP, DOWN = snapshot.Verdict(), verdict("healthy", 0), verdict("unhealthy", 1)


@pytest.mark.parametrize("everything", [True, False])
def test_changes_of_state_are_counted_and_first_words_are_not(everything: bool) -> None:
    before = fleet(a=UP, b=NEW, c=verdict("unhealthy", 3), d=UP)
    after = fleet(a=DOWN, b=UP, c=verdict("healthy", 1), d=UP, e=UP)  # c was quiet for long
    after = structs.replace(after, touched=None if everything else after.touched)
    assert desk.flaps(before, after) == 2
    assert desk.flaps(after, after) == desk.flaps(snapshot.Snapshot(), after) == 0
