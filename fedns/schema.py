"""A YAML document read into frozen structs, every mistake a `Problem` with its line and a hint.

The struct's field types are the schema: nothing is declared twice. A field may be refined with
`Annotated[type, parser]`, where the parser takes the written text and the reader.

Law: reading never raises for bad input; it goes on after a mistake, so that one run shows all of
them. `problems` make the value unusable; `warnings` (an unreachable path) do not.
"""

import difflib
import os
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import yaml

from fedns.errors import Problem

MAX_BYTES = 4 << 20
"""A configuration larger than this is a mistake (someone pointed at a dump), bytes."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)

Path = tuple[str | int, ...]
T = TypeVar("T")


class Bad(Exception):
    """One value is wrong: `what` is wrong with it, and a `hint` what to write instead."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


class Reader:
    """Reads one document and remembers where each value stood. `file` is as the user wrote it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.base = os.path.dirname(os.path.abspath(file))
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.lines: dict[Path, int] = {}
        self.line = 1

    def where(self, path: Path) -> str:
        """`file:line` of a value, or of the nearest enclosing one that was written."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.file}:{self.lines.get(path, 1)}"

    def bad(self, path: Path, what: str, hint: str = "") -> None:
        self.problems.append(Problem(self.where(path), what, hint))

    def warn(self, what: str, hint: str = "") -> None:
        """A complaint about the value being read, which stays usable."""
        self.warnings.append(Problem(f"{self.file}:{self.line}", what, hint))

    def document(self, kind: type[T]) -> T | None:
        """The whole file as `kind`; None where it cannot be one (then `problems` says why)."""
        try:
            with open(self.file, "rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except OSError as error:
            self.problems.append(Problem(self.file, f"cannot be read: {error.strerror}", "check --config"))
            return None
        return self.parse(data, kind)

    def parse(self, data: bytes, kind: type[T]) -> T | None:
        """`data` as `kind`."""
        if len(data) > MAX_BYTES:
            self.problems.append(Problem(self.file, f"is larger than {MAX_BYTES >> 20} MiB"))
            return None
        try:
            node = yaml.compose(data.decode("utf-8"), yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            self.problems.append(
                Problem(f"{self.file}:{line}", f"not YAML: {error.problem or error.context}")
            )
            return None
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
            self.problems.append(Problem(f"{self.file}:1", f"not YAML: {' '.join(str(error).split())[:200]}"))
            return None
        if node is None:
            self.problems.append(Problem(f"{self.file}:1", "is empty"))
            return None
        value = self.value(node, kind, ())
        return None if self.problems else typing.cast(T, value)

    def value(self, node: yaml.Node, kind: Any, path: Path) -> Any:
        """`node` as `kind`, or None after saying what is wrong."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        try:
            return self._value(node, kind, path)
        except Bad as error:
            name = ".".join(str(step) for step in path) or "the file"
            self.bad(path, f"{name}: {error.what}", error.hint)
        return None

    def _value(self, node: yaml.Node, kind: Any, path: Path) -> Any:
        origin = typing.get_origin(kind)
        if origin is Annotated:
            self.line = node.start_mark.line + 1
            return kind.__metadata__[0](scalar(node), self)
        if origin in (types.UnionType, typing.Union):
            return self._value(
                node, next(arm for arm in typing.get_args(kind) if arm is not type(None)), path
            )
        if origin is tuple:
            return self._sequence(node, typing.get_args(kind)[0], path)
        if origin is Literal:
            return choice(scalar(node), typing.get_args(kind))
        if origin is not None and issubclass(origin, Mapping):
            return self._mapping(node, typing.get_args(kind)[1], path)
        if issubclass(kind, msgspec.Struct):
            return self._struct(node, kind, path)
        return SCALARS[kind](scalar(node))

    def _sequence(self, node: yaml.Node, kind: Any, path: Path) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode):
            raise Bad("must be a list", "write it as [a, b] or as lines that begin with '-'")
        return tuple(self.value(item, kind, (*path, index)) for index, item in enumerate(node.value))

    def _mapping(self, node: yaml.Node, kind: Any, path: Path) -> dict[str, Any]:
        return {key: self.value(item, kind, (*path, key)) for key, item in self._items(node, path)}

    def _struct(self, node: yaml.Node, kind: type[msgspec.Struct], path: Path) -> Any:
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        hints = typing.get_type_hints(kind, include_extras=True)
        values: dict[str, Any] = {}
        for key, item in self._items(node, path):
            if key in fields:
                values[fields[key].name] = self.value(item, hints[fields[key].name], (*path, key))
            else:
                self.bad((*path, key), f"unknown key {key!r}{_under(path)}", nearest(key, fields))
        for key, field in fields.items():
            if field.required and field.name not in values:
                self.bad(path, f"{key!r} is missing{_under(path)}")
                values[field.name] = None
        return kind(**values)

    def _items(self, node: yaml.Node, path: Path) -> list[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise Bad("must be a mapping", "write it as 'key: value' lines or {key: value}")
        found: dict[str, yaml.Node] = {}
        for key, item in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            line = key.start_mark.line + 1
            if name in found:
                self.problems.append(
                    Problem(f"{self.file}:{line}", f"{name!r} is written twice{_under(path)}")
                )
            self.lines[(*path, name)] = line
            found[name] = item
        return list(found.items())


def _under(path: Path) -> str:
    return f" in {'.'.join(str(step) for step in path)}" if path else ""


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """The hint for a misspelt word: the likeliest one meant, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, 1, 0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"


def scalar(node: yaml.Node) -> str:
    """The text of a scalar as it was written."""
    if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
        raise Bad("must be one value")
    return str(node.value)


def choice(text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise Bad(f"{text!r} is not one of {', '.join(allowed)}", nearest(text, allowed))
    return text


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,12}", text, re.ASCII):
        raise Bad(f"{text!r} is not a whole number")
    return int(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"-?\d{1,12}(\.\d{1,12})?", text, re.ASCII):
        raise Bad(f"{text!r} is not a number")
    return float(text)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "yes", "no"):
        raise Bad(f"{text!r} is neither true nor false")
    return text.lower() in ("true", "yes")


SCALARS: dict[Any, Callable[[str], Any]] = {str: str, int: _integer, float: _number, bool: _boolean}


def seconds(text: str) -> float:
    """`500ms`, `5s`, `1h30m` as seconds; a bare number is seconds too."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text, re.ASCII):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Bad(f"{text!r} is not a duration", "write 500ms, 5s, 30m, 1h30m or 2d")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def duration(text: str, reader: Reader) -> float:
    return seconds(text)


def label(text: str, reader: Reader) -> str:
    """One DNS label (RFC 1123), lower case: what region, zone and federation names are made of."""
    if not _LABEL.fullmatch(text):
        raise Bad(f"{text!r} is not a DNS label", "lower-case letters, digits and '-', at most 63")
    return text


def hostname(text: str, reader: Reader) -> str:
    """A domain name, without its trailing dot, lower case."""
    name = text.rstrip(".").lower()
    parts = name.replace("_", "x").split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(part) for part in parts):
        raise Bad(f"{text!r} is not a domain name")
    return name


def directory(text: str, reader: Reader) -> str:
    """A directory as an absolute path; one that cannot be entered is a warning."""
    path = anywhere(text, reader)
    if not os.path.isdir(path):
        kind = "is not a directory" if os.path.exists(path) else "does not exist"
        reader.warn(f"directory {text!r} {kind}", f"looked for {path}")
    elif not os.access(path, os.R_OK | os.X_OK):
        reader.warn(f"directory {text!r} cannot be read", f"check the permissions of {path}")
    return path


def file(text: str, reader: Reader) -> str:
    """A file as an absolute path; one that cannot be read is a warning."""
    path = anywhere(text, reader)
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        kind = "cannot be read" if os.path.isfile(path) else "is no file"
        reader.warn(f"{text!r} {kind}", f"looked for {path}")
    return path


def anywhere(text: str, reader: Reader) -> str:
    """An absolute path from one written relative to the file it stands in."""
    if not text or "\0" in text:
        raise Bad(f"{text!r} is not a path")
    return os.path.normpath(os.path.join(reader.base, os.path.expanduser(text)))
