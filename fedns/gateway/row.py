"""One row of the registry of annotations, and the families that keys belong to.

Law: no key is named here.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

Status = Literal["supported", "different", "ignored"]
Reader = Callable[[str], Any]
FEDNS, NGINX, MSE, HIGRESS = (
    "fedns.io",
    "nginx.ingress.kubernetes.io",
    "mse.ingress.kubernetes.io",
    "higress.io",
)
FAMILIES = (FEDNS, NGINX, MSE, HIGRESS)
"""Where one key stands in several, the first that has it wins."""
Families = tuple[str, ...]
NM: Families = (NGINX, MSE, HIGRESS, FEDNS)
"""What nginx has, MSE takes too, and fedns both."""
M: Families = (MSE, HIGRESS, FEDNS)
N: Families = (NGINX, FEDNS)
F: Families = (FEDNS,)
H: Families = (HIGRESS,)


class Row(NamedTuple):
    """`families` may carry the key; a `*` at its end stands for a name of the user's. `read` is None where
    it is ignored. `guards`: what cannot be read shuts its paths."""

    key: str
    families: Families
    status: Status
    read: Reader | None
    words: str = ""
    guards: bool = False


def yes(key: str, families: Families, read: Reader, words: str = "") -> Row:
    return Row(key, families, "supported", read, words)


def differs(key: str, families: Families, read: Reader, words: str) -> Row:
    return Row(key, families, "different", read, words)


def no(key: str, families: Families, words: str) -> Row:
    return Row(key, families, "ignored", None, words)


def guard(row: Row) -> Row:
    return row._replace(guards=True)
