"""What may have been meant by an object that does not fit its shape: the likeliest field or word.

Law: pure. It reads msgspec's message and walks the shape to the place that it names; where it cannot
follow there is no hint.
"""

import re
from collections.abc import Iterable
from typing import Any

from msgspec import inspect

from fedns import schema

_FIELD = re.compile(r"Object contains unknown field `([^`]*)`(?: - at `\$\.?([^`]*)`)?\Z")
_WORD = re.compile(r"Invalid enum value '(.*)' - at `\$\.([^`]*)`\Z")
_OTHERWISE = tuple(
    (re.compile(rf"Expected `(?:{wanted})(?: \| null)?`, got `(?:{got})`"), hint)
    for wanted, got, hint in (
        ("str", "int|float|bool", "in quotes it is text"),
        ("int", "str|float", "a whole number, without quotes"),
        ("bool", "str|int", "true or false, without quotes"),
        ("array", "object|str|int|float|bool", "a list, `[...]` or rows that begin with `- `"),
        ("object", "array", "one map, no list of them"),
        ("object|array|str|int|bool", "null", "nothing is written there: say what, or take it out"),
    )
)


def shape(message: str, shape: Any) -> str:
    """The hint for msgspec's `message` about a value of `shape`; empty: none."""
    field, word = _FIELD.match(message), _WORD.match(message)
    found = field or word
    if found is None:
        return next((hint for pattern, hint in _OTHERWISE if pattern.match(message)), "")
    types = _at(inspect.type_info(shape), found[2] or "")
    names = [name for each in types for name in _names(each, field is not None)]
    if word and names and word[1][:1].lower() not in {each[:1].lower() for each in names}:
        return f"known: {', '.join(sorted(names))}"  # `move` is another word, not `remove` misspelt
    return schema.nearest(found[1], names) if names else ""


def version(version: tuple[str, str], known: Iterable[tuple[str, str]]) -> str:
    """What is wrong with an (apiVersion, kind) of which another version is known; empty: nothing."""
    group = version[0].rpartition("/")[0]
    others = [each for each, kind in known if kind == version[1] and each.rpartition("/")[0] == group]
    return f"apiVersion {version[0]!r} is not read (known: {', '.join(sorted(others))})" if others else ""


def _at(here: inspect.Type, path: str) -> list[inspect.Type]:
    """The types that a value at `path` may have."""
    found = _options(here)
    for part in filter(None, re.split(r"[.\[]", path)):
        found = [option for each in found for below in _below(each, part) for option in _options(below)]
    return found


def _below(here: inspect.Type, part: str) -> list[inspect.Type]:
    if isinstance(here, inspect.StructType):
        return [field.type for field in here.fields if field.encode_name == part]
    if isinstance(here, inspect.DictType):
        return [here.value_type]
    return [here.item_type] if isinstance(here, inspect.ListType | inspect.VarTupleType) else []


def _options(here: inspect.Type) -> list[inspect.Type]:
    return list(here.types) if isinstance(here, inspect.UnionType) else [here]


def _names(here: inspect.Type, field: bool) -> list[str]:
    """Fields of a struct, or the words of a literal."""
    if field:
        return [each.encode_name for each in here.fields] if isinstance(here, inspect.StructType) else []
    return [str(value) for value in here.values] if isinstance(here, inspect.LiteralType) else []
