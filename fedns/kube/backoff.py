"""How long to stay away from an API server that failed.

Law: full jitter (a uniform share of a bound that doubles), so that a hundred watches that broke at one moment
do not return at one moment. A time without failures forgets those of before.
"""

import math
import random
from typing import NamedTuple


class Bounds(NamedTuple):
    """Seconds: the first bound, the last one, and how long health must last."""

    first: float = 0.8
    most: float = 30.0
    healthy: float = 60.0


class Backoff:
    """The failures in a row of one conversation."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._count = 0
        self._next = 0.0

    def failed(self, now: float, least: float = 0.0, most: float = math.inf) -> float:
        """Seconds to wait after a failure at `now` (monotonic); `least`: what the server asked for, `most`: a
        bound before the last one."""
        if now - self._next > self._bounds.healthy:
            self._count = 0
        bound = min(self._bounds.most, most, self._bounds.first * 2.0 ** min(self._count, 32))
        self._count += 1
        wait = max(random.uniform(0.0, bound), min(least, self._bounds.most))
        self._next = now + wait
        return wait
