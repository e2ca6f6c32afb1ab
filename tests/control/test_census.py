"""Copies counted by policy and member, those in trouble with the time since when, and why one is where."""

from collections.abc import Iterable

from fedns.control import census
from fedns.distribute import holding
from fedns.placement import assignment, item, naming
from tests.placement import worlds

WEB = item.Ref("", "Service", "prod", "web")
OTHER = item.Ref("", "Service", "prod", "other")


class Post:
    """Of one member."""

    def __init__(self, *rows: holding.Row) -> None:
        self.moves, self._rows = 1, rows

    def tell(self, *rows: holding.Row) -> None:
        self.moves, self._rows = self.moves + 1, rows

    def stirred(self) -> Iterable[item.Ref]:
        return {WEB, OTHER}

    def rows(self) -> Iterable[holding.Row]:
        return self._rows

    def row(self, what: item.Ref) -> holding.Row | None:
        return next((one for one in self._rows if one.what == what), None)


def row(what: item.Ref, state: holding.State, words: str = "") -> holding.Row:
    return holding.Row(what, state, "P", words)


def test_what_is_not_as_it_should_be_keeps_its_age_while_it_stands_so() -> None:
    post, made = Post(row(WEB, "failing", "500"), row(OTHER, "applied")), census.Census()
    made.look({"a": post}, 100.0)
    post.tell(row(WEB, "failing", "422"), row(OTHER, "drifted"))
    made.look({"a": post}, 130.0)
    assert [(one.row.what, one.since) for one in made.ailing()] == [(OTHER, 130.0), (WEB, 100.0)]
    assert made.failing(140.0) == {("a",): 40.0}
    assert made.states == {("a", "failing"): 1, ("a", "drifted"): 1}
    assert list(made.policies) == [("P", "a", {"drifted": 1, "failing": 1})]
    post.tell(row(WEB, "applied"), row(OTHER, "applied"))
    made.look({"a": post}, 150.0)
    assert not list(made.ailing()) and made.failing(150.0) == {("a",): 0.0}
    made.look({}, 160.0)
    assert made.states == {} and made.failing(160.0) == {}


def test_an_override_that_cannot_be_applied_is_a_problem_once() -> None:
    words = "OverridePolicy prod/o: replace /spec/x 1: there is none"
    post = Post(row(WEB, "stopped", words), row(OTHER, "stopped", "PropagationPolicy prod/p is suspended"))
    made = census.Census()
    made.look({"a": post, "b": post}, 100.0)
    (told,) = made.problems()
    assert told.where == "OverridePolicy prod/o: Service prod/web in a"
    assert told.what == "replace /spec/x 1: there is none; 1 more copies likewise" and told.hint


def test_where_an_object_is_and_why() -> None:
    placement = "placement: {clusterAffinity: {clusterNames: [a]}}"
    spec = f"resourceSelectors: [{{apiVersion: v1, kind: Service, name: web}}]\n{placement}"
    objects = [worlds.one(worlds.SERVICE), worlds.one(worlds.SERVICE.replace("web", "lost"))]
    fleet = assignment.Fleet({item.ref(each): each for each in objects}, (worlds.policy(spec),))
    told = assignment.Assignment(fleet, tuple(worlds.MEMBERS.values()), {})
    posts, made = {"a": Post(row(WEB, "failing", "422 Invalid"))}, census.Census()
    made.look(posts, 100.0)
    found = list(made.reasons(told, posts, lambda what: naming.means("web", what)))
    assert [(one.member, one.why[-1]) for one in found] == [
        ("a", "its placement selects the member"), ("b", "it is none of a"), ("c", "it is none of a"),
    ]  # fmt: skip
    assert found[0].stand == census.Stand("a", row(WEB, "failing", "422 Invalid"), 100.0)
    assert found[1].stand is None
    (lost,) = made.reasons(told, posts, lambda what: naming.means("service/lost", what))
    assert lost.member == "" and lost.why == (
        "no policy selects it: PropagationPolicy prod/web wants the name web",
    )
