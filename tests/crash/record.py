"""What the notary asks of the operating system, done and written down in order.

While `recording` lasts, the functions of `os` that change files are ours, for whatever is below the
recorder's root (`pathlib` calls them too, and `vfs.py` adds what SQLite does), and so are the syncs
that the kernel is asked for. All is really done, so that it can be read back; only the syncs are
left out, since nobody cuts the power of this machine. So this is a fake of the kernel and not of
our own code: what is not synced there is lost.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from proxy.notary.aio import Aio

FOLDER: Literal["folder"] = "folder"
File = int
"""Our number of a file, whatever its name."""


@dataclass(frozen=True, slots=True)
class Write:
    file: File
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    file: File
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """Covers the writes to the file before the place `since` in the record."""

    file: File
    since: int


@dataclass(frozen=True, slots=True)
class Rename:
    """Names, relative to the root, that change together; None: no more."""

    names: tuple[tuple[str, File | Literal["folder"] | None], ...]


@dataclass(frozen=True, slots=True)
class SyncFolder:
    folder: str


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody outside was told, or could see, and what has to hold from here on."""

    what: Any


Step = Write | Resize | Sync | Rename | SyncFolder | Told
_ours = ("open", "write", "pwrite", "posix_fallocate", "ftruncate", "fdatasync", "fsync")
_names = ("rename", "replace", "mkdir", "unlink", "rmdir")


class Recorder:
    def __init__(self, root: Path, place: int = 0, files: Mapping[str, File] | None = None) -> None:
        """`place` and `files` are those of an earlier record that this one goes on with."""
        self.root = root
        self.steps: list[Step] = []
        self._start = place
        self._lock = threading.RLock()
        self._numbers = {os.stat(root / name).st_ino: file for name, file in (files or {}).items()}
        """Inode number -> our number of the latest file that had it."""
        self._begun: dict[int, list[Step]] = {}
        """The eventfd of who asked -> what the kernel syncs for it."""
        self._os = {name: getattr(os, name) for name in (*_ours, *_names)}

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Stand between this process and its file system."""
        for name in self._os:
            setattr(os, name, getattr(self, f"_{name}"))
        ours = {"fdatasync": self._begin, "fsync": self._begin_folders, "end": self._end}
        begun = dict(vars(Aio))
        for name, each in ours.items():
            setattr(Aio, name, lambda aio, *words, each=each: each(aio, *words))
        try:
            yield
        finally:
            for name in ours:
                setattr(Aio, name, begun[name])
            for name, original in self._os.items():
                setattr(os, name, original)

    @property
    def place(self) -> int:
        """The number of the next step."""
        return self._start + len(self.steps)

    def note(self, step: Step) -> None:
        with self._lock:
            self.steps.append(step)

    def tell(self, what: Any) -> None:
        self.note(Told(what))

    def covers(self, path: Any) -> bool:
        return isinstance(path, str | Path) and Path(path).is_relative_to(self.root)

    def name(self, path: Path | str) -> str:
        return str(Path(path).relative_to(self.root))

    def made(self, path: Path | str) -> None:
        """A file has got its first name."""
        with self._lock:
            number = self._numbers[os.stat(path).st_ino] = self.place
            self.note(Rename(((self.name(path), number),)))

    def number(self, path: Path | str) -> File:
        return self._numbers[os.stat(path).st_ino]

    # --- the functions of `os` -------------------------------------------------------------------

    def _file(self, fd: int) -> File | None:
        """None for what is not below the root."""
        target = os.readlink(f"/proc/self/fd/{fd}")
        return self._numbers.get(os.fstat(fd).st_ino) if self.covers(target) else None

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not self.covers(path):
            return int(self._os["open"](path, flags, mode, dir_fd=dir_fd))
        with self._lock:
            new = bool(flags & os.O_CREAT) and not os.path.lexists(path)
            fd = int(self._os["open"](path, flags, mode))
            if new:
                self.made(path)
            elif flags & os.O_TRUNC:
                self.note(Resize(self.number(path), 0))
            return fd

    def _change(self, fd: int, step: Callable[[File], Step], do: Callable[[], Any]) -> Any:
        file = self._file(fd)
        if file is None:
            return do()
        with self._lock:
            self.note(step(file))
            return do()

    def _write(self, fd: int, data: Any) -> Any:
        def step(file: File) -> Step:
            return Write(file, os.fstat(fd).st_size, bytes(data))

        return self._change(fd, step, lambda: self._os["write"](fd, data))

    def _pwrite(self, fd: int, data: Any, offset: int) -> Any:
        def step(file: File) -> Step:
            return Write(file, offset, bytes(data))

        return self._change(fd, step, lambda: self._os["pwrite"](fd, data, offset))

    def _posix_fallocate(self, fd: int, offset: int, length: int) -> Any:
        def step(file: File) -> Step:
            return Resize(file, max(os.fstat(fd).st_size, offset + length))

        do = self._os["posix_fallocate"]
        return self._change(fd, step, lambda: do(fd, offset, length))

    def _ftruncate(self, fd: int, length: int) -> Any:
        do = self._os["ftruncate"]
        return self._change(fd, lambda file: Resize(file, length), lambda: do(fd, length))

    def _fdatasync(self, fd: int) -> None:
        file, since = self._file(fd), self.place
        if file is None:
            self._os["fdatasync"](fd)
            return
        threading.Event().wait(0.0002)  # others go on meanwhile, as beside a real disk
        self.note(Sync(file, since))

    def _begin(self, aio: Aio, *fds: int) -> int:
        """The kernel is asked to sync files."""
        files = [file for fd in fds if (file := self._file(fd)) is not None]
        assert len(files) == len(fds)
        self._begun[aio.done] = [Sync(file, self.place) for file in files]
        os.eventfd_write(aio.done, 1)
        return len(fds)

    def _begin_folders(self, aio: Aio, *fds: int) -> int:
        """It is asked to sync folders, all of which are below the root."""
        targets = [os.readlink(f"/proc/self/fd/{fd}") for fd in fds]
        self._begun[aio.done] = [SyncFolder(self.name(target)) for target in targets]
        os.eventfd_write(aio.done, 1)
        return len(fds)

    def _end(self, aio: Aio) -> None:
        """It says that this has ended: in any order, so the last asked for is the first."""
        os.eventfd_read(aio.done)
        for step in reversed(self._begun.pop(aio.done)):
            self.note(step)

    def _fsync(self, fd: int) -> None:
        target = os.readlink(f"/proc/self/fd/{fd}")
        if self.covers(target) and os.path.isdir(target):
            self.note(SyncFolder(self.name(target)))
        else:
            self._fdatasync(fd)

    # --- names ---

    def _rename(self, source: Any, target: Any) -> None:
        with self._lock:
            self._os["rename"](source, target)
            if self.covers(target):
                moved = (self.name(target), self.number(target))
                self.note(Rename(((self.name(source), None), moved)))

    _replace = _rename

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        self._os["mkdir"](path, mode, dir_fd=dir_fd)
        if self.covers(path):
            self.note(Rename(((self.name(path), FOLDER),)))

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._os["unlink"](path, dir_fd=dir_fd)
        if self.covers(path):
            self.note(Rename(((self.name(path), None),)))

    def _rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._os["rmdir"](path, dir_fd=dir_fd)
        if self.covers(path):
            self.note(Rename(((self.name(path), None),)))
