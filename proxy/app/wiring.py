"""Which notary knows of which workers: the channels between them, and who has died.

Rules
- A name is among the living before its process is started, and until its death: so no notary takes
  the intents of one that lives for those of a dead one.
- A dead worker is reported to the notary, which reads its channel to the end before it closes what
  was left open. A dead notary's successor is told who lives, and each gets a fresh channel.
- A notary that does not answer holds nobody up for long: what it has missed it is told again, when
  `look_after` comes by, until it answers or dies.
- Nobody else waits for what it is told: whoever sees a death notes it, and goes on.
"""

from collections.abc import Collection
from typing import Final

import trio

from proxy.app import launch
from proxy.app.child import Child
from proxy.app.control import EndedError
from proxy.observe.log import Log

_ANSWER: Final = 10.0
"""Seconds for an answer that waits for no disk."""


class Wiring:
    def __init__(self, log: Log) -> None:
        self.notary: Child | None = None
        self.living: set[str] = set()
        self.size = 0
        """Entries that the log has at least."""
        self.naming = trio.Lock()
        """Nobody becomes one of the living while a notary starts that is told who they are."""
        self.lock = trio.Lock()
        """One at a time speaks with the notary of its workers; taken before `naming`."""
        self._log = log
        self._appointed = trio.Condition(self.lock)
        """Another notary, under the lock."""
        self._untold: set[str] = set()
        """The dead of whom the notary does not know yet."""
        self._news = trio.Event()
        """Somebody has died."""

    def told(self, living: Collection[str]) -> None:
        """A notary was told, and no other, that these live: all it misses is who has died since."""
        self._untold &= set(living)

    async def appoint(self, notary: Child, size: int, workers: Collection[Child]) -> None:
        """This is the notary. Under the lock."""
        self.notary, self.size = notary, size
        self._appointed.notify_all()
        for worker in workers:
            await launch.wire(notary, worker)

    async def wire(self, worker: Child) -> None:
        """Give a worker that has just started its channel, unless it has got one already."""
        async with self.lock:
            if self.notary is not None and not worker.wired:
                await launch.wire(self.notary, worker)

    async def notary_after(self, dead: Child | None) -> Child:
        """Wait for a notary that is not that one."""
        async with self.lock:
            while self.notary is None or self.notary is dead:
                await self._appointed.wait()
            return self.notary

    def gone(self, name: str) -> None:
        """Have what a dead worker left open closed; a notary that starts later does so itself."""
        self.living.discard(name)
        self._untold.add(name)
        self._news.set()

    async def run(self) -> None:
        """Tell the notary of each death at once, until cancelled."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            await self.tell()

    async def tell(self) -> None:
        """Tell the notary of the deaths that it does not know of, if it answers."""
        async with self.lock:
            await self._tell_untold()

    async def _tell_untold(self) -> None:
        for name in sorted(self._untold):
            if self.notary is None:
                return
            try:
                self.size = (await self.notary.ask("gone", timeout=_ANSWER, name=name))["size"]
            except EndedError:
                return
            self._untold.discard(name)

    async def look_after(self, workers: Collection[Child]) -> None:
        """Tell the notary what it has missed, wire who has no channel, and end workers that it
        hears no more, because they spoke nonsense: a defect.
        """
        async with self.lock:
            await self._tell_untold()
            for worker in workers:
                if self.notary is not None and not worker.wired:
                    await launch.wire(self.notary, worker)
        if self.notary is None:
            return
        try:
            dropped = (await self.notary.ask("status", timeout=_ANSWER))["dropped"]
        except EndedError:
            return
        for worker in workers:
            if worker.name in dropped:
                reason = dropped[worker.name]
                self._log.error("channel_dropped", name=worker.name, reason=reason)
                worker.process.kill()
