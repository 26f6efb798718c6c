"""The supervisor's end of the launcher, see `launcher.py`: what it is executed with, and asked."""

import array
import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Final, Self

import orjson
import trio

from proxy.app.brood import Brood
from proxy.app.child import Child
from proxy.app.control import Control, EndedError
from proxy.app.process import Process

_IMPORTING: Final = 60.0
"""Seconds that a launcher has for the first child: it imports everything before."""
_SET_CHILD_SUBREAPER: Final = 36
"""From linux/prctl.h."""


class Launcher:
    """A launcher for as long as the context lasts, executed when a child is first asked for."""

    def __init__(self, hidden: Collection[str], brood: Brood | None = None) -> None:
        """`hidden`: the environment variables that hold secrets, which no child is to have;
        `brood`: who is to know of the children.
        """
        self._hidden = hidden
        self._brood = brood or Brood()
        self._turn = trio.Lock()
        self._process: trio.Process | None = None
        self._line: trio.socket.SocketType

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._line.close()
            self._process.kill()  # it has nothing to lose
            with trio.CancelScope(shield=True):
                await self._process.wait()

    async def spawn(self, kind: str, name: str, user: Sequence[int]) -> Child:
        """A child, and the line to it. `user`: whom it runs as, see `privileges.user`.

        Raises EndedError when there is no process to be had.
        """
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    process = await self._fork(kind, user, theirs.fileno())
                except BaseException:
                    ours.close()
                    raise
        except (OSError, trio.ClosedResourceError) as error:
            raise EndedError(f"{kind} {name} cannot be started: {error}") from None
        ours.setblocking(False)
        line = Control(trio.socket.from_stdlib_socket(ours), trusted=False)
        return Child(kind, name, process, line)

    async def _fork(self, kind: str, user: Sequence[int], line: int) -> Process:
        """Raises OSError. Where it is cancelled between the child's birth and our knowing of it,
        that child is a stray.
        """
        question = orjson.dumps({"kind": kind, "user": user})
        async with self._turn:
            with self._brood.forking():
                try:
                    with trio.move_on_after(_IMPORTING):
                        if self._process is None:
                            await self._execute()
                        await self._line.sendmsg([question], _rights(line))
                        process = await self._born()
                        if process is not None:
                            self._brood.know(process)
                            return process
                    raise OSError("the launcher is gone, or could not fork")
                except BaseException:
                    if self._process is not None:
                        self._process.kill()
                        self._line.close()  # who knows whom it would speak of next
                    raise

    async def _born(self) -> Process | None:
        born, found, _, _ = await self._line.recvmsg(
            64, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC
        )
        if not found:
            return None
        pidfd = array.array("i", found[0][2])[0]
        try:
            if await self._line.recv(64) == b".":
                pidfd, ours = -1, pidfd
                return Process(int(born), ours)
            return None
        finally:
            if pidfd >= 0:
                os.close(pidfd)

    async def _execute(self) -> None:
        _adopt_orphans()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.setblocking(False)
            self._line = trio.socket.from_stdlib_socket(ours)
            try:
                self._process = await trio.lowlevel.open_process(
                    # -P: what lies in the folder that it is started in is not for it to import.
                    [sys.executable, "-P", "-m", "proxy.app.launcher", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env={key: each for key, each in os.environ.items() if key not in self._hidden},
                )
                self._brood.know(self._process)
            except BaseException:
                ours.close()
                raise


def _rights(fd: int) -> list[tuple[int, int, bytes]]:
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]).tobytes())]


def _adopt_orphans() -> None:
    """Be the parent of all below us whose own has ended. Raises OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
