"""What peers have taken of their rates and volumes: one table in memory, shared by all workers.

    header     2,048 octets
               magic       8s   "LGrates1"
               buckets     u64  rows of 64 places
               offset      i64  what is added to CLOCK_BOOTTIME, in nanoseconds
               boot        36s  boot_id of the kernel whose clock that is
               key         32s  of the BLAKE2b by which names become places
               used        u8   1 when anything was ever taken
    row        2,048 octets, 64 places
    place      32 octets: mark u64 | level f64 | at i64 | free i64      (little-endian)

    mark  BLAKE2b-64(key, name); row = mark mod rows        level, at  see `policy/bucket.py`
    free  when the bucket has drained: from then on the place is anybody's

Rules
- A row is locked while it is read and written: by fcntl(2), on the descriptor of the table, so that
  the kernel frees the lock of a worker that dies. Who has it holds it for microseconds; it is not
  waited for longer than `_PATIENCE`.
- No place is given up before its time, and where a row has none the transfer is refused: to forget
  what was taken would give it again. Twice as many places as `rates.capacity` make that improbable
  (1 in 10^7) before so many buckets are in use.
- Times are of one clock for all processes, that neither leaps nor stands still in a suspend. Across
  boots it goes on by the clock on the wall (`app/rates.py`).
- Who has the table could give itself anything: it is for workers, who decide anyway.
"""

import hashlib
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from pathlib import Path
from typing import Final

from proxy.errors import LockgateError, Refusal
from proxy.policy.bucket import drained, empty_at, wait
from proxy.settings.pace import Pace

ROW: Final = 2048
_MAGIC: Final = b"LGrates1"
_HEADER: Final = struct.Struct("<8sQq36s32sB")
_USED: Final = _HEADER.size - 1
_PLACE: Final = struct.Struct("<Qdqq")
_STEP: Final = _PLACE.size
_PATIENCE: Final = 0.1
"""Seconds for a row that another worker holds, which was stopped at a bad moment."""


