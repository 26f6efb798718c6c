"""Whose parent this process is, and the end of those that it did not start.

Theory
- The supervisor is the reaper of all below it. What a worker or a launcher has forked becomes its
  child as soon as the parent ends, and is nobody that it knows: a *stray*. It may hold what its
  parent held: listening sockets, TLS keys, an end of a channel. So it is killed, and what it leaves
  becomes ours in its turn, until nobody is left.
- While a fork is under way there may be a child of which we have not heard yet. So nobody is judged
  meanwhile.
- Who was our child when we began, as that of a shell that became us, is none of our business.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

from proxy.app.process import Process
from proxy.observe.log import Log

_EVERY: Final = 5.0
_PATIENCE: Final = 2.0
"""Seconds in which strays end, unless they fork faster than we look or the kernel holds them."""
_PAUSE: Final = 0.01
"""Seconds between two looks at what a kill has left."""


class Brood:
    """The children of this process."""

    def __init__(self) -> None:
        self._spared = children()
        self._known: set[Process | trio.Process] = set()
        self._forks = 0
        self._quiet = trio.lowlevel.ParkingLot()
        self._looking = trio.Event()

    async def run(self, log: Log) -> None:
        """Look for strays now and then, and whenever told to, until cancelled."""
        while True:
            with trio.move_on_after(_EVERY):
                await self._looking.wait()
            self._looking = trio.Event()
            await self.clear(log)

    def look(self) -> None:
        """Somebody has died, and may have left others behind."""
        self._looking.set()

    async def clear(self, log: Log) -> None:
        """End all strays, and tell of them: what is left behind is a defect, or an intruder's."""
        for pid in sorted(await self.end_strays(_PATIENCE)):
            log.error("stray_ended", pid=pid)

    def know(self, process: Process | trio.Process) -> None:
        """This one is to live."""
        self._known.add(process)

    @contextmanager
    def forking(self) -> Iterator[None]:
        """Meanwhile there may be children that are not known yet."""
        self._forks += 1
        try:
            yield
        finally:
            self._forks -= 1
            if not self._forks:
                self._quiet.unpark_all()

    async def end_strays(self, seconds: float) -> set[int]:
        """Kill and reap all strays, for so long at most; which of them were alive."""
        ended: set[int] = set()
        with trio.move_on_after(seconds):
            while True:
                while self._forks:
                    await self._quiet.park()
                found = self._strays()
                if not found:
                    break
                ended |= {pid for pid in found if not _reaped(pid) and _killed(pid)}
                await trio.sleep(_PAUSE)
        return ended

    def kill_all(self) -> None:
        """Everybody, known or not, without waiting for any."""
        for pid in children() - self._spared:
            _killed(pid)

    def _strays(self) -> set[int]:
        # In this order: who is known and dies now keeps its number until somebody waits for it.
        self._known = {each for each in self._known if each.returncode is None}
        return children() - {each.pid for each in self._known} - self._spared


def children() -> set[int]:
    """The children of this process, the dead that nobody has waited for among them; nobody where
    the kernel does not say."""
    found: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            found |= {int(pid) for pid in path.read_text("ascii").split()}
        except OSError:
            pass  # that thread has ended, and another has its children
    return found


def _reaped(pid: int) -> bool:
    """Whether it had ended."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is not None
    except ChildProcessError:
        return True


def _killed(pid: int) -> bool:
    """Its number is nobody else's while we have not waited for it."""
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False  # gone, or of a user that we have no power over
    return True
