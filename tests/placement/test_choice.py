"""Which policy an object follows, and what is told of the others that select it."""

from fedns.placement import choice
from tests.placement import worlds

NAMED = "resourceSelectors: [{apiVersion: v1, kind: Service, name: web}]"


def test_who_wins_is_told_with_who_comes_after() -> None:
    rivals = [worlds.everything(name="all"), worlds.everything(name="cluster", namespace="")]
    told = choice.policy(worlds.one(worlds.SERVICE), [*rivals, worlds.policy(NAMED, "mine")])
    assert told is not None and told.why == (
        "PropagationPolicy prod/mine selects it by name, "
        "which comes before PropagationPolicy prod/all (by kind) and 1 more"
    )
    alone = choice.policy(worlds.one(worlds.SERVICE), rivals[:1])
    assert alone is not None and alone.why == "PropagationPolicy prod/all selects it by kind"
