"""File layers that fail on purpose, and one that counts."""

import errno
import os
import resource
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from proxy.notary.aio import Aio
from proxy.notary.disk import Disk, Pieces


class LooseDisk(Disk):
    """Syncs nothing, which nobody notices while the machine stays up; tests need no more."""

    def group(self) -> Aio | None:
        """None."""
        return None

    def begin_sync(self, aio: Aio, fd: int) -> bool:
        """Not by the kernel."""
        return False

    def sync(self, fd: int) -> None:
        """Done."""

    def sync_folder(self, folder: Path) -> None:
        """Done."""


class CountingDisk(LooseDisk):
    """Counts what is done to the journal; files that are written whole do not count."""

    def __init__(self) -> None:
        self.appends = 0
        self.syncs = 0

    def append(self, fd: int, data: bytes) -> None:
        self.appends += 1
        super().append(fd, data)

    def sync(self, fd: int) -> None:
        self.syncs += 1
        super().sync(fd)

    def create(self, path: Path, scratch: Path, parts: Iterable[bytes]) -> int:
        return LooseDisk().create(path, scratch, parts)

    def write_all(self, aio: Aio | None, files: Sequence[tuple[Path, Pieces]]) -> None:
        LooseDisk().write_all(aio, files)


class FailingDisk(LooseDisk):
    """Fails the named operations with `code` until `heal`; a failing append leaves a torn part."""

    def __init__(self) -> None:
        self.failing: frozenset[str] = frozenset()
        self.code = errno.ENOSPC

    def fail(self, *operations: str, code: int = errno.ENOSPC) -> None:
        self.failing, self.code = frozenset(operations), code

    def heal(self) -> None:
        self.failing = frozenset()

    def _check(self, operation: str) -> None:
        if operation in self.failing:
            raise OSError(self.code, "the disk fails on purpose")

    def append(self, fd: int, data: bytes) -> None:
        if "append" in self.failing:
            super().append(fd, data[: len(data) // 2])
        self._check("append")
        super().append(fd, data)

    def sync(self, fd: int) -> None:
        self._check("sync")
        super().sync(fd)

    def create(self, path: Path, scratch: Path, parts: Iterable[bytes]) -> int:
        self._check("create")
        return super().create(path, scratch, parts)

    def write_all(self, aio: Aio | None, files: Sequence[tuple[Path, Pieces]]) -> None:
        self._check("create")
        super().write_all(aio, files)

    def sync_folder(self, folder: Path) -> None:
        self._check("sync_folder")
        super().sync_folder(folder)

    def create_slots(self, path: Path) -> int:
        self._check("create_slots")
        return super().create_slots(path)

    def allocate(self, fd: int, size: int) -> None:
        self._check("allocate")
        super().allocate(fd, size)

    def write_at(self, fd: int, offset: int, data: bytes) -> None:
        if "write_at" in self.failing:
            super().write_at(fd, offset, data[: len(data) // 2])
        self._check("write_at")
        super().write_at(fd, offset, data)


class SmallDisk(LooseDisk):
    """Has room for so many octets in all: files that are appended to, and those in reserve."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._sizes: dict[int, int] = {}

    def _take(self, fd: int, octets: int) -> None:
        if octets > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= octets
        inode = os.fstat(fd).st_ino
        self._sizes[inode] = self._sizes.get(inode, 0) + octets

    def _give_back(self, path: Path) -> None:
        if path.exists():
            self.room += self._sizes.pop(path.stat().st_ino, 0)

    def append(self, fd: int, data: bytes) -> None:
        self._take(fd, len(data))
        super().append(fd, data)

    def create(self, path: Path, scratch: Path, parts: Iterable[bytes]) -> int:
        self._give_back(scratch)
        old = self._sizes.get(path.stat().st_ino, 0) if path.exists() else 0
        fd = super().create(path, scratch, parts)
        self.room += old
        return fd

    def rename(self, old: Path, new: Path) -> None:
        self._give_back(new)
        super().rename(old, new)

    def allocate(self, fd: int, size: int) -> None:
        self._take(fd, size - os.fstat(fd).st_size)
        super().allocate(fd, size)

    def unlink(self, path: Path) -> None:
        self._give_back(path)
        super().unlink(path)


class DyingDisk(LooseDisk):
    """Dies at its nth operation: that one is done in part, and nothing after it at all.

    What the folder then holds is what a crash of the process at that point leaves behind.
    """

    def __init__(self, lives: int, part: float) -> None:
        self.lives = lives
        self.part = part

    def _spend(self) -> None:
        self.lives -= 1
        if self.lives < 0:
            raise OSError(errno.EIO, "the disk is dead")

    def append(self, fd: int, data: bytes) -> None:
        if self.lives == 0:
            super().append(fd, data[: int(len(data) * self.part)])
        self._spend()
        super().append(fd, data)

    def sync(self, fd: int) -> None:
        self._spend()
        super().sync(fd)

    def create(self, path: Path, scratch: Path, parts: Iterable[bytes]) -> int:
        self._spend()
        return super().create(path, scratch, parts)

    def rename(self, old: Path, new: Path) -> None:
        self._spend()
        super().rename(old, new)

    def make_folders(self, folder: Path) -> set[Path]:
        self._spend()
        return super().make_folders(folder)

    def sync_folder(self, folder: Path) -> None:
        self._spend()
        super().sync_folder(folder)

    def create_slots(self, path: Path) -> int:
        self._spend()
        return super().create_slots(path)

    def allocate(self, fd: int, size: int) -> None:
        self._spend()
        super().allocate(fd, size)

    def write_at(self, fd: int, offset: int, data: bytes) -> None:
        if self.lives == 0:
            super().write_at(fd, offset, data[: int(len(data) * self.part)])
        self._spend()
        super().write_at(fd, offset, data)

    def unlink(self, path: Path) -> None:
        self._spend()
        super().unlink(path)


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process can grow, whoever writes it: what a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