@dataclass(frozen=True, slots=True, repr=False)
class Header:
    """How a table is laid out, and by which clock and key."""

    rows: int
    offset: int
    boot: bytes
    key: bytes

    @classmethod
    def fresh(cls, capacity: int) -> "Header":
        """Of a new table for so many buckets, whose clock begins as the one on the wall."""
        rows = max(1, -(-2 * capacity * _STEP // ROW))
        return cls(rows, time.time_ns() - boottime(), boot_id(), os.urandom(32))

    @classmethod
    def of(cls, octets: bytes) -> "Header":
        """The one that a table begins with. Raises LockgateError."""
        if len(octets) < _HEADER.size:
            raise LockgateError("a table of rates is longer")
        magic, *parts, _ = _HEADER.unpack_from(octets)
        if magic != _MAGIC:
            raise LockgateError("this is no table of rates of this version")
        return cls(*parts)

    @property
    def size(self) -> int:
        """Octets of the table."""
        return ROW * (self.rows + 1)

    def octets(self, *, used: bool) -> bytes:
        parts = (self.rows, self.offset, self.boot, self.key)
        return _HEADER.pack(_MAGIC, *parts, used).ljust(ROW, b"\0")


def boottime() -> int:
    """Nanoseconds since this kernel was started, also those in which it was suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boot_id() -> bytes:
    """Of the kernel that runs: 36 octets."""
    return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()[:36].ljust(36, b"\0")


def memory(header: Header) -> int:
    """A descriptor of fresh memory for an empty table."""
    fd = os.memfd_create("lockgate-rates", os.MFD_CLOEXEC)
    os.ftruncate(fd, header.size)
    os.pwrite(fd, header.octets(used=False), 0)
    return fd


def moved(octets: bytes, header: Header) -> Iterator[tuple[int, bytes]]:
    """What is in use in the table `octets`, each with where it goes in one with another header.

    What that one's clock has not reached yet begins to drain when it does begin. Raises Refusal
    `overloaded` where a row of it has no place left.
    """
    now, filled = boottime() + header.offset, [0] * header.rows
    for start in range(ROW, len(octets), ROW):
        row = octets[start : start + ROW]
        if not any(row):
            continue
        for mark, level, since, free in _PLACE.iter_unpack(row):
            early = max(0, since - now)
            if free - early <= now:
                continue
            place = filled[mark % header.rows]
            if place == ROW:
                raise Refusal("overloaded", "rates.capacity is too small for what is in use")
            filled[mark % header.rows] = place + _STEP
            packed = _PLACE.pack(mark, level, since - early, free - early)
            yield ROW * (1 + mark % header.rows) + place, packed


class Table:
    """A table of rates over a descriptor, which it keeps. Raises LockgateError if it is none."""

    def __init__(self, fd: int, on_use: Callable[[], None] = lambda: None) -> None:
        """`on_use` is called when this process is the first to take anything."""
        self.fd, self._on_use = fd, on_use
        self._size = os.fstat(fd).st_size
        if self._size < 2 * ROW:
            raise LockgateError("the table of rates is too short")
        self._memory = mmap.mmap(fd, self._size)
        header = Header.of(self._memory[:ROW])
        if self._size != ROW * (header.rows + 1):
            raise LockgateError("the table of rates is not as long as it says")
        self._rows, self._offset, self._key = header.rows, header.offset, header.key

    @classmethod
    def alone(cls, capacity: int = 1024) -> "Table":
        """One that nobody else has, and nothing keeps."""
        return cls(memory(Header.fresh(capacity)))

    @property
    def used(self) -> bool:
        """True when anything was ever taken."""
        return bool(self._memory[_USED])

    @property
    def size(self) -> int:
        """Octets."""
        return self._size

    def now(self) -> int:
        """Nanoseconds by the clock of the table."""
        return boottime() + self._offset

    def mark(self, *name: bytes) -> bytes:
        """What stands for a bucket; each part of the name has its length before it."""
        said = b"".join(len(part).to_bytes(4, "little") + part for part in name)
        return hashlib.blake2b(said, digest_size=8, key=self._key).digest()

    def take(self, mark: bytes, pace: Pace, amount: float, need: float | None = None) -> float:
        """Take `amount` where `need` (or that) fits: 0.0, else in how many seconds it will.

        Infinite: never, it is more than the burst. Raises Refusal `overloaded`.
        """
        need = amount if need is None else need
        row = self._row(mark)
        _lock(self.fd, row)
        try:
            now = self.now()
            at, level = self._find(row, mark, pace, now)
            short = wait(pace, level, need)
            if amount and not short:
                self._put(row, at, mark, level + amount, pace, now)
        finally:
            lockf(self.fd, LOCK_UN, ROW, row)
        return short

    def owe(self, mark: bytes, pace: Pace, amount: float) -> None:
        """Take `amount` that has come already, even where it is more than fits.

        Raises Refusal `overloaded`.
        """
        row = self._row(mark)
        _lock(self.fd, row)
        try:
            now = self.now()
            at, level = self._find(row, mark, pace, now)
            self._put(row, at, mark, level + amount, pace, now)
        finally:
            lockf(self.fd, LOCK_UN, ROW, row)

    def _row(self, mark: bytes) -> int:
        return ROW * (1 + int.from_bytes(mark, "little") % self._rows)

    def _find(self, row: int, mark: bytes, pace: Pace, now: int) -> tuple[int, float]:
        """(where it stands, how full it is); (-1, 0.0) where it does not stand."""
        at = self._memory.find(mark, row, row + ROW)
        while at >= 0:
            if at % _STEP == 0:
                _, level, since, free = _PLACE.unpack_from(self._memory, at)
                if free:
                    return at, drained(pace, level, since, now)
            at = self._memory.find(mark, at + 1, row + ROW)
        return -1, 0.0

    def _put(self, row: int, at: int, mark: bytes, level: float, pace: Pace, now: int) -> None:
        if at < 0:
            at = self._free(row, now)
            if not self._memory[_USED]:
                self._memory[_USED] = 1
                self._on_use()
        number = int.from_bytes(mark, "little")
        _PLACE.pack_into(self._memory, at, number, level, now, empty_at(pace, level, now))

    def _free(self, row: int, now: int) -> int:
        places = _PLACE.iter_unpack(self._memory[row : row + ROW])
        for number, (_, _, _, free) in enumerate(places):
            if free <= now:
                return row + number * _STEP
        raise Refusal("overloaded", "the table of rates is full: rates.capacity", retry_after=1)

    def octets(self, begin: int, end: int) -> bytes:
        """A part of the table, as it stands."""
        return self._memory[begin:end]

    def close(self) -> None:
        self._memory.close()
        os.close(self.fd)


def _lock(fd: int, row: int) -> None:
    """Raises Refusal `overloaded` where another has it for too long."""
    give_up = 0.0
    while True:
        try:
            lockf(fd, LOCK_EX | LOCK_NB, ROW, row)
            return
        except (BlockingIOError, PermissionError):
            give_up = give_up or time.monotonic() + _PATIENCE
            if time.monotonic() > give_up:
                reason = "another worker holds a row of the table of rates"
                raise Refusal("overloaded", reason, retry_after=1) from None
            os.sched_yield()
