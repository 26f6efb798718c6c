"""Who was turned away at the door, counted and handed on together.

Nobody who has yet to show who he is may buy a line in the log: it has one aggregate a minute of
them all. What is handed to it are counts, at most once in `every` seconds, by names from two closed
sets: a listener of ours, and a reason.
"""

from collections import Counter
from collections.abc import Callable, Mapping

import trio

Shed = Callable[[Mapping[str, int]], None]


class Tally:
    """Counts for `listener`, told to `shed` while `run` runs, and a last time when it ends."""

    def __init__(self, listener: str, shed: Shed, every: float = 1.0) -> None:
        self._listener = listener
        self._shed = shed
        self._every = every
        self._counts: Counter[str] = Counter()
        self._counted = trio.Event()

    def count(self, reason: str) -> None:
        """One more. `reason` is of a closed set."""
        self._counts[f"{self._listener}:{reason}"] += 1
        self._counted.set()

    async def run(self) -> None:
        """Hand on what has been counted, until cancelled."""
        try:
            while True:
                await self._counted.wait()
                self._tell()
                await trio.sleep(self._every)
        finally:
            self._tell()

    def _tell(self) -> None:
        if self._counts:
            counts, self._counts = self._counts, Counter()
            self._counted = trio.Event()
            self._shed(counts)
