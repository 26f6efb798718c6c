"""A child process, by its pidfd: never another that has got its number since."""

import os
import signal
from typing import Final

import trio

_UNKNOWN: Final = 255
"""The exit code of one that somebody else has waited for."""


class Process:
    """Like `trio.Process`, of a child that another process has forked for us."""

    def __init__(self, pid: int, pidfd: int) -> None:
        """`pidfd` is ours from now on; it is closed when `wait` has returned."""
        self.pid = pid
        self._pidfd = pidfd
        self._code: int | None = None
        self._turn = trio.Lock()

    @property
    def returncode(self) -> int | None:
        """Exit code, or minus the number of the signal; None while it lives."""
        if self._code is None:
            try:
                found = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
            except ChildProcessError:
                self._code = _UNKNOWN
            else:
                if found is not None:
                    exited = found.si_code == os.CLD_EXITED
                    self._code = found.si_status if exited else -found.si_status
        return self._code

    def kill(self) -> None:
        if self.returncode is None:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def wait(self) -> int:
        async with self._turn:
            while (code := self.returncode) is None:
                await trio.lowlevel.wait_readable(self._pidfd)
            if self._pidfd >= 0:
                os.close(self._pidfd)
                self._pidfd = -1
        return code
