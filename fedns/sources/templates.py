"""Every object of a directory, whole: the fleet's templates and policies, and what a member has.

Law: policies become values, everything else stays as JSON has it; what YAML alone knows (dates, keys that are
numbers, one node in two places) is made plain.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, structs

from fedns import errors
from fedns.errors import Problem
from fedns.model.propagation import Override, Propagation
from fedns.sources import catalog, hints, objects, overrides, propagation

OURS = "fedns.io/"
"""The group of what is told to us; none of it is an application's."""


class Template(Struct, frozen=True):
    """One object, whole."""

    item: dict[str, Any]


class Read(Struct, frozen=True):
    """What a directory holds; `whole` False: some of it could never be read. `places`: of policies,
    file:line."""

    items: tuple[dict[str, Any], ...] = ()
    policies: tuple[Propagation, ...] = ()
    overrides: tuple[Override, ...] = ()
    problems: tuple[Problem, ...] = ()
    whole: bool = True
    places: Mapping[str, str] = {}


class Everything(Mapping[tuple[str, str], objects.Kind]):
    """Every kind is read, those of policies as such."""

    def __getitem__(self, version: tuple[str, str]) -> objects.Kind:
        if version not in overrides.KINDS and not all(version):
            raise KeyError(version)
        return overrides.KINDS.get(version, TEMPLATE)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(overrides.KINDS)

    def __len__(self) -> int:
        return len(overrides.KINDS)


def told(items: Iterable[dict[str, Any]]) -> Read:
    """The same of objects that an API server told."""
    found, kinds, problems = [], Everything(), []
    for each in sorted(items, key=propagation.dialect):
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
            problems.append(Problem.warning(_called(each), doubt))
    return _sorted(found, problems, not errors.faulty(problems))


def _called(each: dict[str, Any]) -> str:
    meta = each.get("metadata") or {}
    return f"{each['kind']} " + "/".join(str(meta[one]) for one in ("namespace", "name") if meta.get(one))


def read(root: str) -> Read:
    """All of a directory, or of one file. OSError: it cannot be read."""
    found = book(root)
    for path in (os.path.abspath(root),) if os.path.isfile(root) else found.look().changed:
        found.read(path)
    return known(found)


def book(root: str) -> catalog.Catalog:
    """A directory that is read whole."""
    return catalog.Catalog(root, Everything())


def known(book: catalog.Catalog) -> Read:
    """What is known of one."""
    rows = sorted(book.values(), key=lambda row: row[0])
    lines = dict(book.places())
    found = _sorted([value for _, value in rows], book.problems(), not book.blind)
    places = {value.title: lines[key] for key, value in rows if key in lines}
    return structs.replace(found, places=places)


def _sorted(values: list[Any], problems: Iterable[Problem], whole: bool) -> Read:
    policies, twice = propagation.firsts(each for each in values if isinstance(each, Propagation | Override))
    return Read(
        items=tuple(each.item for each in values if isinstance(each, Template)),
        policies=tuple(each for each in policies if isinstance(each, Propagation)),
        overrides=tuple(each for each in policies if isinstance(each, Override)),
        problems=(*problems, *twice),
        whole=whole,
    )


def located(problems: Iterable[Problem], places: Mapping[str, str]) -> Iterator[Problem]:
    """Problems of policies, with the line in the file where one stands."""
    for each in problems:
        place = places.get(each.where.partition(": ")[0])
        yield structs.replace(each, where=place, what=f"{each.where}: {each.what}") if place else each


def _template(found: dict[str, Any]) -> Template | None:
    return None if str(found.get("apiVersion")).startswith(OURS) else Template(objects.plain(found))


TEMPLATE = objects.Kind(dict[str, Any], _template, grouped=True)
