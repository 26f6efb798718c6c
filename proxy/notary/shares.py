"""How many ids are kept, in all and of each owner, and when places become free again.

The nonce of a signature takes a place as an id does.

An id has owners, each with a share of the places: its sender, half of them; the worker that
held it, three quarters where there are others; who never held it, an eighth. So neither a sender
nor a worker that is no longer ours can take all.

Kept ids are counted in spans of 16 seconds, so that what has expired leaves the count without
anybody looking at the ids themselves: at most 16 seconds late, never early.
"""

import heapq
import math
from collections import Counter
from typing import Final

from proxy.errors import Refusal
from proxy.notary.bounds import Bounds

UNHELD: Final = b"unheld"
"""The owner of ids that no attempt held."""
_SPAN: Final = 16
_WORKER: Final = b"of worker "
_FULL: Final = "the table of ids is full"

Owners = tuple[bytes, ...]
"""The tag of a sender; then, where it is known, `worker_of` a name, or `UNHELD`."""


def worker_of(name: str) -> bytes:
    """The owner that a worker is, and its successor in the same place."""
    return _WORKER + name.partition("-")[0].encode()


class Shares:
    """Places for `capacity` ids. Times are Unix seconds."""

    def __init__(self, capacity: int, bounds: Bounds) -> None:
        self._capacity = capacity
        self._bounds = bounds
        self._of_sender = max(1, capacity // 2)
        self._unheld = max(1, capacity // 8)
        self._of_worker = max(1, 3 * capacity // 4)
        self._by_owner: Counter[bytes] = Counter()
        """Kept and held together."""
        self._spans: dict[int, Counter[bytes]] = {}
        """Under b"" how many ids there are."""
        self._soonest: list[int] = []
        """The spans, a heap."""
        self.kept = 0
        self.held = 0

    def require_room(self, owners: Owners, now: float, places: int = 1) -> None:
        """Raises `Refusal` overloaded unless there are places for so many more of these owners."""
        self.expire(now)
        reason = self._lacking(owners, places - 1)
        if reason is not None:
            raise Refusal("overloaded", reason, retry_after=self._hint(now))

    def _lacking(self, owners: Owners, more: int) -> str | None:
        if self.kept + self.held + more >= self._capacity:
            return _FULL
        if self._by_owner[owners[0]] + more >= self._of_sender:
            return "the sender's half of the table of ids is full"
        return self.lacking_of_worker(owners[1:], more)

    def lacking_of_worker(self, owners: Owners, more: int = 0) -> str | None:
        """Why there is no place in a worker's share, or in that of the unheld; None: there is.

        `more`: so many are about to be added.
        """
        for owner in owners:
            share = self._of_worker if self._bounds.workers > 1 else self._capacity
            most = self._unheld if owner == UNHELD else share
            if self._by_owner[owner] + more >= most:
                return "the worker's share of the table of ids is full"
        return None

    def _hint(self, now: float) -> int:
        """Seconds until there may be room: an attempt may end at any time, a span when it says."""
        if self.held or not self._soonest:
            return 1
        return max(1, math.ceil((self._soonest[0] + 1) * _SPAN - now))

    def hold(self, owners: Owners, places: int = 1) -> None:
        self.held += places
        for owner in owners:
            self._by_owner[owner] += places

    def release(self, owners: Owners, places: int = 1) -> None:
        self.held -= places
        for owner in owners:
            self._less(owner, places)

    def add(self, owners: Owners, expires: int) -> None:
        """An id is kept until `expires`. Goes past `capacity` when it must."""
        span = expires // _SPAN
        counts = self._spans.get(span)
        if counts is None:
            counts = self._spans[span] = Counter()
            heapq.heappush(self._soonest, span)
        counts[b""] += 1
        for owner in owners:
            counts[owner] += 1
            self._by_owner[owner] += 1
        self.kept += 1

    def remove(self, sender: bytes, expires: int) -> None:
        """An id is not kept any more, or another way. Nothing where its span has passed.

        Which worker held it is not known any more: there it counts until its span has passed.
        """
        counts = self._spans.get(expires // _SPAN)
        if counts is not None and counts[sender]:
            counts[b""] -= 1
            counts[sender] -= 1
            self.kept -= 1
            self._less(sender, 1)

    def expire(self, now: float) -> None:
        while self._soonest and (self._soonest[0] + 1) * _SPAN <= now:
            counts = self._spans.pop(heapq.heappop(self._soonest))
            self.kept -= counts.pop(b"")
            for owner, count in counts.items():
                self._less(owner, count)

    def _less(self, owner: bytes, count: int) -> None:
        self._by_owner[owner] -= count
        if not self._by_owner[owner]:
            del self._by_owner[owner]
