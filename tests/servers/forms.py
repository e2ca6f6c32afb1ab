"""The core as Python and, where there was a compiler, as C: tests run with both."""

from array import array

import pytest

from fedns.servers import batch, core, gate, prompt

PYTHON = prompt.Form(core, gate)
EACH = pytest.mark.parametrize(
    "form",
    [PYTHON, prompt.compiled] if prompt.compiled else [PYTHON],
    ids=lambda form: form.core.__name__.rpartition(".")[2],
)


def frames() -> batch.Frames:
    """A batch in memory, without a socket."""
    size = batch.SIZE * batch.SLOT
    return batch.Frames(
        memoryview(bytearray(size)),
        memoryview(bytearray(size)),
        memoryview(array("I", bytes(4 * batch.SIZE))),
        memoryview(array("Q", bytes(8 * batch.SIZE))),
        memoryview(bytearray(batch.SIZE * batch.NAME)),
        *(4, 4, 0, 0, 0),
    )
