"""Header fields changed on the way, and cookies and places of a backend translated.

Law: pure lists in, lists out; names compare in lower case and go out as they were written.
"""

from collections.abc import Iterable, Sequence

from fedns.gateway.options import Field, Fields

Named = tuple[bytes, bytes, bytes]
"""(lower-case name, name as it came, value)"""


def changed(asked: Fields, headers: Iterable[Field]) -> list[Field]:
    """Header fields with these changes. What is added to a field that is there is appended after a comma."""
    replaced = {name.lower() for name, _ in asked.update}
    gone = replaced.union(asked.remove)
    kept = [(name, value) for name, value in headers if name.lower() not in gone]
    kept += asked.update
    for name, value in asked.add:
        lower = name.lower()
        at = next((at for at in range(len(kept) - 1, -1, -1) if kept[at][0].lower() == lower), None)
        if at is None or lower == b"set-cookie":
            kept.append((name, value))
        else:
            kept[at] = (kept[at][0], kept[at][1] + b"," + value)
    return kept


def put(said: Sequence[Field], headers: Iterable[Field]) -> list[Field]:
    """Header fields with these set, in place of all of the same names."""
    names = {name.lower() for name, _ in said}
    return [each for each in headers if each[0].lower() not in names] + list(said)


def moved(value: bytes, rules: Iterable[Field]) -> bytes:
    """A Location or Refresh of the backend, its beginning replaced by the first rule that fits."""
    for old, new in rules:
        at = value.find(old)
        if at == 0 or (at > 0 and value[:at].lower().endswith(b"url=")):
            return value[:at] + new + value[at + len(old) :]
    return value


def recookied(value: bytes, domains: Sequence[Field], paths: Sequence[Field]) -> bytes:
    """A Set-Cookie of the backend with its Domain and Path translated."""
    parts = value.split(b";")
    for at, part in enumerate(parts[1:], 1):
        name, mark, content = part.partition(b"=")
        kind = name.strip().lower()
        if mark and kind == b"domain":
            bare = content.strip().lstrip(b".").lower()
            new = next((new for old, new in domains if old.lstrip(b".").lower() == bare), None)
        elif mark and kind == b"path":
            begins = next(((old, new) for old, new in paths if content.strip().startswith(old)), None)
            new = None if begins is None else begins[1] + content.strip()[len(begins[0]) :]
        else:
            continue
        if new is not None:
            parts[at] = name + b"=" + new
    return b";".join(parts)
