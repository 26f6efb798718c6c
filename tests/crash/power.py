"""A disk whose power can be cut: what was synced stays, of the rest anything may.

`Recorder` stands where `proxy.notary.disk` reaches for the operating system: everything is really
done, so that the notary can read it back, and written down in order. `Shelf` is the disk behind the
page cache, built from such a record up to any point of it; `materialise` makes of it one of the
states in which the machine may come up again.

What the model allows, which is more than any one file system does
- A write that no later sync of its file covers may be there or not, in sectors of 512 octets, each
  for itself; where the file has grown and the data is missing there are zeros, or anything.
- The length of a file is what it was at its last sync, or after any write since.
- A name that was made, renamed or removed and whose folder was not synced since may be so or as
  before, each for itself; a rename is whole or not at all, and settles with either folder.
- A folder that is lost takes everything in it along. Syncing a file does not settle its name.
"""

import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy.notary.disk import Disk

SECTOR = 512


# --- the record ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Write:
    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """Of a file: covers the writes before the place `since` in the record."""

    file: int
    since: int


@dataclass(frozen=True, slots=True)
class Rename:
    """Names that change together: name -> file, folder or (removed) None."""

    names: tuple[tuple[str, "int | str | None"], ...]


@dataclass(frozen=True, slots=True)
class SyncFolder:
    folder: str


@dataclass(frozen=True, slots=True)
class Told:
    """Something that somebody outside was told, and that has to hold from here on."""

    what: Any


Step = Write | Resize | Sync | Rename | SyncFolder | Told
FOLDER = "folder"


class Recorder:
    """`os` as `proxy.notary.disk` knows it, for what is below `root`. Real syncs are left out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.steps: list[Step] = []
        self._lock = threading.RLock()
        self._files: dict[int, int] = {}
        """Inode number -> our number; the latest file that had it."""
        self._count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def tell(self, what: Any) -> None:
        self._note(Told(what))

    def _note(self, step: Step) -> None:
        with self._lock:
            self.steps.append(step)

    def _name(self, path: Path | str) -> str:
        return str(Path(path).relative_to(self.root))

    def _file(self, fd: int) -> int:
        return self._files[os.fstat(fd).st_ino]

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        with self._lock:
            new = bool(flags & os.O_CREAT) and not os.path.lexists(path)
            fd = os.open(path, flags, mode)
            if new:
                self._count += 1
                self._files[os.fstat(fd).st_ino] = self._count
                self._note(Rename(((self._name(path), self._count),)))
            elif flags & os.O_TRUNC:
                self._note(Resize(self._file(fd), 0))
            return fd

    def write(self, fd: int, data: bytes | memoryview) -> int:
        with self._lock:
            self._note(Write(self._file(fd), os.fstat(fd).st_size, bytes(data)))
            return os.write(fd, data)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        with self._lock:
            self._note(Write(self._file(fd), offset, bytes(data)))
            return os.pwrite(fd, data, offset)

    def posix_fallocate(self, fd: int, offset: int, length: int) -> None:
        with self._lock:
            os.posix_fallocate(fd, offset, length)
            self._note(Resize(self._file(fd), os.fstat(fd).st_size))

    def fdatasync(self, fd: int) -> None:
        since = len(self.steps)
        threading.Event().wait(0.0002)  # others go on meanwhile, as they do on a real disk
        self._note(Sync(self._file(fd), since))

    def fsync(self, fd: int) -> None:
        path = os.readlink(f"/proc/self/fd/{fd}")
        if os.path.isdir(path):
            self._note(SyncFolder(self._name(path)))
        else:
            self.fdatasync(fd)

    def rename(self, source: Path, target: Path) -> None:
        with self._lock:
            file = self._files[os.stat(source).st_ino]
            os.rename(source, target)
            self._note(Rename(((self._name(source), None), (self._name(target), file))))


class RecordedDisk(Disk):
    """What the notary does to names through `pathlib` rather than `os`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def make_folders(self, folder: Path) -> set[Path]:
        missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
        touched = super().make_folders(folder)
        for each in reversed(missing):
            self._recorder._note(Rename(((self._recorder._name(each), FOLDER),)))
        return touched

    def remove(self, path: Path) -> None:
        there, parent = path.exists(), path.parent.is_dir()
        super().remove(path)
        if there:
            self._recorder._note(Rename(((self._recorder._name(path), None),)))
        if parent and not path.parent.is_dir():
            self._recorder._note(Rename(((self._recorder._name(path.parent), None),)))


