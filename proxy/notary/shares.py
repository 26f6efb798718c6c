"""How many ids are kept, in all and by each sender, and when places become free again.

Kept ids are counted by sender in spans of 16 seconds, so that what has expired leaves the count
without anybody looking at the ids themselves: at most 16 seconds late, never early.
"""

import heapq
import math
from collections import Counter
from typing import Final

from proxy.errors import Refusal

_SPAN: Final = 16


class Shares:
    """Places for `capacity` ids, half of them at most for one sender. Times are Unix seconds."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._most = max(1, capacity // 2)
        self._by_sender: Counter[bytes] = Counter()
        """Kept and held together."""
        self._spans: dict[int, Counter[bytes]] = {}
        self._soonest: list[int] = []
        """The spans, a heap."""
        self.kept = 0
        self.held = 0

    def require_room(self, sender: bytes, now: float) -> None:
        """Raises `Refusal` overloaded unless there is a place for one more of this sender."""
        self.expire(now)
        if self.kept + self.held >= self._capacity:
            raise Refusal("overloaded", "the table of ids is full", retry_after=self._hint(now))
        if self._by_sender[sender] >= self._most:
            raise Refusal(
                "overloaded",
                "the sender's half of the table of ids is full",
                retry_after=self._hint(now),
            )

    def _hint(self, now: float) -> int:
        """Seconds until there may be room: an attempt may end at any time, a span when it says."""
        if self.held or not self._soonest:
            return 1
        return max(1, math.ceil((self._soonest[0] + 1) * _SPAN - now))

    def hold(self, sender: bytes) -> None:
        self.held += 1
        self._by_sender[sender] += 1

    def release(self, sender: bytes) -> None:
        self.held -= 1
        self._less(sender, 1)

    def add(self, sender: bytes, expires: int) -> None:
        """An id is kept until `expires`. Goes past `capacity` when it must."""
        span = expires // _SPAN
        if span not in self._spans:
            self._spans[span] = Counter()
            heapq.heappush(self._soonest, span)
        self._spans[span][sender] += 1
        self._by_sender[sender] += 1
        self.kept += 1

    def remove(self, sender: bytes, expires: int) -> None:
        """An id is not kept any more, or another way. Nothing where its span has passed."""
        counts = self._spans.get(expires // _SPAN)
        if counts is not None and counts[sender]:
            counts[sender] -= 1
            self.kept -= 1
            self._less(sender, 1)

    def expire(self, now: float) -> None:
        while self._soonest and (self._soonest[0] + 1) * _SPAN <= now:
            for sender, count in self._spans.pop(heapq.heappop(self._soonest)).items():
                self.kept -= count
                self._less(sender, count)

    def _less(self, sender: bytes, count: int) -> None:
        self._by_sender[sender] -= count
        if not self._by_sender[sender]:
            del self._by_sender[sender]
