"""Transfer ids that are on their way, or have been delivered. Fails closed.

    reserve ── release      the attempt ended any other way: the id may be used again
            └─ commit       it was delivered: the id is refused until the window has passed

Only delivery uses an id up. At `capacity` ids, on their way and delivered together, new ones are
refused: to forget a delivered id early would be to admit its replay. Nobody can fill it alone: a
sender has half of the capacity at most. `now` is monotonic seconds, an argument, and may start
anywhere.
"""

import heapq
import math
from dataclasses import dataclass, field

from proxy.errors import Refusal

Key = tuple[str, str, str]
"""Sender, route, transfer id."""


@dataclass(slots=True)
class _Share:
    """What one sender takes of the capacity."""

    reserved: int = 0
    delivered: int = 0
    queue: list[float] = field(default_factory=list)
    """Of the entries in the window's queue, those of this sender: when each passes, as a heap."""

    def __len__(self) -> int:
        return self.reserved + self.delivered


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
    _shares: dict[str, _Share] = field(default_factory=dict)
    """Every sender that has an id in here, or an entry in the queue."""

    def __len__(self) -> int:
        return len(self._reserved) + len(self._delivered)

    def reserve(self, key: Key, window: float, now: float) -> None:
        """Take an id for one attempt. `window` is in seconds.

        Raises Refusal: `replayed` when it was delivered within its window, `in-flight` when another
        attempt has it, `overloaded` when there is no room, or none left for this sender.
        """
        self._expire(now)
        if key in self._delivered:
            raise Refusal("replayed", "the Transfer-Id was delivered within the replay window")
        if key in self._reserved:
            raise Refusal("in-flight", "another attempt has the Transfer-Id", retry_after=1)
        if len(self) >= self.capacity:
            soonest = [expires for expires, _ in self._queue[:1]]
            hint = _room_in(len(self._reserved), soonest, now)
            raise Refusal("overloaded", "the replay window is full", retry_after=hint)
        share = self._shares.get(key[0], _Share())
        if len(share) >= max(1, self.capacity // 2):
            hint = _room_in(share.reserved, share.queue, now)
            raise Refusal(
                "overloaded", "the sender's half of the replay window is full", retry_after=hint
            )
        self._reserved[key] = window
        share.reserved += 1
        self._shares[key[0]] = share

    def release(self, key: Key) -> None:
        """Give an id back that was not delivered. Does nothing when it is not on its way."""
        if self._reserved.pop(key, None) is not None:
            self._shares[key[0]].reserved -= 1
            self._tidy(key[0])

    def commit(self, key: Key, now: float) -> None:
        """The transfer was delivered. Raises KeyError when the id was not reserved."""
        expires = now + self._reserved.pop(key)
        self._shares[key[0]].reserved -= 1
        self._remember(key, expires)

    def seed(self, key: Key, expires: float) -> None:
        """Remember a delivery of before a restart, until `expires` on the clock of `now`.

        Goes past `capacity` when it must: then nothing new is admitted until there is room.
        """
        if expires > self._delivered.get(key, -math.inf):
            self._remember(key, expires)

    def _remember(self, key: Key, expires: float) -> None:
        share = self._shares.setdefault(key[0], _Share())
        share.delivered += key not in self._delivered
        self._delivered[key] = expires
        heapq.heappush(self._queue, (expires, key))
        heapq.heappush(share.queue, expires)

    def _expire(self, now: float) -> None:
        while self._queue and self._queue[0][0] <= now:
            expires, key = heapq.heappop(self._queue)
            share = self._shares[key[0]]
            heapq.heappop(share.queue)  # the same one: the soonest of all is the sender's soonest
            if self._delivered.get(key) == expires:
                del self._delivered[key]
                share.delivered -= 1
            self._tidy(key[0])

    def _tidy(self, sender: str) -> None:
        share = self._shares[sender]
        if not share and not share.queue:
            del self._shares[sender]


def _room_in(reserved: int, soonest: list[float], now: float) -> int:
    """Seconds until there may be room: an attempt may end at any time, a window when it says."""
    if reserved or not soonest:
        return 1
    return max(1, math.ceil(soonest[0] - now))
