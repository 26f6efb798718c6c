"""Transfer ids that are on their way, or have been delivered. Fails closed.

    reserve ── release      the attempt ended any other way: the id may be used again
            └─ commit       it was delivered: the id is refused until the window has passed

Only delivery uses an id up. At `capacity` ids, on their way and delivered together, new ones are
refused: to forget a delivered id early would be to admit its replay. `now` is monotonic seconds,
an argument, and may start anywhere.
"""

import heapq
import math
from dataclasses import dataclass, field

from proxy.errors import Refusal

Key = tuple[str, str, str]
"""Sender, route, transfer id."""


@dataclass(slots=True)
class ReplayWindow:
    """Remembers at most `capacity` ids; every call is O(log capacity) at worst, over time."""

    capacity: int
    _reserved: dict[Key, float] = field(default_factory=dict)
    """Id -> the window that delivery will open, seconds."""
    _delivered: dict[Key, float] = field(default_factory=dict)
    """Id -> when its window has passed."""
    _queue: list[tuple[float, Key]] = field(default_factory=list)
    """The same, as a heap, soonest first; may hold entries that a later delivery has replaced."""

    def __len__(self) -> int:
        return len(self._reserved) + len(self._delivered)

    def reserve(self, key: Key, window: float, now: float) -> None:
        """Take an id for one attempt. `window` is in seconds.

        Raises Refusal: `replayed` when it was delivered within its window, `in-flight` when another
        attempt has it, `overloaded` when there is no room.
        """
        self._expire(now)
        if key in self._delivered:
            raise Refusal("replayed", "the Transfer-Id was delivered within the replay window")
        if key in self._reserved:
            raise Refusal("in-flight", "another attempt has the Transfer-Id", retry_after=1)
        if len(self) >= self.capacity:
            raise Refusal("overloaded", "the replay window is full", retry_after=self._room_in(now))
        self._reserved[key] = window

    def release(self, key: Key) -> None:
        """Give an id back that was not delivered. Does nothing when it is not on its way."""
        self._reserved.pop(key, None)

    def commit(self, key: Key, now: float) -> None:
        """The transfer was delivered. Raises KeyError when the id was not reserved."""
        self._remember(key, now + self._reserved.pop(key))

    def seed(self, key: Key, expires: float) -> None:
        """Remember a delivery of before a restart, until `expires` on the clock of `now`.

        Goes past `capacity` when it must: then nothing new is admitted until there is room.
        """
        if expires > self._delivered.get(key, -math.inf):
            self._remember(key, expires)

    def _remember(self, key: Key, expires: float) -> None:
        self._delivered[key] = expires
        heapq.heappush(self._queue, (expires, key))

    def _expire(self, now: float) -> None:
        while self._queue and self._queue[0][0] <= now:
            expires, key = heapq.heappop(self._queue)
            if self._delivered.get(key) == expires:
                del self._delivered[key]

    def _room_in(self, now: float) -> int:
        if self._reserved or not self._queue:
            return 1
        return max(1, math.ceil(self._queue[0][0] - now))
