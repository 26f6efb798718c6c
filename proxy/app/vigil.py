"""Tells operators when the log takes nothing, why, and when it does again: one line a change.

It looks every second while there may be anything to see, so what is over sooner may go without a
line. What was refused meanwhile is in the log of receipts all the same.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from proxy.model import Trouble
from proxy.notary.rest import beat
from proxy.observe.log import Log

_EVERY: Final = 1.0
_OTHERS: Final = ("draining", "stopping", "no-worker")
"""No troubles of the log, and told otherwise."""


class Vigil:
    def __init__(
        self,
        log: Log,
        find: Callable[[], Awaitable[Trouble | None]],
        stirring: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """While all is well it waits until something is `stirring`, if that can be told."""
        self._log = log
        self._find = find
        self._stirring = stirring
        self._code: str | None = None
        self._since = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.saw(await self._find())
            if self._stirring is not None and self._code is None:
                await self._stirring()
            await beat(_EVERY)

    def saw(self, trouble: Trouble | None) -> None:
        """That is what is wrong now, if anything."""
        if trouble is not None and trouble.code in _OTHERS:
            return
        code, self._code = self._code, None if trouble is None else trouble.code
        if code == self._code:
            return
        if code is None:
            self._since = trio.current_time()
        if trouble is not None:
            self._log.error("log_unavailable", code=trouble.code, reason=trouble.text)
        else:
            seconds = round(trio.current_time() - self._since, 1)
            self._log.info("log_available", seconds=seconds)


def told(trouble: Trouble | None) -> dict[str, str] | None:
    """What /status says of why transfers are refused."""
    return None if trouble is None else {"code": trouble.code, "reason": trouble.text}
