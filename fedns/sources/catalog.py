"""The objects of a directory tree: which file holds each, and which of two rivals counts.

Law: a broken file keeps its last good content; a removed file takes its objects along; where two
files declare one object the first by path wins and the other is a problem.
"""

from collections.abc import Iterable, Iterator, Set
from typing import Any

from fedns.errors import Problem
from fedns.sources import documents, tree
from fedns.sources.documents import Content, ObjectKey

SUFFIXES = (".yaml", ".yml", ".json")


class Catalog:
    """Objects below `root` of the given kinds. `look` finds files to read, `read` reads one."""

    def __init__(self, root: str, kinds: documents.Kinds) -> None:
        self._tree = tree.Tree(root, SUFFIXES)
        self._shown = root.rstrip("/") or "/"
        self._kinds = kinds
        self._contents: dict[str, Content] = {}
        self._ailing: dict[str, Content] = {}
        self._broken: dict[str, Problem] = {}
        self._values: dict[ObjectKey, Any] = {}
        self._holders: dict[ObjectKey, tuple[str, ...]] = {}
        self._rivals: set[ObjectKey] = set()

    def look(self, hints: Set[str] | None = None) -> tree.Difference:
        """Files to be read now (OSError: the root itself cannot be read)."""
        return self._tree.look(hints)

    def values(self) -> Iterator[tuple[ObjectKey, Any]]:
        return iter(self._values.items())

    def get(self, key: ObjectKey) -> Any:
        """The winning object, stripped; None if there is none."""
        return self._values.get(key)

    @property
    def blind(self) -> bool:
        """Whether something here has never been readable, so that what is missing may not be gone."""
        if any(path not in self._contents for path in self._broken):
            return True
        entries = (one for content in self._ailing.values() for one in content.entries.values())
        return any(one.trouble and one.value is None and one.key[0] for one in entries)

    def places(self) -> Iterator[tuple[ObjectKey, str]]:
        """`file:line` of the objects whose lines are kept."""
        for path, content in self._contents.items():
            for digest, line in content.lines.items():
                entry = content.entries.get(digest)
                if entry is not None and self._holders.get(entry.key, ("",))[0] == path:
                    yield entry.key, f"{self._show(path)}:{line}"

    def problems(self) -> tuple[Problem, ...]:
        found = [problem for content in self._ailing.values() for problem in content.problems]
        found += self._broken.values()
        for key in self._rivals:
            first, *others = self._holders[key]
            what = f"{key[0]} {key[1]}/{key[2]} is declared in {self._show(first)} too; that one is used"
            found += [Problem(f"{self._show(path)}:1", what, "remove one of them") for path in others]
        return tuple(sorted(found))

    def read(self, path: str) -> set[ObjectKey]:
        """Read one file again (gone: its objects go); the keys of objects that differ now."""
        before = self._contents.get(path, Content())
        try:
            with open(path, "rb") as file:
                content = documents.read(self._show(path), file.read(), self._kinds, before)
            self._broken.pop(path, None)
        except FileNotFoundError:
            content = Content()
            self._broken.pop(path, None)
        except documents.Broken as broken:
            self._broken[path] = broken.problem
            return set()
        except OSError as error:
            self._broken[path] = Problem(f"{self._show(path)}:1", f"cannot be read: {error.strerror}")
            return set()
        return self._replace(path, before, content)

    def _show(self, path: str) -> str:
        return self._shown + path.removeprefix(self._tree.root)

    def _replace(self, path: str, before: Content, content: Content) -> set[ObjectKey]:
        if content.entries or content.problems:
            self._contents[path] = content
        else:
            self._contents.pop(path, None)
        if content.problems:
            self._ailing[path] = content
        else:
            self._ailing.pop(path, None)
        old = _items(before, content)
        new = _items(content, before)
        alone = (path,)
        for key in old.keys() - new.keys():
            self._hold(key, tuple(one for one in self._holders[key] if one != path))
        for key in new.keys() - old.keys():
            others = self._holders.get(key)
            self._hold(key, tuple(sorted({*others, path})) if others else alone)
        return {key for key in old.keys() | new.keys() if self._settle(key, path, new)}

    def _hold(self, key: ObjectKey, paths: tuple[str, ...]) -> None:
        if paths:
            self._holders[key] = paths
        else:
            self._holders.pop(key, None)
        (self._rivals.add if len(paths) > 1 else self._rivals.discard)(key)

    def _settle(self, key: ObjectKey, path: str, new: dict[ObjectKey, Any]) -> bool:
        """Put the winner's value in place; whether it differs from the one before."""
        holders = self._holders.get(key)
        value = None
        if holders:
            value = new[key] if holders[0] == path and key in new else self._value_in(holders[0], key)
        if value == self._values.get(key):
            return False
        if value is None:
            del self._values[key]
        else:
            self._values[key] = value
        return True

    def _value_in(self, path: str, key: ObjectKey) -> Any:
        entries = self._contents[path].entries.values()
        return next((one.value for one in entries if one.key == key and one.value is not None), None)


def _items(content: Content, other: Content) -> dict[ObjectKey, Any]:
    """Objects of `content` that `other` does not hold as the very same entry."""
    entries, rest = content.entries, other.entries
    differing: Iterable[int] = entries.keys() - rest.keys()
    if other.problems:  # an object may have another value at the same text: the last good one
        differing = (digest for digest in entries if rest.get(digest) is not entries[digest])
    values = (entries[digest] for digest in differing)
    return {entry.key: entry.value for entry in values if entry.value is not None}
