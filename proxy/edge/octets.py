"""Octets between a socket and memory. Nothing here waits before the kernel said that it has to.

Rules
- A turn is given to others only where something is waited for; but who receives what was there
  already gives one too, so that a peer which always has more cannot keep all.
- Who has just been spoken to has not answered yet: the socket is waited for, and not asked first.
- Little is asked of the kernel until it had more than that: the room for what is asked is taken
  before, and a large one, of fresh pages, costs as much as to parse a small message.
"""

import math
import os
import select
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from proxy.edge.patience import Stalled, Waiting, patience
from proxy.errors import LockgateError

RECEIVE_SIZE: Final = 256 * 1024
"""Octets asked of the kernel at once: half of it costs a tenth more, in turns and in calls."""
_LITTLE: Final = 64 * 1024
"""The same while that was enough: malloc has room of this size, and need not map any."""
_RESET: Final = struct.pack("ii", 1, 0)


class Disconnected(LockgateError):
    """The peer is gone, or sent what is not TLS: nothing more can be sent or received."""


async def within(deadline: float, wait: Callable[..., Awaitable[None]], *args: Any) -> None:
    """Await `wait(*args)` no longer than until `deadline`. Raises Stalled."""
    if deadline == math.inf:
        await wait(*args)
        return
    with trio.CancelScope(deadline=deadline):
        await wait(*args)
        return
    raise Stalled("it took too long")


class Octets:
    """What comes out of one socket, and goes into it. One task may receive while another sends."""

    __slots__ = ("_asked", "_patience", "_reads", "_spoken", "_writes", "sock")

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self.sock = sock
        self._patience = patience()
        self._reads, self._writes = Waiting(sock), Waiting(sock)
        self._asked = _LITTLE
        self._spoken = False
        """We were the last to speak."""

    async def receive(self, size: int = RECEIVE_SIZE, deadline: float = math.inf) -> bytes:
        """Some octets, `size` at most; b"" at the end. Raises Disconnected, Stalled."""
        size = min(size, self._asked)
        try:
            data = None if self._spoken else await self._at_once(size, deadline)
            while data is None:
                await self._patience.wait(trio.lowlevel.wait_readable, self._reads, deadline)
                data = self._read(size)
        except (OSError, trio.ClosedResourceError) as error:
            raise Disconnected(type(error).__name__) from None
        self._spoken = False
        if len(data) == size:
            self._asked = RECEIVE_SIZE
        elif len(data) < _LITTLE:
            self._asked = _LITTLE
        return data

    def give_up(self) -> None:
        """Have who waits to receive wait no longer: that raises Stalled."""
        self._reads.give_up()

    async def _at_once(self, size: int, deadline: float) -> bytes | None:
        await trio.lowlevel.checkpoint_if_cancelled()
        if trio.current_time() >= deadline:
            raise Stalled("its time is up")
        data = self._read(size)
        if data is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
        return data

    def _read(self, size: int) -> bytes | None:
        try:
            return os.read(self.sock.fileno(), size)
        except BlockingIOError:
            return None

    def push(self, data: bytes | memoryview) -> int:
        """Send what the kernel takes at once: how much that was. Gives no turn to others: whoever
        goes on receives first. Raises Disconnected."""
        self._spoken = True
        try:
            return os.write(self.sock.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise Disconnected(type(error).__name__) from None

    async def send(self, data: bytes | memoryview, deadline: float = math.inf) -> None:
        """Send all of it. Raises Disconnected, Stalled."""
        sent = self.push(data)
        if sent == len(data):
            return
        try:
            with memoryview(data) as rest:
                while sent < len(data):
                    await self._patience.wait(trio.lowlevel.wait_writable, self._writes, deadline)
                    sent += self.push(rest[sent:])
        except (OSError, trio.ClosedResourceError) as error:
            raise Disconnected(type(error).__name__) from None

    def end(self) -> None:
        """End our side alone. Raises Disconnected."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except (OSError, trio.ClosedResourceError) as error:
            raise Disconnected(type(error).__name__) from None

    async def linger(self, seconds: float) -> None:
        """End our side, discard what still arrives, and close. Never raises."""
        try:
            self.end()
            with trio.move_on_after(seconds):
                while await self.receive():
                    pass
        except Disconnected:
            pass
        self.sock.close()

    def abort(self) -> None:
        """Close with a reset."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            pass  # not a TCP socket, or gone already
        self.sock.close()

    def quiet(self) -> bool:
        """True when the socket is open and nothing has arrived."""
        number = self.sock.fileno()
        if number < 0:
            return False
        poll = select.poll()
        poll.register(number, select.POLLIN | select.POLLRDHUP)
        return not poll.poll(0)
