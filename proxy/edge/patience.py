"""How long sockets are waited for: one task looks after all that wait.

A scope of trio's around each wait costs more than to parse what is waited for. Here a wait is noted
with its deadline among the others, and one task of the process comes when the first of them is due.

    waiting = Waiting(sock)                                            # for one side of a socket
    await patience().wait(trio.lowlevel.wait_readable, waiting, deadline)      # raises Stalled

Rules
- Who has waited long enough is woken as trio wakes all who wait for a socket that is being closed.
  So is who waits for its other side, who finds that its own time is not up, and waits on.
- A deadline that is later than the first, as nearly every one is, disturbs nobody.
- The task looks at all that wait, and so no more often than each `_STEP`.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from proxy.errors import LockgateError

_STEP: Final = 0.02
"""Seconds: that much later may a wait be given up."""


class Stalled(LockgateError):
    """The peer neither sent nor took anything for as long as it was given."""


class Waiting:
    """One who may wait for one side of a socket."""

    __slots__ = ("deadline", "sock")

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self.sock = sock
        self.deadline = math.inf

    def give_up(self) -> None:
        """Its time is up now."""
        self.deadline = -math.inf
        self.wake()

    def wake(self) -> None:
        """Let whoever waits for the socket look at the clock."""
        if self.sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self.sock.fileno())


class Patience:
    """All that wait in this process."""

    def __init__(self) -> None:
        self._waiting: set[Waiting] = set()
        self._asleep = trio.CancelScope()
        self._due = math.inf
        """When the first of them may be due, at the earliest."""
        self._now = trio.lowlevel.current_clock().current_time

    async def wait(
        self, ready: Callable[[int], Awaitable[None]], waiting: Waiting, deadline: float
    ) -> None:
        """Return when the socket is `ready`. Raises Stalled, OSError, trio.ClosedResourceError."""
        number = waiting.sock.fileno()
        if number < 0:  # the event loop would keep note of whoever waits for no number
            raise trio.ClosedResourceError
        waiting.deadline = deadline
        if self._now() >= deadline:
            raise Stalled("its time is up")
        if deadline < self._due:
            self._due = self._asleep.deadline = deadline
        self._waiting.add(waiting)
        try:
            while True:
                try:
                    await ready(number)
                    return
                except trio.ClosedResourceError:
                    if waiting.sock.fileno() < 0:
                        raise
                if self._now() >= waiting.deadline:
                    raise Stalled("it took too long")
        finally:
            self._waiting.discard(waiting)

    async def run(self) -> None:
        """Wake those whose time is up, until cancelled."""
        while True:
            with self._asleep:
                await trio.sleep_forever()
            now = self._now()
            for each in self._waiting:
                if each.deadline <= now:
                    each.wake()
            later = (each.deadline for each in self._waiting if each.deadline > now)
            self._due = max(now + _STEP, min(later, default=math.inf))
            self._asleep = trio.CancelScope(deadline=self._due)


_PATIENCE: Final = trio.lowlevel.RunVar[Patience]("patience")


def patience() -> Patience:
    """That of the event loop which runs."""
    try:
        return _PATIENCE.get()
    except LookupError:
        found = Patience()
        _PATIENCE.set(found)
        trio.lowlevel.spawn_system_task(found.run)
        return found
