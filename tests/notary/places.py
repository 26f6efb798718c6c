"""A desk over a log in memory, and those who wait at it."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
import trio.testing

from proxy.errors import LogFailure
from proxy.model import Intent, Outcome, Receipt
from proxy.notary.desk import Desk
from proxy.notary.intents import IntentFile, read_intents
from tests.notary.disks import LooseDisk
from tests.notary.links import MemoryLog
from tests.notary.samples import intent_of, outcome

PATIENCE = 2.0


class Place:
    """A desk over a log in memory, and its intent file."""

    def __init__(self, path: Path, *, at_once: bool = True, disk: LooseDisk | None = None) -> None:
        self.log = MemoryLog(at_once=at_once)
        self.path = path / "intents" / "1"
        self.disk = disk or LooseDisk()
        self.desk = Desk(self.log, IntentFile.open(self.path, sync=False, disk=self.disk), PATIENCE)

    @property
    def open(self) -> list[Intent]:
        return read_intents(self.path)


@asynccontextmanager
async def waiting(*tasks: Callable[[], Coroutine[Any, Any, Any]]) -> AsyncIterator[trio.Nursery]:
    """Others wait meanwhile."""
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(task)
        await settled()
        yield nursery


def ready(desk: Desk) -> bool:
    """Asked anew each time."""
    return desk.ready


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


def by_clock(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test whose clock jumps to the next deadline when everybody waits."""
    trio.run(test, clock=trio.testing.MockClock(autojump_threshold=0))


async def owed(path: Path) -> "tuple[Place, Outcome, Concluded]":
    """A desk whose log commits nothing yet, a transfer that has crossed, and who concludes it."""
    place, found = Place(path, at_once=False), outcome()
    await place.desk.intend(intent_of(found))
    return place, found, Concluded(place.desk, found)


class Concluded:
    """Somebody who waits for a receipt."""

    def __init__(self, desk: Desk, found: Outcome) -> None:
        self.result: Receipt | LogFailure | None = None
        self.scope = trio.CancelScope()
        self._desk = desk
        self._found = found

    async def __call__(self) -> None:
        with self.scope:
            try:
                self.result = await self._desk.conclude(self._found)
            except LogFailure as failure:
                self.result = failure
