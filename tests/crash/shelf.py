"""The disk behind the page cache: what was synced stays, of the rest anything may.

`Shelf` is built from a record (`record.py`) up to any point of it; `cut` is one of the states in
which the machine may come up again, and `write` puts a state where a notary can open it.

What the model allows, which is more than any one file system does
- A write that no later sync of its file covers may be there or not, in sectors of 512 octets, each
  for itself; where the file has grown and the data is missing there are zeros, or anything.
- The length of a file is what it was at its last sync, or after any write since.
- A name that was made, renamed or removed and whose folder was not synced since may be so or as
  before, each for itself; a rename is whole or not at all, and settles with either folder.
- A folder that is lost takes everything in it along. Syncing a file does not settle its name.
"""

import copy
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.record import Rename, Resize, Step, Sync, SyncFolder, Told, Write

SECTOR = 512
Names = dict[str, tuple[int, int | str | None]]
"""Name -> place in the record of what made it so, and what it is: the later one holds."""


@dataclass(slots=True)
class File:
    settled: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, Write | Resize]] = field(default_factory=list)
    """(place in the record, what), in order."""


class Shelf:
    """What the disk holds, and what only the cache has. `take` the steps of a record in order."""

    def __init__(self, place: int = 0) -> None:
        self.told: list[Any] = []
        self._files: dict[int, File] = {}
        self._names: Names = {}
        self._pending: list[tuple[int, Rename]] = []
        self.place = place

    def take(self, step: Step) -> None:
        match step:
            case Write() | Resize():
                self._file(step.file).pending.append((self.place, step))
            case Sync():
                self._settle(self._file(step.file), step.since)
            case Rename():
                self._pending.append((self.place, step))
            case SyncFolder():
                self._settle_names("" if step.folder == "." else step.folder)
            case Told():
                self.told.append(step.what)
        self.place += 1

    def _file(self, number: int) -> File:
        return self._files.setdefault(number, File())

    def _settle(self, file: File, since: int) -> None:
        for place, what in file.pending:
            if place < since:
                _apply(file.settled, what)
        file.pending = [each for each in file.pending if each[0] >= since]

    def _settle_names(self, folder: str) -> None:
        """Everything that was done to a name in `folder`, and what changed together with it."""
        rest = []
        for place, each in self._pending:
            if any(os.path.dirname(name) == folder for name, _ in each.names):
                _rename(self._names, place, each)
            else:
                rest.append((place, each))
        self._pending = rest

    # --- what is on it ---

    def cut(self, chance: random.Random) -> "Shelf":
        """One state in which the disk may come up when the power fails now."""
        likely = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        kept = [each for each in self._pending if chance.random() < likely]
        return self._state(kept, lambda file: _torn(file, chance))

    def cached(self) -> "Shelf":
        """What a process sees: everything, synced or not."""
        return self._state(self._pending, _whole)

    def _state(
        self, renames: list[tuple[int, Rename]], content: Callable[[File], bytearray]
    ) -> "Shelf":
        names = dict(self._names)
        for place, each in renames:
            _rename(names, place, each)
        found = Shelf(self.place)
        found.told = list(self.told)
        for name in sorted(names):
            place, what = names[name]
            folder = os.path.dirname(name)
            if what is None or (folder and folder not in found._names):
                continue  # gone, or lost with its folder
            found._names[name] = (place, what)
            if isinstance(what, int):
                found._files[what] = File(content(self._file(what)))
        return found

    def read(self, number: int) -> bytes:
        """What a process reads in a file."""
        return bytes(_whole(self._file(number)))

    def numbers(self) -> dict[str, int]:
        """Every file's name as a process sees it."""
        found = self.cached()._names.items()
        return {name: what for name, (_, what) in found if isinstance(what, int)}

    def write(self, target: Path) -> dict[str, int]:
        """The files as a process sees them, in the new folder `target`. Returns their numbers."""
        target.mkdir()
        found = self.cached()
        files = {}
        for name, (_, what) in found._names.items():
            if isinstance(what, int):
                (target / name).write_bytes(found._file(what).settled)
                (target / name).chmod(0o640)
                files[name] = what
            else:
                (target / name).mkdir()
        return files

    def copy(self) -> "Shelf":
        return copy.deepcopy(self)


def _rename(names: Names, place: int, rename: Rename) -> None:
    for name, found in rename.names:
        if name not in names or names[name][0] < place:
            names[name] = (place, found)


def _apply(content: bytearray, what: Write | Resize) -> None:
    if isinstance(what, Resize):
        del content[what.size :]
        content.extend(bytes(what.size - len(content)))
        return
    content.extend(bytes(max(0, what.offset + len(what.data) - len(content))))
    content[what.offset : what.offset + len(what.data)] = what.data


def _whole(file: File) -> bytearray:
    content = bytearray(file.settled)
    for _, what in file.pending:
        _apply(content, what)
    return content


def _torn(file: File, chance: random.Random) -> bytearray:
    """A file as it may be found: what was synced, and of the rest some sectors."""
    content = bytearray(file.settled)
    if not file.pending:
        return content
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
    return content


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
