"""What becomes of the annotations that Ingresses carry, one by one: for who moves here from elsewhere.

Law: the registry's words and no others. Annotations of other families are not the gateway's business.
"""

from collections.abc import Iterable

from msgspec import Struct

from fedns.gateway import registry
from fedns.gateway.row import FAMILIES
from fedns.model.ingress import Ingress

UNKNOWN = "unknown"
ORDER = (UNKNOWN, "ignored", "different", "supported")


class Line(Struct, frozen=True):
    """One annotation, as it is written, and who carries it. `status` is supported, different, ignored, or
    unknown; `words` say how, or why."""

    status: str
    annotation: str
    words: str
    ingresses: tuple[str, ...]


def lines(ingresses: Iterable[Ingress]) -> tuple[Line, ...]:
    """What does nothing first."""
    found: dict[str, set[str]] = {}
    for each in ingresses:
        for full in each.annotations:
            if full.partition("/")[0] in FAMILIES:
                found.setdefault(full, set()).add(each.key)
    told = [_line(full, tuple(sorted(keys))) for full, keys in found.items()]
    return tuple(sorted(told, key=lambda line: (ORDER.index(line.status), line.annotation)))


def _line(full: str, keys: tuple[str, ...]) -> Line:
    family, _, key = full.partition("/")
    row = registry.find(key)
    if row is None:
        return Line(UNKNOWN, full, "no annotation of this name", keys)
    if family not in row.families:
        return Line(UNKNOWN, full, f"an annotation of {', '.join(row.families)}", keys)
    return Line(row.status, full, row.words, keys)
