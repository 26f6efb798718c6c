"""Puts the log on disk as static files: tiles and bundles first, then the checkpoint over them.

All are written under scratch names and synced together; then the tiles get their names, and when
those are durable the checkpoint gets its own. Until then nobody sees anything of it, nor after a
crash.

An unfinished tile stays until two later checkpoints are out: whoever still reads by the one before
finds what it names. Cosignatures come later, if at all: the checkpoint is then written once more,
with them, unless there is a newer one; and one that the quorum of a policy has cosigned stays as
`checkpoint.witnessed` until the next such one, because a busy log's newest is always too young.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from proxy.errors import EvidenceError
from proxy.notary.disk import Disk
from proxy.notary.leaves import Edition
from proxy.receipt import note
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.quorum import CHECKPOINT as CHECKPOINT
from proxy.receipt.quorum import WITNESSED
from proxy.receipt.tiles import tile_path, tiles_of

JOURNAL: Final = "journal"
_SCRATCH: Final = ".publishing"


class Publisher:
    def __init__(self, disk: Disk, store: Path, size: int | None) -> None:
        """`size` is that of the checkpoint in the store; None when it has none."""
        self._disk = disk
        self._store = store
        self.size = size
        self.checkpoint = b""
        """The last one that this process has put out, without cosignatures."""
        self.partials: frozenset[str] = frozenset()
        """Unfinished tiles that this process has written and that are current."""
        unfinished = (tile for tile in tiles_of(size or 0) if tile[2] < TILE_WIDTH)
        self._current = frozenset(tile_path(*tile) for tile in unfinished)
        self._older = _partials_on_disk(store, self._current)
        self._group = disk.group()
        self._settled = {store}
        """Folders of folders whose names this process has made durable."""
        self._sweep(store.glob(f"{_SCRATCH}*"))

    def publish(self, edition: Edition, checkpoint: bytes) -> None:
        """Write everything. Blocks on the disk. Raises `OSError`; may then be tried again."""
        paths = [self._store / name for name, _ in edition.files]
        drafts = [self._store / f"{_SCRATCH}{number}" for number in range(len(paths) + 1)]
        contents = (*(pieces for _, pieces in edition.files), [checkpoint])
        try:
            self._disk.write_all(self._group, list(zip(drafts, contents, strict=True)))
            self._name(drafts, paths)
        except OSError:
            self._sweep(drafts)
            raise
        gone = self._older - self._current - edition.partials
        self._older, self._current = self._current, edition.partials
        self.partials, self.size = edition.partials, edition.size
        self.checkpoint = checkpoint
        for name in gone:
            self._disk.remove(self._store / name)

    def _name(self, drafts: list[Path], paths: list[Path]) -> None:
        """Tiles first, durably, and then the checkpoint, which is the last of the drafts."""
        folders: set[Path] = set()
        for draft, path in zip(drafts, paths, strict=False):
            self._disk.make_folders(path.parent)
            folders |= self._to_settle(path.parent)
            self._disk.rename(draft, path)
        self._disk.sync_folders(self._group, list(folders))
        self._settled |= {folder.parent for folder in folders - {self._store}}
        self._disk.rename(drafts[-1], self._store / CHECKPOINT)
        self._disk.sync_folder(self._store)

    def _sweep(self, drafts: Iterable[Path]) -> None:
        """Give the space back."""
        for draft in drafts:
            with contextlib.suppress(OSError):
                self._disk.unlink(draft)

    def close(self) -> None:
        if self._group is not None:
            self._group.close()
            self._group = None

    def _to_settle(self, folder: Path) -> set[Path]:
        """A folder, and those above it that nobody may have synced: whoever made them was killed,
        perhaps, before it had."""
        if folder in self._settled:
            return {folder}
        return {folder} | self._to_settle(folder.parent)

    def cosign(self, checkpoint: bytes, *, met: bool) -> None:
        """Keep a checkpoint of ours with the cosignatures on it; `met`: enough for the quorum.

        Blocks on the disk. Raises `OSError`; what is served then has fewer of them.
        """
        found = note.parse_checkpoint(note.parse(checkpoint).text)
        if met and _size(self._store / WITNESSED) <= found.size:
            self._disk.replace(self._store / WITNESSED, self._store / _SCRATCH, checkpoint)
        if self.size == found.size:
            self._disk.replace(self._store / CHECKPOINT, self._store / _SCRATCH, checkpoint)
        self._disk.sync_folder(self._store)


def _size(path: Path) -> int:
    """Of the checkpoint in a file; -1 where there is none that reads."""
    try:
        return note.parse_checkpoint(note.parse(path.read_bytes()).text).size
    except (FileNotFoundError, EvidenceError):
        return -1


def _partials_on_disk(store: Path, current: frozenset[str]) -> frozenset[str]:
    """The unfinished tiles beside the current ones, which earlier checkpoints left."""
    folders = {Path(name).parent for name in current}
    found = (file for folder in folders for file in (store / folder).glob("*"))
    return frozenset(str(file.relative_to(store)) for file in found) - current
