"""A worker's link in a nursery, and the notaries that come and go at its other end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio
import trio.testing

from proxy.errors import Refusal
from proxy.notary.remote import RemoteLink
from proxy.notary.server import Hall, serve_link
from tests.notary.links import (
    MemoryLog,
    channel,
)


@asynccontextmanager
async def house() -> AsyncIterator[trio.Nursery]:
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel()


async def settled() -> None:
    """Everybody waits for somebody else."""
    await trio.testing.wait_all_tasks_blocked(0.005)


class Notary:
    """One life of a notary that serves a link."""

    def __init__(self, log: MemoryLog, end: trio.SocketStream) -> None:
        self.log = log
        self.end = end
        self.scope = trio.CancelScope()

    async def serve(self, name: str, hall: Hall) -> None:
        with self.scope:
            await serve_link(self.log, name, self.end, hall)

    async def die(self) -> None:
        """As by SIGKILL: what it had not written is gone."""
        self.log.dead = True
        self.scope.cancel()
        await trio.aclose_forcefully(self.end)


async def attached(
    nursery: trio.Nursery, link: RemoteLink, log: MemoryLog, hall: Hall | None = None
) -> Notary:
    """A notary for `link`."""
    ours, theirs = channel()
    notary = Notary(log, theirs)
    nursery.start_soon(notary.serve, "1", hall or Hall(["1"]))
    await link.attach(ours)
    await settled()
    return notary


async def started(nursery: trio.Nursery) -> RemoteLink:
    link = RemoteLink()
    await nursery.start(link.run)
    return link


class Asked:
    """Somebody who waits for an answer."""

    def __init__(self, nursery: trio.Nursery, ask: Callable[[], Awaitable[object]]) -> None:
        self.answer: object = None
        self.answered = trio.Event()
        self.scope = trio.CancelScope()
        nursery.start_soon(self._wait, ask)

    async def _wait(self, ask: Callable[[], Awaitable[object]]) -> None:
        with self.scope:
            try:
                self.answer = await ask()
            except Refusal as refusal:
                self.answer = refusal
            self.answered.set()


async def reborn(nursery: trio.Nursery, link: RemoteLink, log: MemoryLog) -> MemoryLog:
    """The log that the next notary keeps."""
    after = MemoryLog(log.durable)
    await attached(nursery, link, after)
    return after
