"""The few things that the notary asks of a file system, in one place so that tests can fail them.

How a file becomes durable here: an appended one by fdatasync, which also writes the new length; a
whole one by writing a scratch file, fdatasync, rename over the old name, and fsync of the folder.
Of many files each of these steps is done to all before the next one; the syncs go side by side
where the kernel does them, see `aio.py`, so that ten files cost the disk about what one does.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from proxy.notary.aio import Aio

FILE_MODE: Final = 0o640
FOLDER_MODE: Final = 0o750
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_AT_ONCE: Final = 32
"""Files that are open, and synced, at the same time."""

Pieces = Sequence[bytes]
"""The content of a file."""


class Disk:
    """Raises `OSError` and nothing else."""

    def require_writable(self, folder: Path) -> None:
        """Raises on a read-only file system, before anything else fails of it less clearly."""
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def append(self, fd: int, data: bytes) -> None:
        """Write all of `data` at the end of the file; after an error a part may be there."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def sync(self, fd: int) -> None:
        """Returns when everything appended so far survives a crash of the machine."""
        os.fdatasync(fd)

    def begin_sync(self, aio: Aio, fd: int) -> bool:
        """Have the kernel do the same by itself. False where it does not: call `sync` then."""
        try:
            aio.fdatasync(fd)
        except OSError:
            return False
        return True

    def create(self, path: Path, scratch: Path, parts: Iterable[bytes]) -> int:
        """Put a new file in place of `path` in one step; it stays open for appending."""
        fd = os.open(scratch, _NEW, FILE_MODE)
        try:
            for part in parts:
                self.append(fd, part)
            self.sync(fd)
            os.rename(scratch, path)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def replace(self, path: Path, scratch: Path, data: bytes) -> None:
        """`create`, for a file that is not appended to."""
        os.close(self.create(path, scratch, [data]))

    def group(self) -> Aio | None:
        """What `write_all` and `sync_folders` are given; None where the kernel has no such."""
        try:
            return Aio(_AT_ONCE)
        except OSError:
            return None

    def write_all(self, aio: Aio | None, files: Sequence[tuple[Path, Pieces]]) -> None:
        """Write new files, durably but for their names; after an error some may be there."""
        for at in range(0, len(files), _AT_ONCE):
            with _opened() as fds:
                for path, pieces in files[at : at + _AT_ONCE]:
                    fds.append(os.open(path, _NEW, FILE_MODE))
                    self.append(fds[-1], b"".join(pieces))
                synced = _together(aio, aio.fdatasync, fds) if aio else 0
                for fd in fds[synced:]:
                    self.sync(fd)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, in place of what has it."""
        os.rename(old, new)

    def sync_folders(self, aio: Aio | None, folders: Sequence[Path]) -> None:
        """Make the names in folders durable."""
        for at in range(0, len(folders), _AT_ONCE):
            some = folders[at : at + _AT_ONCE]
            with _opened() as fds:
                for folder in some:
                    fds.append(os.open(folder, _FOLDER))
                synced = _together(aio, aio.fsync, fds) if aio else 0
                for folder in some[synced:]:
                    self.sync_folder(folder)

    def create_slots(self, path: Path) -> int:
        """A new, empty file whose parts are written in place; there must be none. Stays open."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)

    def allocate(self, fd: int, size: int) -> None:
        """Make the file `size` octets long, the new ones zero and their blocks its own."""
        os.posix_fallocate(fd, 0, size)

    def write_at(self, fd: int, offset: int, data: bytes) -> None:
        """Write all of `data` in place; after an error a part may be there. Call it in turn."""
        view = memoryview(data)
        while view:
            written = os.pwrite(fd, view, offset)
            view, offset = view[written:], offset + written

    def make_folders(self, folder: Path) -> set[Path]:
        """Make `folder` and what is missing above it. Returns the folders that gained one."""
        if folder.is_dir():
            return set()
        touched = self.make_folders(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(FOLDER_MODE)
        return touched | {folder.parent}

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        fd = os.open(folder, _FOLDER)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def unlink(self, path: Path) -> None:
        """Remove a file. It may be gone already."""
        path.unlink(missing_ok=True)

    def remove(self, path: Path) -> None:
        """Remove a file, and its folder where that leaves it empty. It may be gone already."""
        self.unlink(path)
        with contextlib.suppress(OSError):
            path.parent.rmdir()


@contextlib.contextmanager
def _opened() -> Iterator[list[int]]:
    """Close what is put into the list."""
    fds: list[int] = []
    try:
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def _together(aio: Aio, begin: Callable[..., int], fds: Sequence[int]) -> int:
    """Have the kernel sync files side by side; of how many it did so, the first ones.

    Raises the `OSError` of one that failed. It is not asked for again: the kernel tells once.
    """
    try:
        taken = begin(*fds)
    except OSError:
        return 0
    aio.end()
    return taken
