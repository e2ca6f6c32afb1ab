"""What an Ingress asks of requests beside host and path.

Law: made of annotations alone; a name that no header field or parameter can have is a problem, and asks for
what never is.
"""

from typing import Any, cast

from fedns.gateway import readers
from fedns.gateway.options import Compared, Match
from fedns.gateway.wishes import Wishes

_HOW = ("exact", "prefix", "regex")


def match(wishes: Wishes) -> Match:
    return Match(
        wishes.asked.get("match-method", ()), _compared(wishes, "header"), _compared(wishes, "query")
    )


def _compared(wishes: Wishes, what: str) -> tuple[Compared, ...]:
    found = []
    for key, value in sorted(wishes.asked.values.items()):
        how, _, rest = key.partition("-match-")
        kind, _, name = rest.partition("-")
        if how not in _HOW or kind != what or not name:
            continue
        try:
            bare = readers.field_name(name)
        except readers.Wrong as wrong:
            wishes.problem(f"annotation {key}: {name!r} is not {wrong}", "it matches nothing")
            bare = b" "
        found.append((cast(Any, how), bare.lower() if what == "header" else bare, value))
    return tuple(found)
