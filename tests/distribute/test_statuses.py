"""Statuses: what they say, when they differ, and that time alone moves nothing."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fedns.distribute import statuses
from fedns.distribute.statuses import Feed, Live, Member, Verdict

FIRST, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
FEEDS = (Feed("services", True), Feed("nodes", True))
GOOD = Member("reachable", "", "", FEEDS, "v1.34.1", "europe-west1", ("a", "b"), 7, "uid")


def by_type(verdict: Verdict) -> dict[str, tuple[str, str, str]]:
    return {one.type: (one.status, one.reason, one.message) for one in verdict.conditions}


def applied(live: Live, change: statuses.Change) -> Live:
    """The object after the write."""
    rows = change.status["conditions"]
    fields = {name: value for name, value in change.status.items() if name != "conditions"}
    return Live(live.generation, live.trouble, tuple(rows), fields)


def test_a_policy_is_accepted_or_not_in_the_words_of_its_problem() -> None:
    assert by_type(statuses.policy(Live(), "")) == {"Accepted": ("True", "Accepted", "")}
    told = by_type(statuses.policy(Live(), "another one comes first"))["Accepted"]
    assert told == ("False", "NotTakenUp", "another one comes first")
    broken = by_type(statuses.policy(Live(trouble="`1d` is no duration"), "beside"))["Accepted"]
    assert broken[:2] == ("False", "Invalid") and broken[2].startswith("`1d` is no duration")


def test_a_member_that_is_well() -> None:
    verdict = statuses.member(Live(), "", GOOD)
    told = by_type(verdict)
    assert {name: row[:2] for name, row in told.items()} == {
        "Accepted": ("True", "Accepted"),
        "Ready": ("True", "Reachable"),
        "Synced": ("True", "Watched"),
    }
    assert verdict.fields == {
        "version": "v1.34.1",
        "region": "europe-west1",
        "zones": ["a", "b"],
        "services": 7,
        "identity": "uid",
    }


def test_what_is_wrong_with_a_member() -> None:
    def told(known: Member) -> dict[str, tuple[str, str, str]]:
        return by_type(statuses.member(Live(), "", known))

    lost = told(GOOD._replace(api="unreachable", evidence="connection refused"))
    assert lost["Ready"] == ("False", "Unreachable", "connection refused")
    assert lost["Synced"][:2] == ("False", "Frozen")
    refused = told(GOOD._replace(feeds=(FEEDS[0], Feed("nodes", True, "403 Forbidden: no"))))
    assert refused["Synced"] == ("False", "Refused", "nodes: 403 Forbidden: no")
    assert refused["Ready"][0] == "True"
    begun = told(GOOD._replace(feeds=(FEEDS[0], Feed("nodes", False))))
    assert begun["Synced"] == ("False", "NotListed", "nodes: not listed yet")
    foreign = told(GOOD._replace(foreign="another cluster"))
    assert foreign["Ready"] == ("False", "AnotherCluster", "another cluster")
    assert told(Member())["Ready"][:2] == ("Unknown", "NotAsked")


def test_the_time_moves_only_when_the_status_does() -> None:
    live = Live(1)
    change = statuses.difference(live, statuses.member(live, "", GOOD), FIRST)
    assert change and change.moved
    live = applied(live, change)
    assert statuses.difference(live, statuses.member(live, "", GOOD), LATER) is None
    lost = statuses.member(live, "", GOOD._replace(api="unreachable", evidence="timeout"))
    change = statuses.difference(live, lost, LATER)
    assert change and change.moved
    times = {row["type"]: row["lastTransitionTime"] for row in change.status["conditions"]}
    assert times == {"Accepted": FIRST, "Ready": LATER, "Synced": LATER}
    again = statuses.member(live, "", GOOD._replace(api="unreachable", evidence="connection refused"))
    other = statuses.difference(applied(live, change), again, "2026-01-03T00:00:00Z")
    assert other and not other.moved
    assert {row["lastTransitionTime"] for row in other.status["conditions"]} == {FIRST, LATER}


def test_another_generation_is_observed() -> None:
    live = Live(1)
    change = statuses.difference(live, statuses.policy(live, ""), FIRST)
    assert change
    edited = Live(2, "", applied(live, change).conditions)
    change = statuses.difference(edited, statuses.policy(edited, ""), LATER)
    assert change and not change.moved
    (row,) = change.status["conditions"]
    assert (row["observedGeneration"], row["lastTransitionTime"]) == (2, FIRST)


def test_what_is_not_known_stays_written() -> None:
    live = Live(1, "", (), {"version": "v1.33.0", "services": 3, "others": 1})
    change = statuses.difference(live, statuses.member(live, "", GOOD._replace(version=None)), FIRST)
    assert change
    assert (change.status["version"], change.status["services"]) == ("v1.33.0", 7)
    assert "others" not in change.status, "what others wrote is theirs"
    change = statuses.difference(live, statuses.member(live, "no Secret", None), FIRST)
    assert change and set(change.status) == {"conditions"}


def test_what_others_wrote_is_left_alone() -> None:
    theirs = {"type": "Paid", "status": "False"}
    live = Live(1, "", (theirs,))
    change = statuses.difference(live, statuses.policy(live, ""), FIRST)
    assert change and [row["type"] for row in change.status["conditions"]] == ["Accepted"]
    both = Live(1, "", (theirs, *change.status["conditions"]))
    assert statuses.difference(both, statuses.policy(both, ""), LATER) is None


WORDS = st.text(max_size=8)
FOUND = st.builds(
    Member,
    st.sampled_from(["reachable", "unreachable", "unknown"]),
    WORDS,
    st.sampled_from(["", "another cluster"]),
    st.lists(st.builds(Feed, WORDS, st.booleans(), WORDS, WORDS), max_size=3).map(tuple),
    st.none() | WORDS,
    st.none() | WORDS,
    st.none() | st.lists(WORDS, max_size=2).map(tuple),
    st.none() | st.integers(0, 9),
    st.none() | WORDS,
)
STRANGE: Any = st.dictionaries(st.sampled_from(["type", "status", "reason", "x"]), st.none() | WORDS)


@given(
    FOUND,
    st.builds(Live, st.integers(0, 3), WORDS, st.lists(STRANGE, max_size=3).map(tuple)),
    WORDS,
)
def test_what_was_written_is_not_written_again(known: Member, live: Live, complaint: str) -> None:
    change = statuses.difference(live, statuses.member(live, complaint, known), FIRST)
    assert change is not None
    after = applied(live, change)
    assert statuses.difference(after, statuses.member(after, complaint, known), LATER) is None


ADDRESSES = ({"ip": "192.0.2.7"}, {"hostname": "lb.example.net"})


def test_an_ingress_is_told_where_it_is_reached_and_nothing_else() -> None:
    live = Live(fields={"loadBalancer": {}})
    verdict = statuses.ingress(live, True, ADDRESSES)
    assert verdict is not None
    change = statuses.difference(live, verdict, FIRST)
    assert change is not None
    assert change.status == {"loadBalancer": {"ingress": [dict(each) for each in ADDRESSES]}}
    assert statuses.difference(Live(fields=change.status), verdict, LATER) is None


def test_an_ingress_that_is_no_longer_ours_loses_what_we_wrote_and_only_that() -> None:
    theirs = {"loadBalancer": {"ingress": [{"ip": "192.0.2.99"}]}}
    assert statuses.ingress(Live(fields=theirs), False, ADDRESSES) is None
    assert statuses.ingress(Live(fields=theirs), True, ()) is None
    mine = Live(fields=theirs, ours=True)
    for verdict in (statuses.ingress(mine, False, ADDRESSES), statuses.ingress(mine, True, ())):
        assert verdict is not None
        change = statuses.difference(mine, verdict, FIRST)
        assert change is not None and change.status == {"loadBalancer": {}}
