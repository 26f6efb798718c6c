"""Puts the log on disk as static files: tiles and bundles first, then the checkpoint over them.

An unfinished tile stays until two later checkpoints are out: whoever still reads by the one before
finds what it names.
"""

from pathlib import Path
from typing import Final

from proxy.notary.disk import Disk
from proxy.notary.leaves import Edition
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.tiles import tile_path, tiles_of

CHECKPOINT: Final = "checkpoint"
JOURNAL: Final = "journal"
_SCRATCH: Final = ".publishing"


class Publisher:
    def __init__(self, disk: Disk, store: Path, size: int | None) -> None:
        """`size` is that of the checkpoint in the store; None when it has none."""
        self._disk = disk
        self._store = store
        self.size = size
        self.partials: frozenset[str] = frozenset()
        """Unfinished tiles that this process has written and that are current."""
        unfinished = (tile for tile in tiles_of(size or 0) if tile[2] < TILE_WIDTH)
        self._current = frozenset(tile_path(*tile) for tile in unfinished)
        self._older = _partials_on_disk(store, self._current)

    def publish(self, edition: Edition, checkpoint: bytes) -> None:
        """Write everything. Blocks on the disk. Raises `OSError`; may then be tried again."""
        folders: set[Path] = set()
        for name, data in edition.files:
            path = self._store / name
            folders |= self._disk.make_folders(path.parent) | {path.parent}
            self._disk.replace(path, self._store / _SCRATCH, data)
        for folder in folders:
            self._disk.sync_folder(folder)
        self._disk.replace(self._store / CHECKPOINT, self._store / _SCRATCH, checkpoint)
        self._disk.sync_folder(self._store)
        gone = self._older - self._current - edition.partials
        self._older, self._current = self._current, edition.partials
        self.partials, self.size = edition.partials, edition.size
        for name in gone:
            self._disk.remove(self._store / name)


def _partials_on_disk(store: Path, current: frozenset[str]) -> frozenset[str]:
    """The unfinished tiles beside the current ones, which earlier checkpoints left."""
    folders = {Path(name).parent for name in current}
    found = (file for folder in folders for file in (store / folder).glob("*"))
    return frozenset(str(file.relative_to(store)) for file in found) - current
