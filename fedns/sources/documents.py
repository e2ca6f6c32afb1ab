"""One file of objects -> entries: YAML (many documents) or JSON, single objects or Lists.

Law: pure. Every trouble becomes a problem with file:line; an item whose text did not change is
taken over from the previous reading of the same file and not decoded again; an object that went
bad keeps its last good value, and so does what a half-written file lacks. A file that cannot be
parsed at all raises `Broken`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import yaml
from msgspec import Raw, Struct, structs

from fedns.errors import Problem
from fedns.sources import dumps, hints, objects

ObjectKey = tuple[str, str, str]
"""kind, namespace, name."""
Kinds = Mapping[tuple[str, str], objects.Kind]
DEPTH = 500
"""How deep YAML may nest; Kubernetes objects stay below 30."""


class Broken(Exception):
    """The file as a whole cannot be read; carries the problem that says where."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.problem = Problem(where, what, "the last good content of this file stays in use")


class Entry(Struct, frozen=True, gc=False):
    """One object of a file: `value` is what its kind's strip left (None: nothing), `trouble` why; `doubt` is
    what is odd about a value that counts. `located`: its line is kept."""

    key: ObjectKey
    value: Any
    trouble: str = ""
    doubt: str = ""
    located: bool = False


class Content(Struct, frozen=True):
    """A file as last read: its entries by digest of their text, in file order, and its problems; `dump`
    where it is a long JSON list, `lines` of entries that are located."""

    entries: Mapping[int, Entry] = {}
    problems: tuple[Problem, ...] = ()
    dump: dumps.Dump | None = None
    lines: Mapping[int, int] = {}


class _Names(Struct, gc=False):
    name: str = ""
    namespace: str | None = None


class _Identity(Struct, gc=False):
    apiVersion: str = ""
    kind: str = ""
    metadata: _Names | None = None


class _Whole(Struct, gc=False):
    apiVersion: str = ""
    kind: str = ""
    items: list[Raw] | None = None


class _Item(Struct, gc=False):
    """An object not decoded yet. `convert` decodes it to a type; `line` finds it in the file; `twice` is a
    key that one of its maps has twice, where that is known."""

    list_kind: tuple[str, str]
    convert: Callable[[Any], Any]
    line: Callable[[], int]
    twice: Callable[[], str] = str


class _Items(NamedTuple):
    """The objects of a file: digests of their texts, and any of them by its number.

    A dump is one file of 10,000 objects, of which one changed: most are known by their digest alone."""

    digests: Sequence[int]
    item: Callable[[int], _Item]
    dump: dumps.Dump | None = None


_NOTHING = Entry(("", "", ""), None)
_NO_KIND = Entry(("", "", ""), None, "no Kubernetes object: it has no `kind`")
_BAD = (msgspec.MsgspecError, objects.WrongShape, RecursionError, UnicodeDecodeError)
"""What decoding and stripping one object may raise."""
_ENDLESS = "something in it contains itself, by an alias, or is nested too deep"
_INDENT = re.compile(r"^[ \-?:]+", re.MULTILINE)
_whole = msgspec.json.Decoder(_Whole)
_decoders: dict[Any, Any] = {}


def read(path: str, data: bytes, kinds: Kinds, previous: Content) -> Content:
    """The entries of one file. `path` is only for telling where; its end tells JSON from YAML."""
    if (not data or data.isspace()) and previous.entries:
        raise Broken(f"{path}:1", "the file is empty (being written?); remove it to remove its objects")
    if path.endswith(".json"):
        return _Reading(path, kinds, previous).all(_again(path, data, previous))
    reading = _Reading(path, kinds, previous)
    found = reading.all(_yaml(path, data))
    if not data.endswith(b"\n"):
        return reading.cut(found, data.count(b"\n") + 1)
    return reading.kept(found) if reading.ailing else found