# --- the disk ------------------------------------------------------------------------------------


@dataclass(slots=True)
class File:
    settled: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, Write | Resize]] = field(default_factory=list)
    """(place in the record, what), in order."""


class Shelf:
    """What the platters hold, and what the cache still has. `take` steps in order."""

    def __init__(self) -> None:
        self.files: dict[int, File] = {}
        self.names: dict[str, int | str] = {}
        self.pending: list[Rename] = []
        self.told: list[Any] = []
        self._place = 0

    def take(self, step: Step) -> None:
        match step:
            case Write() | Resize():
                self.files.setdefault(step.file, File()).pending.append((self._place, step))
            case Sync():
                self._settle(self.files.setdefault(step.file, File()), step.since)
            case Rename():
                self.pending.append(step)
            case SyncFolder():
                self._settle_names(step.folder)
            case Told():
                self.told.append(step.what)
        self._place += 1

    def _settle(self, file: File, since: int) -> None:
        for place, what in file.pending:
            if place < since:
                _apply(file.settled, what)
        file.pending = [each for each in file.pending if each[0] >= since]

    def _settle_names(self, folder: str) -> None:
        """Everything that was done to a name in `folder`, and what went with it."""
        rest = []
        for each in self.pending:
            if any(os.path.dirname(name) == folder.removeprefix(".") for name, _ in each.names):
                _rename(self.names, each)
            else:
                rest.append(each)
        self.pending = rest

    def materialise(self, target: Path, chance: random.Random) -> None:
        """One state in which the disk may come up, as files below `target`."""
        likely = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        names = dict(self.names)
        for each in self.pending:
            if chance.random() < likely:
                _rename(names, each)
        target.mkdir()
        for name in sorted(names):
            found, path = names[name], target / name
            if not path.parent.is_dir():
                continue  # its folder was lost
            if found == FOLDER:
                path.mkdir()
            elif isinstance(found, int):
                path.write_bytes(_content(self.files.get(found, File()), chance))


def _rename(names: dict[str, int | str], rename: Rename) -> None:
    for name, found in rename.names:
        if found is None:
            names.pop(name, None)
        else:
            names[name] = found


def _apply(content: bytearray, what: Write | Resize) -> None:
    if isinstance(what, Resize):
        del content[what.size :]
        content.extend(bytes(what.size - len(content)))
        return
    content.extend(bytes(max(0, what.offset + len(what.data) - len(content))))
    content[what.offset : what.offset + len(what.data)] = what.data


def _content(file: File, chance: random.Random) -> bytes:
    """A file as it may be found: what was synced, and of the rest some sectors."""
    content = bytearray(file.settled)
    if not file.pending:
        return bytes(content)
    likely = chance.choice((0.0, 0.2, 0.5, 0.8, 1.0))
    filler: Callable[[int], bytes] = chance.choice((bytes, chance.randbytes))
    length = chance.choice(list(_lengths(file)))
    for _, what in file.pending:
        if isinstance(what, Resize):
            if chance.random() < likely:
                _apply(content, what)
            continue
        for offset, sector in _sectors(what):
            if chance.random() < likely:
                content.extend(filler(max(0, offset - len(content))))
                _apply(content, Write(what.file, offset, sector))
    del content[length:]
    content.extend(filler(length - len(content)))
    return bytes(content)


def _lengths(file: File) -> Iterator[int]:
    length = len(file.settled)
    yield length
    for _, what in file.pending:
        if isinstance(what, Resize):
            length = what.size
        else:
            length = max(length, what.offset + len(what.data))
        yield length


def _sectors(write: Write) -> Iterator[tuple[int, bytes]]:
    at, end = write.offset, write.offset + len(write.data)
    while at < end:
        upto = min(end, at - at % SECTOR + SECTOR)
        yield at, write.data[at - write.offset : upto - write.offset]
        at = upto
