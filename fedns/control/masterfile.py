"""One served zone written out as a master file, by a process of its own.

Law: a fleet's zone has a million names; reading, ordering and writing them must cost neither the control
process's time nor its memory. The child reads one generation of the tables and writes to its output.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from fedns import tables
from fedns.dns import dump
from fedns.errors import FednsError, StateError

UNKNOWN = 3
"""Exit code: no such zone is served."""
CHUNK = 1 << 16


async def read(path: str, origin: str) -> AsyncIterator[bytes] | None:
    """The zone at `origin` of the tables at `path` in pieces; None: not served. StateError: not readable."""
    command = (sys.executable, "-m", "fedns.control.masterfile", path, origin)
    child = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1)
    assert child.stdout is not None
    first = await child.stdout.read(CHUNK)
    if first:
        return _rest(child, child.stdout, first)
    code = await child.wait()
    if code == UNKNOWN:
        return None
    raise StateError(await _complaint(child))


async def _rest(
    child: asyncio.subprocess.Process, output: asyncio.StreamReader, chunk: bytes
) -> AsyncIterator[bytes]:
    try:
        while chunk:
            yield chunk
            chunk = await output.read(CHUNK)
        if await child.wait():
            raise StateError(await _complaint(child))
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def _complaint(child: asyncio.subprocess.Process) -> str:
    assert child.stderr is not None
    said = (await child.stderr.read()).decode(errors="replace").strip()
    return said or f"the zone could not be written: exit code {child.returncode}"


def main(arguments: list[str]) -> int:
    """`python -m fedns.control.masterfile TABLES ORIGIN`."""
    path, origin = arguments
    try:
        reader = tables.Reader(path)
        view = reader.view()
        lines = dump.zone((key for key, _ in reader.items("dns")), view.get, origin)
        if lines is None:
            return UNKNOWN
        for line in lines:
            print(line)
        sys.stdout.flush()
    except (FednsError, *tables.DAMAGE) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
