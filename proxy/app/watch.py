"""What a configuration's files hold, by digest, and when it is time to look at them again.

The kernel tells of most changes at once; polling finds the others (network file systems, a file
that is mounted by itself). Neither decides anything: only a different content is a change.
"""

import hashlib
import math
import os
import stat
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import trio

from proxy.app.inotify import Inotify
from proxy.model.beat import next_beat
from proxy.observe.log import Log
from proxy.settings.operation import Reload
from proxy.settings.secrets import MAX_LISTS, at_once

Digests = Mapping[Path, bytes]
"""File -> SHA-256 of its octets; empty for one that cannot be read."""

_PIECE: Final = 2**20
_ROUNDS: Final = 20
"""Times that files may change while they settle before they are taken as they are."""


class Watch:
    """Waits for changes of files: arm it, look at them, then wait."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._inotify: Inotify | None = None
        self._told = False
        self._waiting: trio.CancelScope | None = None

    def arm(self, paths: Iterable[Path], how: Reload) -> None:
        """Have the kernel watch these from now on, and no others.

        Where it cannot that is said once, and polling goes on.
        """
        try:
            if how.watch or self._inotify is not None:
                self._inotify = self._inotify or Inotify()
                self._inotify.arm(paths if how.watch else ())
        except OSError as error:
            if not self._told:
                self._log.warning("watch_unavailable", reason=error.strerror)
            self._told = True

    async def wait(self, how: Reload, at_most: float) -> None:
        """Return when it is time to look: the kernel said so since it was armed, a poll is due,
        `at_most` seconds have passed, or `wake` was called."""
        now = trio.current_time()
        poll = math.inf if how.poll == "off" else next_beat(now, how.poll)
        with trio.move_on_at(min(now + at_most, poll)) as self._waiting:
            if self._inotify is not None:
                await self._inotify.changed()
            else:
                await trio.sleep_forever()
        self._waiting = None

    def wake(self) -> None:
        """Have the present wait end: there are other files to look at."""
        if self._waiting is not None:
            self._waiting.cancel()

    def close(self) -> None:
        if self._inotify is not None:
            self._inotify.close()


def pipes(found: Digests) -> Digests:
    """Those that are pipes, which give what they hold once."""
    return {path: digest for path, digest in found.items() if path.is_fifo()}


async def look(paths: Iterable[Path], known: Digests) -> Digests:
    """What the files hold now: of a pipe, which was read when it was loaded, what is `known`;
    nothing of a pipe that is not, of a device or a folder."""
    wanted = list(paths)
    read = partial(_digests, wanted, known)
    return await trio.to_thread.run_sync(read, abandon_on_cancel=True)


async def settled(paths: Iterable[Path], known: Digests, seconds: float) -> Digests:
    """What they hold when they have been left alone for so long."""
    wanted = list(paths)
    found = await look(wanted, known)
    for _ in range(_ROUNDS):
        await trio.sleep(seconds)
        before, found = found, await look(wanted, known)
        if before == found:
            break
    return found


def _digests(paths: Iterable[Path], known: Digests) -> Digests:
    return {path: _digest(path, known.get(path)) for path in paths}


def _digest(path: Path, known: bytes | None) -> bytes:
    try:
        with open(path, "rb", opener=at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISFIFO(mode) and known is not None:
                return known
            if not stat.S_ISREG(mode):
                return b""
            return _sha256(file)
    except OSError:
        return b""


def _sha256(file: BinaryIO) -> bytes:
    """Of as much as tells that it is too long, piece by piece."""
    digest, left = hashlib.sha256(), MAX_LISTS + 1
    while left > 0 and (piece := file.read(min(left, _PIECE))):
        digest.update(piece)
        left -= len(piece)
    return digest.digest()
