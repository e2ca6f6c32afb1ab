"""One passage through a gate that all clusters share, so that a start asks a few of them at a time.

Law: who has left may leave again, and nobody leaves for another.
"""

import asyncio


class Passage:
    """Through `gate`, once."""

    def __init__(self, gate: asyncio.Semaphore) -> None:
        self._gate, self._inside = gate, False

    async def enter(self) -> None:
        await self._gate.acquire()
        self._inside = True

    def leave(self) -> bool:
        """Whether that was the passage's end."""
        if not self._inside:
            return False
        self._inside = False
        self._gate.release()
        return True
