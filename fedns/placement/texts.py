"""Documents that stand in a string, YAML or JSON: read as JSON has them, and written as Go's libraries write.

Law: pure. What was not changed means the same to who reads it: a time, `1:30` and `y` stay words, and `1.50`
keeps its nought. What JSON has no word for is no document. Aliases are written out, within bounds.
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import yaml

MOST = 100_000
"""Values in a document, aliases written out."""
BOOLEAN = ("y", "Y", "n", "N")
"""Words that are true or false to some readers of YAML 1.1."""
_TAG = "tag:yaml.org,2002:"
_INT = r"[-+]?(?:0[bB][01_]+|0[oO]?[0-7_]*|0[xX][0-9a-fA-F_]+|[1-9][0-9_]*)"
_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
_SPELT = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (
        r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
        list("yYnNtTfFoO"),
    ),
    "int": (_INT, list("-+0123456789")),
    "float": (_FLOAT, list("-+0123456789.")),
}
"""Plain words that are no text, by what they are: as Go's YAML has them, and with their first characters."""
_NO_TEXT = re.compile("|".join(f"(?:{pattern})" for pattern, _ in _SPELT.values()))
_TIMES = re.compile(
    r"\d{4}-\d\d?-\d\d?(?:[Tt ]+\d\d?:\d\d?:\d\d?(?:\.\d+)?(?:Z|[-+]\d\d?:?\d\d)?)?"
    r"|[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?"
)
"""Texts that older readers take for a time."""


_BREAKS = frozenset("\x85\u2028\u2029")
"""Ends of lines to some readers."""


class Unreadable(ValueError):
    """Why a text is no document."""


class _Loader(yaml.SafeLoader):
    """Knows the values of JSON, and no others."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "that is no map", node.start_mark)
        self.flatten_mapping(node)
        return {self._key(key): self.construct_object(value, deep) for key, value in node.value}

    def _key(self, node: Any) -> str:
        key = self.construct_object(node, True)
        if key is None or isinstance(key, dict | list):
            raise yaml.constructor.ConstructorError(None, None, f"{key} is no name", node.start_mark)
        return str(key).lower() if isinstance(key, bool) else str(key)

    def number(self, node: Any) -> int | Decimal:
        text = str(node.value).replace("_", "")
        if re.fullmatch(_INT, text):
            octal = re.fullmatch(r"([-+]?)0([0-7]+)", text)
            return int(f"{octal[1]}0o{octal[2]}" if octal else text, 0)
        if re.fullmatch(r"[-+]?[0-9]+", text):
            return int(text)  # as 08, which is no octal
        made = Decimal(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if not made.is_finite():
            raise yaml.constructor.ConstructorError(None, None, f"{text} is no number", node.start_mark)
        return made


_Loader.yaml_implicit_resolvers = {"<": [(_TAG + "merge", re.compile("<<"))]}
_Loader.yaml_constructors = {
    tag: make
    for tag, make in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.removeprefix(_TAG) in ("null", "bool", "str", "seq", "map")
}
_Loader.add_constructor(_TAG + "int", _Loader.number)
_Loader.add_constructor(_TAG + "float", _Loader.number)


class _Dumper(yaml.SafeDumper):
    """Words that some reader takes for something else get double quotes, lines their own; no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def check_simple_key(self) -> bool:
        """The empty word is a key like any other: PyYAML would write it as `? ""`."""
        return super().check_simple_key() or getattr(self.event, "value", None) == ""

    def text(self, data: str) -> Any:
        quoted = data in BOOLEAN or any(each.fullmatch(data) for each in (_NO_TEXT, _TIMES))
        quoted = quoted or not _BREAKS.isdisjoint(data)
        style = '"' if quoted else "|" if "\n" in data else None
        return self.represent_scalar(_TAG + "str", data, style=style)

    def decimal(self, data: Decimal) -> Any:
        return self.represent_scalar(_TAG + "float", str(data))


_Dumper.yaml_implicit_resolvers = {}
_Dumper.add_representer(str, _Dumper.text)
_Dumper.add_representer(Decimal, _Dumper.decimal)
for _name, (_pattern, _first) in _SPELT.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), _first)


def _yaml(text: str) -> Any:
    found = yaml.load(text, Loader=_Loader)  # a SafeLoader
    if _size(found, {}) > MOST:
        raise ValueError("its aliases stand for too much")
    return found


def _size(found: Any, known: dict[int, int]) -> int:
    """How many values there are where each alias is written out."""
    if not isinstance(found, dict | list):
        return 1
    if id(found) not in known:
        below = found.values() if isinstance(found, dict) else found
        known[id(found)] = 1 + sum(_size(each, known) for each in below)
    return known[id(found)]


def _dumped(document: Any) -> str:
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=1 << 20))


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


_COMPACT = msgspec.json.Encoder(decimal_format="number")
_SYNTAXES: dict[str, tuple[Callable[[str], Any], Callable[[Any], str]]] = {
    "json": (_json, lambda found: _COMPACT.encode(found).decode()),
    "yaml": (_yaml, _dumped),
}


def read(text: str, syntax: str) -> Any:
    """Unreadable."""
    try:
        return _SYNTAXES[syntax][0](text)
    except (ValueError, ArithmeticError, yaml.YAMLError, RecursionError) as error:
        raise Unreadable(f"no {syntax.upper()}: {error}") from None


def written(document: Any, syntax: str) -> str:
    return _SYNTAXES[syntax][1](document)
