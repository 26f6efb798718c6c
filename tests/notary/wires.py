"""A worker that is nothing but its end of a channel, to try the notary's end with."""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from proxy.model import Claim, Submission
from proxy.notary import messages, submissions
from proxy.notary.frames import Decoder, Frame, Kind, encode
from proxy.notary.server import Hall, serve_link
from tests.notary.links import MemoryLog, channel
from tests.patience import PATIENCE

HELLO = encode(Kind.HELLO)


class Wire:
    """A worker that is nothing but its end of a channel, and what `serve_link` returned."""

    def __init__(self, sock: trio.SocketStream) -> None:
        self.sock = sock
        self.ended = trio.Event()
        self.reason: Exception | None = None
        self._decoder = Decoder()
        self._heard: list[Frame] = []

    async def say(self, *frames: bytes) -> None:
        await self.sock.send_all(b"".join(frames))

    async def hear(self) -> Frame:
        """The next frame."""
        with trio.fail_after(PATIENCE):
            while not self._heard:
                data = await self.sock.receive_some(65_536)
                assert data, "the channel has ended"
                self._heard += self._decoder.feed(bytes(data))
        return self._heard.pop(0)

    async def silent(self) -> bool:
        """True where nothing more is said until everybody waits."""
        await trio.testing.wait_all_tasks_blocked(0.01)
        readable, _, _ = select.select([self.sock.socket.fileno()], [], [], 0)
        return not readable and not self._heard

    async def end(self) -> Exception | None:
        """Close, and wait for the other end to have dealt with everything."""
        await self.sock.aclose()
        return await self.outcome()

    async def outcome(self) -> Exception | None:
        with trio.fail_after(PATIENCE):
            await self.ended.wait()
        return self.reason


@asynccontextmanager
async def served(log: MemoryLog, name: str = "1", hall: Hall | None = None) -> AsyncIterator[Wire]:
    """A channel on which the notary has said that it is ready."""
    ours, theirs = channel()
    wire = Wire(ours)

    async def serve() -> None:
        wire.reason = await serve_link(log, name, theirs, hall or Hall())
        wire.ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        assert await wire.hear() == (Kind.READY, 0, messages.pack_trouble(log.trouble))
        yield wire
        await trio.aclose_forcefully(ours)
        nursery.cancel_scope.cancel()


def concluding(number: int, found: Submission) -> bytes:
    return encode(Kind.CONCLUDE, number, submissions.pack_submission(found))


def reserving(number: int, claim: Claim, attempt_id: bytes) -> bytes:
    return encode(Kind.RESERVE, number, attempt_id + messages.pack_claim(claim))


def held(claim: Claim, attempt_id: bytes) -> bytes:
    return encode(Kind.HOLD, 0, attempt_id + messages.pack_claim(claim))
