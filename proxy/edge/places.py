"""Places that are shared fairly: nobody can have all of them."""

import trio
from trio.lowlevel import ParkingLot


class Places:
    """`total` places, of which one holder has three quarters at most, so that a holder who is slow,
    or means harm, leaves some to the others.

    Who waits does so for a part in the holder's share, and then for a place. What is given back
    while somebody waits is handed on to who has waited longest, and is never free in between.
    """

    def __init__(self, total: int) -> None:
        self._free = total
        self._share = total - total // 4
        self._taken: dict[str, int] = {}
        """Holder -> its part in its share: what it has, and what it waits for with a part."""
        self._waiting = ParkingLot()
        self._crowded: dict[str, ParkingLot] = {}
        """Holder -> who waits for a part in its share."""

    def take_nowait(self, holder: str) -> bool:
        """Take a place that is free; False when there is none. Overtakes nobody who waits."""
        taken = self._taken.get(holder, 0)
        if not self._free or taken >= self._share:
            return False
        self._free -= 1
        self._taken[holder] = taken + 1
        return True

    async def take(self, holder: str) -> None:
        """Wait for a place. Give it back with `give`."""
        await trio.lowlevel.checkpoint()
        await self._take_part(holder)
        if self._free:
            self._free -= 1
            return
        try:
            await self._waiting.park()
        except BaseException:
            self._give_part(holder)
            raise

    def give(self, holder: str) -> None:
        """Give a place back."""
        self._give_part(holder)
        if self._waiting:
            self._waiting.unpark()
        else:
            self._free += 1

    async def _take_part(self, holder: str) -> None:
        taken = self._taken.get(holder, 0)
        if taken < self._share:
            self._taken[holder] = taken + 1
            return
        crowd = self._crowded.setdefault(holder, ParkingLot())
        try:
            await crowd.park()
        finally:
            if not crowd and self._crowded.get(holder) is crowd:  # there may be another one by now
                del self._crowded[holder]

    def _give_part(self, holder: str) -> None:
        """As many are kept as there are holders that have or want a place."""
        if crowd := self._crowded.get(holder):
            crowd.unpark()
        elif self._taken[holder] > 1:
            self._taken[holder] -= 1
        else:
            del self._taken[holder]
