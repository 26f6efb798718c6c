"""A clock by which nothing is forgotten early, whatever becomes of the clock on the wall.

What is remembered until a time by the wall would be forgotten by a wall clock that leaps ahead, and
admitted again when that one is put right. So forgetting goes by the wall as it stood at its lowest
within the longest window, and as much later as the kernel's clock has counted since then, which
nobody sets and which goes on in a suspend. A leap ahead counts once it has lasted for that window,
and before twice that; going back counts at once. So whatever is remembered for a window stays for
that long by the kernel's clock and by the wall. Of what was before the start nothing is known.
"""

import time
from collections.abc import Callable
from datetime import datetime

from proxy.notary.bounds import Bounds

Clock = Callable[[], datetime]


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Steady:
    """Gives the aware times of `wall`, and says what time has come for sure. For one thread."""

    def __init__(
        self, wall: Clock, bounds: Bounds, kernel: Callable[[], float] = _boottime
    ) -> None:
        self.wall = wall
        self._bounds = bounds
        self._kernel = kernel
        self._since = kernel()
        self._lowest = self._before = wall().timestamp() - self._since
        """By how much the wall was ahead of the kernel's clock: since then, and in the span before,
        which was no shorter than the longest window."""

    def __call__(self) -> datetime:
        """What the wall shows."""
        now = self.wall()
        self._note(now.timestamp())
        return now

    def sure(self) -> float:
        """Unix seconds, never later than the wall: by then may be forgotten what has expired."""
        return self._note(self.wall().timestamp())

    def _note(self, wall: float) -> float:
        kernel, longest = self._kernel(), self._bounds.longest
        passed, ahead = kernel - self._since, wall - kernel
        if passed >= longest:
            self._before = self._lowest if passed < 2 * longest else ahead
            self._lowest, self._since = ahead, kernel
        self._lowest = min(self._lowest, ahead)
        return min(wall, kernel + min(self._lowest, self._before))