class _Reading:
    """One pass over one file."""

    def __init__(self, path: str, kinds: Kinds, previous: Content) -> None:
        self._path, self._kinds, self._previous = path, kinds, previous
        self._good: dict[ObjectKey, Any] | None = None
        self._problems: list[Problem] = []
        self._doubts: list[Problem] = []

    @property
    def ailing(self) -> bool:
        """Whether something could not be read as it stands."""
        return bool(self._problems)

    def all(self, items: _Items) -> Content:
        known = list(map(self._previous.entries.get, items.digests))
        fresh = {
            at: self._fresh(items.item(at))
            for at, old in enumerate(known)
            if old is None or old.trouble or old.doubt
        }
        entries: dict[int, Any] = dict(zip(items.digests, known, strict=True))
        entries.update((items.digests[at], entry) for at, entry in fresh.items())
        keys = [entry.key for entry in entries.values() if entry is not _NOTHING]
        if len(set(keys)) < len(keys):
            entries = dict(self._first(items, entries))
        lines = {
            digest: items.item(at).line()
            for at, digest in enumerate(items.digests)
            if digest in entries and entries[digest].located
        }
        return Content(entries, (*self._problems, *self._doubts), items.dump, lines)

    def kept(self, found: Content) -> Content:
        """YAML with trouble in it may be half written: objects that it does not tell (any more) stay."""
        there = {entry.key for entry in found.entries.values()}
        before = self._previous.entries.items()
        missed = {digest: old for digest, old in before if old.value is not None and old.key not in there}
        return structs.replace(found, entries={**found.entries, **missed}) if missed else found

    def cut(self, found: Content, line: int) -> Content:
        """YAML that ends within a line: its last object stays as it was, too."""
        entries = {digest: entry for digest, entry in found.entries.items() if entry.value is not None}
        *_, last = found.entries or (0,)
        old = self._last_good(found.entries[last].key) if found.entries else None
        if old is not None and old != found.entries[last].value:
            entries[last] = Entry(found.entries[last].key, old, "half written")
        whole = self.kept(structs.replace(found, entries=entries))
        if whole.entries == found.entries:
            return found
        hint = "its last object, and objects that it lacks, stay as they were until the line has an end"
        problem = Problem(f"{self._path}:{line}", "the file ends within a line (being written?)", hint)
        return structs.replace(whole, problems=(*found.problems, problem))

    def _fresh(self, item: _Item) -> Entry:
        entry = self._entry(item)
        if entry.trouble:
            self._complain(item, entry.trouble)
        if entry.doubt:
            self._doubts.append(
                Problem.warning(f"{self._path}:{item.line()}", f"{_called(entry.key)}: {entry.doubt}")
            )
        return entry

    def _first(self, items: _Items, entries: Mapping[int, Entry]) -> Iterator[tuple[int, Entry]]:
        """The entries without those whose object stands further up already, in another text."""
        holders: dict[ObjectKey, int] = {}
        for at, digest in enumerate(items.digests):
            entry = entries[digest]
            if entry.value is not None and holders.setdefault(entry.key, digest) != digest:
                what = f"{_called(entry.key)} is in this file twice; the first is used"
                self._complain(items.item(at), what)
            else:
                yield digest, entry

    def _complain(self, item: _Item, what: str) -> None:
        self._problems.append(Problem(f"{self._path}:{item.line()}", what))

    def _entry(self, item: _Item) -> Entry:
        try:
            identity = item.convert(_Identity)
        except _BAD as error:
            return Entry(("", "", ""), None, f"no Kubernetes object: {error}")
        version = (identity.apiVersion, identity.kind) if identity.kind else item.list_kind
        kind = self._kinds.get(version)
        names = identity.metadata or _Names()
        key = (version[1], names.namespace or "default", names.name)
        if kind is None:
            other = hints.version(version, self._kinds)
            if other:
                return Entry(key, self._last_good(key), f"{_called(key)}: {other}")
            return _NOTHING if version[1] else _NO_KIND
        if kind.grouped and "/" in version[0]:
            key = (f"{version[1]}.{version[0].partition('/')[0]}", *key[1:])
        try:
            value = kind.strip(item.convert(kind.shape))
            twice = item.twice() if kind.located else ""
            if twice:
                raise objects.WrongShape(f"`{twice}` is there twice, and only one of them can count")
            return Entry(key, value, doubt="" if value is None else kind.doubt(value), located=kind.located)
        except _BAD as error:
            hint = hints.shape(str(error), kind.shape)
            meant = f" ({hint})" if hint else ""
            said = _ENDLESS if isinstance(error, RecursionError) else f"{error}{meant}"
            return Entry(key, self._last_good(key), f"{_called(key)}: {said}")

    def _last_good(self, key: ObjectKey) -> Any:
        if self._good is None:
            self._good = {one.key: one.value for one in self._previous.entries.values()}
        return self._good.get(key)


def _called(key: ObjectKey) -> str:
    return f"{key[0]} {key[1]}/{key[2]}"


def _again(path: str, data: bytes, previous: Content) -> _Items:
    """A JSON file, of which only what differs is parsed where it is a dump."""
    found = dumps.again(data, previous.dump) if previous.dump and not previous.problems else None
    if found is None:
        return _json(path, data)
    dump, first, parsed = found

    def item(at: int) -> _Item:
        inside = first <= at < first + len(parsed)
        return (
            _json_item(bytes(parsed[at - first]), data, dump.kind) if inside else _json(path, data).item(at)
        )

    return _Items(dump.digests, item, dump)


