"""Every object of a directory, whole: the fleet's templates and policies, and what a member has.

Law: policies become values, everything else stays as JSON has it; what YAML alone knows (dates, keys that are
numbers, one node in two places) is made plain.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from fedns.errors import Problem
from fedns.model.propagation import Override, Propagation
from fedns.sources import catalog, hints, objects, overrides

OURS = "fedns.io/"
"""The group of what is told to us; none of it is an application's."""


class Template(Struct, frozen=True):
    """One object, whole."""

    item: dict[str, Any]


class Read(Struct, frozen=True):
    """What a directory holds; `whole` False: some of it could never be read."""

    items: tuple[dict[str, Any], ...] = ()
    policies: tuple[Propagation, ...] = ()
    overrides: tuple[Override, ...] = ()
    problems: tuple[Problem, ...] = ()
    whole: bool = True


class _Everything(Mapping[tuple[str, str], objects.Kind]):
    """Every kind is read, those of policies as such."""

    def __getitem__(self, version: tuple[str, str]) -> objects.Kind:
        if not all(version):
            raise KeyError(version)
        return overrides.KINDS.get(version, TEMPLATE)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(overrides.KINDS)

    def __len__(self) -> int:
        return len(overrides.KINDS)


def told(items: Iterable[dict[str, Any]]) -> Read:
    """The same of objects that an API server told."""
    found, kinds, problems = [], _Everything(), []
    for each in items:
        kind = kinds[each["apiVersion"], each["kind"]]
        try:
            value = kind.strip(msgspec.convert(each, kind.shape))
        except (msgspec.ValidationError, objects.WrongShape) as error:
            meant = hints.shape(str(error), kind.shape)
            problems.append(Problem(_called(each), str(error), meant))
            continue
        found.append(value)
        doubt = "" if value is None else kind.doubt(value)
        if doubt:
            problems.append(Problem(_called(each), doubt))
    return _sorted(found, problems, not problems)


def _called(each: dict[str, Any]) -> str:
    meta = each.get("metadata") or {}
    return f"{each['kind']} " + "/".join(filter(None, (meta.get("namespace"), meta.get("name"))))


def read(root: str) -> Read:
    """All of a directory. OSError: it cannot be read."""
    found = book(root)
    for path in found.look().changed:
        found.read(path)
    return known(found)


def book(root: str) -> catalog.Catalog:
    """A directory that is read whole."""
    return catalog.Catalog(root, _Everything())


def known(book: catalog.Catalog) -> Read:
    """What is known of one."""
    values = [value for _, value in sorted(book.values(), key=lambda row: row[0])]
    return _sorted(values, book.problems(), not book.blind)


def _sorted(values: list[Any], problems: Iterable[Problem], whole: bool) -> Read:
    return Read(
        items=tuple(each.item for each in values if isinstance(each, Template)),
        policies=tuple(each for each in values if isinstance(each, Propagation)),
        overrides=tuple(each for each in values if isinstance(each, Override)),
        problems=tuple(problems),
        whole=whole,
    )


def _template(found: dict[str, Any]) -> Template | None:
    return None if str(found.get("apiVersion")).startswith(OURS) else Template(plain(found))


def plain(value: Any) -> Any:
    """The same as JSON would have it."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, datetime.date) else value


TEMPLATE = objects.Kind(dict[str, Any], _template, grouped=True)
