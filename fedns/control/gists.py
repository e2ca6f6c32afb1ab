"""What posts say of themselves, asked again only where something may stand otherwise.

Law: a member of which nothing was heard, where nothing waits and nothing changed, costs a comparison at each
look, and nothing else. Where anything is in doubt, time alone may change it: then it is asked at each look.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from fedns.errors import Problem


class Post(Protocol):
    """One member's copies."""

    @property
    def mark(self) -> tuple[object, ...]: ...

    @property
    def doubted(self) -> bool: ...

    def attend(self) -> None: ...

    def kinds(self) -> set[tuple[str, str]]: ...

    def heard(self) -> bool: ...

    def problems(self) -> Iterable[Problem]: ...


class Gist(NamedTuple):
    """`kinds` (apiVersion and kind) of which there are copies, or may be; `heard`: whether it is known what
    the member says of those of which statuses are told."""

    kinds: list[tuple[str, str]]
    heard: bool
    problems: tuple[Problem, ...]


class _Seen:
    """One post as somebody saw it last."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self._mark: tuple[object, ...] = ()
        self._doubted = True

    def moved(self) -> bool:
        """Whether it may stand otherwise."""
        mark = self.post.mark
        if mark == self._mark and not self._doubted:
            return False
        self._mark, self._doubted = mark, self.post.doubted
        return True


class Gists:
    """Of all posts."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._heard: dict[str, _Seen] = {}
        self.told: dict[str, Gist] = {}
        """What they say of themselves."""

    def look(self, posts: Mapping[str, Post]) -> list[str]:
        """The members whose copies may stand otherwise than at the look before."""
        moved = list(_moved(self._seen, posts))
        for name in moved:
            posts[name].attend()
        return moved

    def asked(self, posts: Mapping[str, Post]) -> Iterator[None]:
        """Has them say it, post by post."""
        for name in self.told.keys() - posts.keys():
            del self.told[name]
        for name in _moved(self._heard, posts):
            one = posts[name]
            self.told[name] = Gist(sorted(one.kinds()), one.heard(), tuple(one.problems()))
            yield


def _moved(seen: dict[str, _Seen], posts: Mapping[str, Post]) -> Iterator[str]:
    for name in seen.keys() - posts.keys():
        del seen[name]
    for name, one in tuple(posts.items()):
        if name not in seen or seen[name].post is not one:
            seen[name] = _Seen(one)
        if seen[name].moved() and posts.get(name) is one:
            yield name
