"""Places that are shared fairly: nobody can have all of them."""

import trio


class Places:
    """`total` places, of which one holder has three quarters at most, so that a holder who is slow,
    or means harm, leaves some to the others."""

    def __init__(self, total: int) -> None:
        self._all = trio.Semaphore(total)
        self._share = total - total // 4
        self._shares: dict[str, trio.Semaphore] = {}

    def take_nowait(self, holder: str) -> bool:
        """Take a place that is free; False when there is none. Overtakes nobody who waits."""
        share = self._shares.get(holder) or trio.Semaphore(self._share)
        try:
            self._all.acquire_nowait()
        except trio.WouldBlock:
            return False
        try:
            share.acquire_nowait()
        except trio.WouldBlock:
            self._all.release()
            return False
        self._shares[holder] = share
        return True

    async def take(self, holder: str) -> None:
        """Wait for a place. Give it back with `give`."""
        share = self._shares.setdefault(holder, trio.Semaphore(self._share))
        try:
            await share.acquire()
            try:
                await self._all.acquire()
            except BaseException:
                share.release()
                raise
        finally:
            self._forget(holder, share)

    def give(self, holder: str) -> None:
        """Give a place back."""
        self._all.release()
        share = self._shares[holder]
        share.release()
        self._forget(holder, share)

    def _forget(self, holder: str, share: trio.Semaphore) -> None:
        """As many shares are kept as there are holders that have or want a place."""
        if share.value == self._share:  # so nobody waits for one
            self._shares.pop(holder, None)