def _json(path: str, data: bytes) -> _Items:
    try:
        whole = _whole.decode(data)
    except msgspec.ValidationError as error:
        raise Broken(f"{path}:1", f"no Kubernetes object: {error}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Broken(f"{path}:{_error_line(data, str(error))}", str(error)) from None
    if whole.items is None:
        return _Items((hash(data),), lambda at: _json_item(data, data, ("", "")))
    kind, raws = (whole.apiVersion, whole.kind.removesuffix("List")), whole.items
    dump = dumps.cut(data, raws, kind) if len(raws) > dumps.BLOCK else None
    digests = dump.digests if dump else [hash(bytes(raw)) for raw in raws]
    return _Items(digests, lambda at: _json_item(bytes(raws[at]), data, kind), dump)


def _json_item(text: bytes, data: bytes, list_kind: tuple[str, str]) -> _Item:
    def convert(shape: Any) -> Any:
        decoder = _decoders.get(shape)
        if decoder is None:
            decoder = _decoders[shape] = msgspec.json.Decoder(shape)
        return decoder.decode(text)

    return _Item(list_kind, convert, lambda: data.count(b"\n", 0, max(data.find(text), 0)) + 1)


def _error_line(data: bytes, message: str) -> int:
    """The line of msgspec's `(byte N)`; the last line where it says none (truncated input)."""
    _, found, rest = message.rpartition("(byte ")
    end = int(rest.rstrip(")")) if found and rest.rstrip(")").isdigit() else len(data.rstrip())
    return data.count(b"\n", 0, end) + 1


def _yaml(path: str, data: bytes) -> _Items:
    try:
        text = data.decode()
        _bound(text)
        loader = yaml.CSafeLoader(text)
        found = list(_yaml_items(loader, text))
        return _Items([digest for digest, _ in found], lambda at: found[at][1])
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Broken(f"{path}:{line}", f"no UTF-8 text: {error.reason}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = " ".join(str(getattr(error, "problem", None) or error).split())
        raise Broken(f"{path}:{mark.line + 1 if mark else 1}", f"no YAML: {what}") from None
    except (RecursionError, ValueError) as error:
        raise Broken(f"{path}:1", f"no YAML: {error}") from None


def _bound(text: str) -> None:
    """Raise ValueError for text nested deeper than DEPTH: libyaml's composer would overrun the C stack.

    Each level needs a bracket or a wider indent, so most files pass without a look at their events."""
    indents = max(map(len, _INDENT.findall(text)), default=0)
    if indents + text.count("[") + text.count("{") < DEPTH:
        return
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH:
            raise ValueError(f"nested more than {DEPTH} deep")


def _yaml_items(loader: yaml.CSafeLoader, text: str) -> Iterator[tuple[int, _Item]]:
    while loader.check_node():
        node: Any = loader.get_node()
        if node.tag == "tag:yaml.org,2002:null":
            continue
        children, list_kind = _list_of(node)
        for child in (node,) if children is None else children:
            digest = hash((text[child.start_mark.index : child.end_mark.index], list_kind))
            yield digest, _yaml_item(loader, child, list_kind)


def _list_of(node: yaml.Node) -> tuple[list[yaml.Node] | None, tuple[str, str]]:
    """The items of a `List` document and what kind they are if they do not say; else (None, ...)."""
    fields = dict[str, yaml.Node]()
    if isinstance(node, yaml.MappingNode):
        fields = {str(key.value): value for key, value in node.value}
    items = fields.get("items")
    kind = str(fields["kind"].value) if "kind" in fields else ""
    if not kind.endswith("List") or not isinstance(items, yaml.SequenceNode):
        return None, ("", "")
    version = str(fields["apiVersion"].value) if "apiVersion" in fields else ""
    return items.value, (version, kind.removesuffix("List"))


def _yaml_item(loader: yaml.CSafeLoader, node: yaml.Node, list_kind: tuple[str, str]) -> _Item:
    built: list[Any] = []

    def convert(shape: Any) -> Any:
        if not built:
            built.append(_construct(loader, node))
        return msgspec.convert(built[0], shape)

    return _Item(list_kind, convert, lambda: int(node.start_mark.line) + 1, lambda: _twice(node))


def _twice(node: yaml.Node) -> str:
    """A key that stands twice in one map, where YAML takes the last."""
    found, seen = [node], set[int]()
    while found:
        each: Any = found.pop()
        if id(each) in seen or isinstance(each, yaml.ScalarNode):
            continue
        seen.add(id(each))
        rows = each.value if isinstance(each, yaml.MappingNode) else ((None, below) for below in each.value)
        keys = set[str]()
        for key, below in rows:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                return str(key.value)
            keys.add(key.value if isinstance(key, yaml.ScalarNode) else "")
            found.append(below)
    return ""


def _construct(loader: yaml.CSafeLoader, node: yaml.Node) -> Any:
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError, TypeError) as error:
        what = " ".join(str(getattr(error, "problem", None) or error).split())
        raise msgspec.ValidationError(f"no YAML: {what}") from None
