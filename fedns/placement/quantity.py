"""Amounts as Kubernetes writes them: `500m`, `1Gi`, `2`, `1e3`, and when two spellings are one amount.

Law: pure. API servers keep amounts in one spelling, whatever was sent: that is no difference.
"""

import re
from fractions import Fraction
from typing import Any

SUFFIXES = {
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{unit: Fraction(1000 ** (at + 1)) for at, unit in enumerate("kMGTPE")},
    **{f"{unit}i": Fraction(1024 ** (at + 1)) for at, unit in enumerate("KMGTPE")},
}
_QUANTITY = re.compile(
    r"([+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,2})?)([A-Za-z]{0,2})", re.ASCII
)
FIELDS = frozenset(("sizeLimit", "divisor", "averageValue"))
MAPS = frozenset(("limits", "requests", "hard", "capacity"))
"""Fields that are amounts, and maps of such."""


def read(text: str) -> Fraction | None:
    """An amount; None: it is none."""
    found = _QUANTITY.fullmatch(text)
    return Fraction(found[1]) * SUFFIXES[found[2]] if found and found[2] in SUFFIXES else None


def same(one: Any, other: Any) -> bool:
    """Whether two values are one amount."""
    if not isinstance(one, str | int | float) or not isinstance(other, str | int | float):
        return False
    amount = read(str(one))
    return amount is not None and amount == read(str(other))
