"""What signals ask of the program, the same in both of its forms: to drain, and to reload.

A reload may take long, and what it waits for may never come: so it is a task of its own, and a
drain begins meanwhile. However many signals ask for one while there is one, one more follows it.
"""

import signal
from collections.abc import Awaitable, Callable

import trio

from proxy.app import start
from proxy.observe.log import Log


class Signals:
    """`run` it. `drain` is called once, at the first signal to end."""

    def __init__(
        self, drain: Callable[[], None], reload: Callable[[str], Awaitable[object]], log: Log
    ) -> None:
        self._drain, self._reload = drain, reload
        self._log = log
        self._draining = False
        self._asked = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Until cancelled."""
        with trio.open_signal_receiver(*start.SIGNALS) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._reload_when_asked)
                task_status.started()
                async for number in signals:
                    if number == signal.SIGHUP:
                        self._asked.set()
                    elif not self._draining:
                        self._draining = True
                        self._drain()
                        self._log.info("draining", signal=signal.Signals(number).name)

    async def _reload_when_asked(self) -> None:
        while True:
            await self._asked.wait()
            self._asked = trio.Event()
            try:
                await self._reload("signal")
            except Exception as error:  # a defect must not end the program: the last good stays
                self._log.defect(error, process="reload")
