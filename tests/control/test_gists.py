"""What posts say of themselves: asked again where anything may stand otherwise, and nowhere else."""

from collections import deque
from collections.abc import Mapping

from fedns.control import gists
from fedns.errors import Problem


class Post:
    """Of one member."""

    def __init__(self) -> None:
        self.mark: tuple[object, ...] = (0,)
        self.doubted = False
        self.asked = self.attended = 0
        self.words = ""

    def attend(self) -> None:
        self.attended += 1

    def kinds(self) -> set[tuple[str, str]]:
        self.asked += 1
        return {("v1", "Service")}

    def heard(self) -> bool:
        return not self.words

    def problems(self) -> list[Problem]:
        return [Problem("here", self.words, "")] if self.words else []


def told(made: gists.Gists, posts: Mapping[str, Post]) -> Mapping[str, gists.Gist]:
    """What they say, when all were asked who have to be."""
    deque(made.asked(posts), 0)
    return made.told


def test_who_did_not_move_is_asked_once() -> None:
    posts, made = {"a": Post(), "b": Post()}, gists.Gists()
    assert made.look(posts) == ["a", "b"] and made.look(posts) == []
    for _ in range(3):
        assert told(made, posts)["a"] == gists.Gist([("v1", "Service")], True, ())
    assert [one.asked for one in posts.values()] == [1, 1] == [one.attended for one in posts.values()]

    posts["a"].mark, posts["a"].words = (1,), "it fails"
    assert told(made, posts)["a"].problems == (Problem("here", "it fails", ""),)
    assert not told(made, posts)["a"].heard
    assert made.look(posts) == ["a"] and made.look(posts) == []
    assert [one.asked for one in posts.values()] == [2, 1]


def test_what_is_in_doubt_is_looked_at_each_time_and_once_more_when_it_is_not() -> None:
    post, made = Post(), gists.Gists()
    post.doubted = True
    assert all(made.look({"a": post}) == ["a"] for _ in range(3))
    post.doubted = False
    assert made.look({"a": post}) == ["a"] and made.look({"a": post}) == []


def test_who_left_says_nothing_and_who_comes_again_is_asked_anew() -> None:
    posts, made = {"a": Post(), "b": Post()}, gists.Gists()
    made.look(posts)
    told(made, posts)
    assert made.look({"b": posts["b"]}) == [] and told(made, {"b": posts["b"]}).keys() == {"b"}
    again = {"a": Post(), "b": posts["b"]}
    assert made.look(again) == ["a"] and told(made, again).keys() == {"a", "b"}
    assert again["a"].asked == 1


def test_others_have_their_turn_between_two_posts() -> None:
    posts, made = {str(number): Post() for number in range(3)}, gists.Gists()
    steps = made.asked(posts)
    for number in range(3):
        next(steps)
        assert sum(one.asked for one in posts.values()) == number + 1
