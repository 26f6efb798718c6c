"""All files of a call: several at once, to the last, or until a signal, or a server is not there.

Whatever ends it, every file has a result, in the order in which they were found.
"""

import signal
import threading
from collections.abc import Callable

import trio

from proxy.cli.send_one import Sender, Ways
from proxy.cli.send_plan import Plan
from proxy.cli.send_progress import Meter
from proxy.cli.send_result import Result
from proxy.cli.send_retry import is_of_server
from proxy.edge.outbound import Pool

_FAREWELL = 2.0
"""Seconds to close connections politely."""


class Crew:
    """Sends a plan. `signal` is the one that ended it, or 0; `stopped` why the rest was let be."""

    def __init__(
        self, plan: Plan, ways: Ways, pool: Pool, meter: Meter, on_end: Callable[[Result], None]
    ) -> None:
        self.results = [Result(item, ways.public_key is not None) for item in plan.items]
        self.signal = 0
        self.stopped: str | None = None
        self._sender = Sender(ways, pool, meter)
        self._pool, self._meter, self._on_end = pool, meter, on_end
        self._left = iter(self.results)

    async def run(self, parallel: int) -> None:
        """Send everything, `parallel` files at a time. SIGINT and SIGTERM end it early."""
        async with trio.open_nursery() as nursery:
            if threading.current_thread() is threading.main_thread():
                nursery.start_soon(self._watch, nursery.cancel_scope)
            async with trio.open_nursery() as working:
                for _ in range(min(parallel, len(self.results))):
                    working.start_soon(self._work)
            nursery.cancel_scope.cancel()
        with trio.move_on_after(_FAREWELL):
            await self._pool.retire()

    async def _work(self) -> None:
        for result in self._left:
            await self._sender.deliver(result)
            self._meter.end(result.item)
            self._on_end(result)
            if is_of_server(result.failure):
                self.stopped = result.headline
            if self.stopped is not None:
                return

    async def _watch(self, scope: trio.CancelScope) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                self.signal = number
                scope.cancel()
                return
