"""A directory tree of files as stamps: which files are new, changed or gone since the last look.

Law: hidden names are not files of ours; symlinks are followed (a Kubernetes ConfigMap volume is
made of them). A hint names a path that the watcher saw change: it is looked at alone, and always
counts as changed, since two writes within one clock tick of the kernel share a stamp.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Set

from msgspec import Struct

Stamp = tuple[int, int, int]
"""mtime in ns, size, inode."""


class Difference(Struct, frozen=True):
    """Paths since the last look, sorted."""

    changed: tuple[str, ...]
    removed: tuple[str, ...]


class Tree:
    """The files below `root` whose names end in one of `suffixes`; `root` may be one such file."""

    def __init__(self, root: str, suffixes: tuple[str, ...]) -> None:
        self.root = os.path.abspath(root)
        self._suffixes = suffixes
        self._stamps: dict[str, Stamp] = {}
        self._folders: set[str] = set()

    @property
    def paths(self) -> Set[str]:
        """The files found by the last look."""
        return self._stamps.keys()

    def look(self, hints: Set[str] | None = None) -> Difference:
        """What differs now; None looks at everything. FileNotFoundError and other OSErrors: the root."""
        files = None if hints is None else self._files(hints)
        if files is None:
            return self._everything()
        os.stat(self.root)
        changed, removed = [], []
        for path in sorted(files):
            now = stamp(path)
            if now is not None:
                self._stamps[path] = now
                changed.append(path)
            elif self._stamps.pop(path, None):
                removed.append(path)
        return Difference(tuple(changed), tuple(removed))

    def _everything(self) -> Difference:
        folders: set[str] = set()
        found = dict(self._walk(self.root, folders, ()))
        known = self._stamps
        changed = tuple(path for path in sorted(found) if known.get(path) != found[path])
        removed = tuple(path for path in sorted(known) if path not in found)
        self._stamps, self._folders = found, folders
        return Difference(changed, removed)

    def _walk(self, folder: str, folders: set[str], above: tuple[int, ...]) -> Iterator[tuple[str, Stamp]]:
        inode = os.stat(folder).st_ino
        if inode in above:
            return
        folders.add(folder)
        for name in sorted(os.listdir(folder)):
            path = f"{folder}/{name}"
            if name.startswith("."):
                continue
            if name.endswith(self._suffixes) and (now := stamp(path)):
                yield path, now
            elif os.path.isdir(path):
                yield from self._below(path, folders, (*above, inode))

    def _below(self, path: str, folders: set[str], above: tuple[int, ...]) -> Iterable[tuple[str, Stamp]]:
        try:
            return list(self._walk(path, folders, above))
        except OSError:  # gone or closed to us while we walk: as if empty
            return ()

    def _files(self, hints: Set[str]) -> set[str] | None:
        """The files of ours among the hints; None if one of them can mean more than itself."""
        files = set()
        for path in hints:
            name = os.path.basename(path)
            if path in self._folders or name.startswith("..") or os.path.islink(path) or os.path.isdir(path):
                return None
            if name.endswith(self._suffixes) and not self._hidden(path):
                files.add(path)
        return files

    def _hidden(self, path: str) -> bool:
        return "/." in path.removeprefix(self.root)


def stamp(path: str) -> Stamp | None:
    """The stamp of a regular file, None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
