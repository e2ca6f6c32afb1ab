"""Commands with many options: one value that has them all, instead of a parameter for each.

Law: a field is an option as it stands, its default included; what the command gets is the value.
"""

import inspect
import typing
from collections.abc import Callable
from typing import Any


def command(kind: Any, run: Callable[[Any], None]) -> Callable[..., None]:
    """A command of `run` whose options are the fields of a NamedTuple, annotated as typer wants it."""

    def perform(**given: Any) -> None:
        run(kind(**given))

    perform.__name__, perform.__doc__ = run.__name__.strip("_"), run.__doc__
    perform.__annotations__ = typing.get_type_hints(kind, include_extras=True)
    perform.__signature__ = inspect.Signature(parameters(kind))  # type: ignore[attr-defined]
    return perform


def parameters(kind: Any) -> list[inspect.Parameter]:
    """The fields as parameters that are named."""
    hints = typing.get_type_hints(kind, include_extras=True)
    named, absent = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
    return [
        inspect.Parameter(
            field, named, default=kind._field_defaults.get(field, absent), annotation=hints[field]
        )
        for field in kind._fields
    ]
