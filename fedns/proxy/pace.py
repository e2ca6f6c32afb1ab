"""The short way of plain requests in the form that serves here.

Law: whether it is compiled is a matter of speed alone; `FEDNS_CORE=off` does without, as for DNS.
"""

import contextlib
import os
from types import ModuleType

from fedns.proxy import swift

SWITCH = "FEDNS_CORE"  # environment variable

compiled: ModuleType | None = None
with contextlib.suppress(ImportError):  # there was no compiler
    from fedns.proxy import _swift  # type: ignore[attr-defined]

    compiled = _swift


def form() -> ModuleType:
    return compiled if compiled is not None and os.environ.get(SWITCH) != "off" else swift
