"""Content that waits on the disk until it is judged: sealed, without a name, and bounded.

What has to be held whole and is more than `limits.hold` goes into a file of its own that never had
a name (O_TMPFILE, and O_EXCL, so that it never gets one): the kernel frees it with its descriptor,
however the process ends. Nothing in it can be read without the key of the transfer, which is in
this process's memory alone and is never written.

    block 0 | block 1 | …     each up to 256 KiB of content under AES-256-GCM, and 16 octets more
    nonce of block n          n, in 12 octets: a key seals one file, so that none comes twice

A block that was changed, moved, swapped with another or cut short does not open, and how many there
are is in memory too: what is read is what was written, or a refusal.

The disk is never waited for on the event loop. What all transfers of all workers have there is
bounded by `spill.size`: each worker writes what it has taken into a row of its own in memory that
they share, and takes more only while the sum allows it. Two that take the last of it at once are
both refused, which errs on the right side; a worker that dies leaves its row to its successor,
which begins with nothing, as its files are gone too.

What a sender has there is bounded by three quarters of it, in the same way:

    key 16     | row of worker 0 | row of worker 1 | …
    a row      its octets, and of these what belongs to senders: 1,024 counts, each 8 octets
    a sender   has the count that a hash of its name says, under the key; of two whom it gives the
               same, as it does once in 1,024, both have one share, and nobody can choose that
"""

import hashlib
import os
from pathlib import Path
from typing import Final

import trio
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proxy.errors import Refusal
from proxy.settings.operation import share

BLOCK: Final = 256 * 1024
"""Octets of content in a block: what one thread seals and writes, or reads and opens, at once."""
_TAG: Final = 16
_AT_ONCE: Final = 4
"""Threads that use the disk: more would be no faster, and the log needs some too."""
_DISK: Final = trio.CapacityLimiter(_AT_ONCE)


_KEY: Final = 2
_SENDERS: Final = 1024
_ROW: Final = 1 + _SENDERS
"""Numbers in each."""


def nothing_taken(workers: int) -> bytes:
    """What is in the memory that so many workers share, at first. Has a new key."""
    return os.urandom(8 * _KEY) + bytes(8 * _ROW * workers)


class Room:
    """`total` octets in `folder`, for all who share `taken`, of which the row `place` is ours."""

    def __init__(
        self, folder: Path, total: int, taken: memoryview | None = None, place: int = 0
    ) -> None:
        self.folder = folder
        self.total = total
        numbers = memoryview(bytearray(nothing_taken(1))).cast("Q") if taken is None else taken
        self._key, self._taken = numbers[:_KEY].tobytes(), numbers[_KEY:]
        self._row = _ROW * place
        self._taken[self._row : self._row + _ROW] = memoryview(bytes(8 * _ROW)).cast("Q")

    @property
    def taken(self) -> int:
        """Octets that this process has there."""
        return self._taken[self._row]

    def count_of(self, sender: str) -> int:
        """Which number of a row is this sender's."""
        digest = hashlib.blake2b(sender.encode(), key=self._key, digest_size=8).digest()
        return 1 + int.from_bytes(digest) % _SENDERS

    def take(self, count: int, octets: int) -> None:
        """Take so many more for whose count that is. Raises Refusal `overloaded` where they are not
        to be had."""
        self.give(count, -octets)
        reason = None
        if sum(self._taken[::_ROW]) > self.total:
            reason = "spill.size is taken by other transfers"
        elif sum(self._taken[count::_ROW]) > share(self.total):
            reason = "the sender's share of spill.size is taken by its transfers"
        if reason is not None:
            self.give(count, octets)
            raise _full(reason)

    def give(self, count: int, octets: int) -> None:
        """Give so many back."""
        self._taken[self._row] -= octets
        self._taken[self._row + count] -= octets


def open_nameless(folder: Path) -> int:
    """A file in `folder` that has no name and gets none. Raises OSError, also where the file system
    has no such files."""
    return os.open(folder, os.O_TMPFILE | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)


class Spill:
    """The content of one transfer of a sender, in order. One task at a time."""

    def __init__(self, room: Room, sender: str) -> None:
        self._room = room
        self._count = room.count_of(sender)
        self._fd = -1
        self._seal = AESGCM(AESGCM.generate_key(256))
        self._blocks: list[tuple[int, int]] = []
        """Where each begins in the file, and its octets there."""
        self._end = 0
        self._taken = 0

    @property
    def blocks(self) -> int:
        """How many have been written."""
        return len(self._blocks)

    async def write(self, content: bytes) -> None:
        """Add content. Raises Refusal `overloaded` when there is no room, or the disk fails."""
        self._room.take(self._count, len(content))
        self._taken += len(content)
        try:
            await trio.to_thread.run_sync(self._write, content, limiter=_DISK)
        except OSError as error:
            raise _full(f"content cannot be held in spill.folder: {error.strerror}") from None

    async def read(self, number: int) -> bytes:
        """The content of a block, from 0. Raises Refusal `internal` when it is not what was
        written."""
        return await trio.to_thread.run_sync(self._read, number, limiter=_DISK)

    def close(self) -> None:
        """Forget all of it, and give back what it took. A thread tells the kernel: to free a large
        file takes time."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            trio.lowlevel.start_thread_soon(lambda: os.close(fd), lambda done: None)
        self._room.give(self._count, self._taken)
        self._taken = 0
        self._blocks.clear()

    def _write(self, content: bytes) -> None:
        if self._fd < 0:
            self._fd = open_nameless(self._room.folder)
        view = memoryview(content)
        for start in range(0, len(view), BLOCK):
            nonce = len(self._blocks).to_bytes(12, "big")
            sealed = self._seal.encrypt(nonce, view[start : start + BLOCK], None)
            at = self._end
            while self._end < at + len(sealed):
                self._end += os.pwrite(self._fd, sealed[self._end - at :], self._end)
            self._blocks.append((at, len(sealed)))

    def _read(self, number: int) -> bytes:
        at, size = self._blocks[number]
        try:
            sealed = os.pread(self._fd, size, at)
            return self._seal.decrypt(number.to_bytes(12, "big"), sealed, None)
        except (OSError, InvalidTag):
            raise Refusal("internal", "what was held on the disk is not what was written") from None


def _full(reason: str) -> Refusal:
    return Refusal("overloaded", reason, retry_after=1)
