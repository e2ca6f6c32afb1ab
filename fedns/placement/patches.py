"""RFC 6902 on an object, strictly: all operations or none.

Law: pure. jsonpatch does it; an index that is negative or has leading zeros is refused, which the RFC asks
for and others let pass.
"""

import json
from collections.abc import Iterable
from typing import Any

import jsonpatch
import jsonpointer

from fedns.model.propagation import Patch


class Refused(ValueError):
    """An operation that cannot be done, and why."""


def applied(found: Any, patches: Iterable[Patch]) -> Any:
    """A copy after all operations. Refused."""
    for each in patches:
        operation = {"op": each.operator, "path": each.path}
        if each.operator != "remove":
            operation["value"] = each.value
        try:
            found = jsonpatch.apply_patch(found, [operation])
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as error:
            shown = "" if each.operator == "remove" else f" {json.dumps(each.value, default=str)[:80]}"
            raise Refused(f"{each.operator} {each.path}{shown}: {error}") from None
    return found


def looked(found: Any, path: str) -> Any:
    """What stands at a JSON pointer. Refused."""
    try:
        return jsonpointer.resolve_pointer(found, path)
    except jsonpointer.JsonPointerException as error:
        raise Refused(f"{path}: {error}") from None
