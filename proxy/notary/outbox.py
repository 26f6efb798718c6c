"""One end of a channel: what is put goes out with one write a turn, and what comes is waited for.

trio tells an instrument before it waits for the kernel. All that was put since the last time goes
out then: no task has to be woken for it, and whatever one turn says wakes the other end once. What
the kernel does not take at once is left to a task.
"""

import os
from collections.abc import Callable
from typing import Final

import trio

_CHUNK: Final = 65_536
_LITTLE: Final = 65_536
"""Octets that are tried at once; more is the task's."""


async def receive(sock: trio.SocketStream) -> bytes:
    """What comes next; b"" at the end. Raises `trio.BrokenResourceError`, `ClosedResourceError`."""
    number = sock.socket.fileno()
    if number < 0:
        raise trio.ClosedResourceError
    while True:
        await trio.lowlevel.wait_readable(number)  # for it was read until nothing was left
        try:
            return os.read(number, _CHUNK)
        except BlockingIOError:
            continue
        except OSError as error:
            raise trio.BrokenResourceError from error


class _Turn(trio.abc.Instrument):
    """One for all channels of an event loop: it is asked in each of its turns."""

    def __init__(self) -> None:
        self.due: list[Outbox] = []
        trio.lowlevel.add_instrument(self)

    def before_io_wait(self, timeout: float) -> None:
        """For trio, which has made up its mind by now how long to wait."""
        if self.due:
            due, self.due = self.due, []
            for each in due:
                each.flush()


_TURN: Final = trio.lowlevel.RunVar[_Turn]("turn")


def _turn() -> _Turn:
    try:
        return _TURN.get()
    except LookupError:
        found = _Turn()
        _TURN.set(found)
        return found


class Outbox:
    """`put` at any time, while `run` runs or is going to."""

    def __init__(
        self, sock: trio.SocketStream, on_sent: Callable[[], object] = lambda: None
    ) -> None:
        """`on_sent` is called when fewer octets wait, where there were many."""
        self.octets = 0
        """Put, and not sent yet."""
        self._sock = sock.socket
        self._on_sent = on_sent
        self._frames: list[bytes] = []
        self._turn = _turn()
        self._token = trio.lowlevel.current_trio_token()
        self._left = trio.Event()
        """Set while something is left to the task."""
        self._over = False

    def put(self, frame: bytes) -> None:
        """Send it before the loop waits; nowhere, once the other end reads no more."""
        if self._over:
            return
        if not self._frames:
            self._turn.due.append(self)
        self._frames.append(frame)
        self.octets += len(frame)

    def flush(self) -> None:
        """Write what the kernel takes. It may be too late to wake a task but by the token."""
        if self._left.is_set():
            return
        sent = 0
        if self.octets <= _LITTLE:
            data = b"".join(self._frames)
            try:
                sent = os.write(self._sock.fileno(), data)
            except OSError:
                pass  # the task finds out whether it is for good
            self._frames = [data[sent:]] if sent < len(data) else []
            self.octets -= sent
        if self._frames:
            self._token.run_sync_soon(self._left.set)

    async def run(self) -> None:
        """Until the channel breaks."""
        try:
            while True:
                await self._left.wait()
                await self._send_left()
                self._left = trio.Event()
        except (OSError, trio.ClosedResourceError):
            pass
        finally:
            self._over, self.octets = True, 0
            self._frames.clear()
            self._on_sent()

    async def _send_left(self) -> None:
        while self._frames:
            data = memoryview(b"".join(self._frames))
            self._frames.clear()
            while data:
                try:
                    sent = os.write(self._sock.fileno(), data)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self._sock)
                else:
                    self.octets -= sent
                    data = data[sent:]
            self._on_sent()
