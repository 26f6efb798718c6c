"""What was turned away before it was a transfer, as one event of the log a minute at most.

A peer that nobody knows must not buy an entry: so its handshakes are only counted.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import trio

from proxy.model import Event
from proxy.receipt.terms import timestamp

_EVERY: Final = 60.0
_KINDS: Final = 256
_OTHERS: Final = "others"


class Shedding:
    def __init__(self, now: datetime) -> None:
        self._counts: Counter[str] = Counter()
        self._since = now

    def add(self, counts: Mapping[str, int]) -> None:
        """So many more, by `<listener>:<reason>`."""
        for kind, count in counts.items():
            known = kind in self._counts or len(self._counts) < _KINDS
            self._counts[kind if known else _OTHERS] += count

    def event(self, now: datetime) -> Event | None:
        """What is to be said of the time since the last event; None where there is nothing."""
        counts, since = self._counts, self._since
        self._counts, self._since = Counter(), now
        if not counts:
            return None
        return Event(
            "refused-handshakes",
            {
                "since": timestamp(since),
                "until": timestamp(now),
                "counts": {kind: str(count) for kind, count in sorted(counts.items())},
            },
        )


async def every_minute(tell: Callable[[], None]) -> None:
    """Call `tell` every minute, until cancelled."""
    while True:
        await trio.sleep(_EVERY)
        tell()
