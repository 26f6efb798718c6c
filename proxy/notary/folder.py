"""Reads and audits a log's folder, whoever writes it; a running gateway is not disturbed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.errors import EvidenceError
from proxy.notary import journal
from proxy.notary.book import decode_snapshot
from proxy.notary.publisher import CHECKPOINT, JOURNAL
from proxy.receipt import note
from proxy.receipt.audit import Kept, Progress, Walk, audit, require_stray
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.tiles import ENTRIES, load_tile
from proxy.receipt.vkey import Vkey


@dataclass(frozen=True, slots=True)
class Tail:
    """What the journal holds: entries from `base` on, some of them in the tiles as well."""

    base: int
    entries: tuple[bytes, ...]
    scan: journal.Scan

    def beyond(self, size: int) -> tuple[bytes, ...]:
        """The entries after the first `size`; none when the journal begins later than that."""
        return self.entries[size - self.base :] if size >= self.base else ()


class Folder:
    """A log's folder. Raises `EvidenceError` for what cannot be read."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise EvidenceError(f"{path} is not a folder")
        self.path = path

    def load(self, name: str) -> bytes | None:
        """One file; None where there is none."""
        try:
            return (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise EvidenceError(f"{name}: {error.strerror}") from None

    def tiles(self) -> list[str]:
        """Every file below `tile/`."""
        found = (self.path / "tile").rglob("*")
        return sorted(str(file.relative_to(self.path)) for file in found if file.is_file())

    def tail(self) -> Tail | None:
        """The journal; None where there is none that we may read."""
        try:
            scan = journal.read_file(self.path / JOURNAL)
        except OSError:
            return None
        if not scan.items or scan.items[0][0] != journal.SNAPSHOT:
            return Tail(0, (), scan)
        entries = tuple(body for kind, body in scan.items if kind == journal.ENTRY)
        return Tail(decode_snapshot(scan.items[0][1]).base, entries, scan)

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """(index, envelope) of all that can be read: under the checkpoint, then the journal's.

        Nothing is verified.
        """
        data = self.load(CHECKPOINT)
        size = 0 if data is None else note.parse_checkpoint(note.parse(data).text).size
        yield from self.published(0, size)
        tail = self.tail()
        if tail is not None:
            yield from enumerate(tail.beyond(size), size)

    def published(self, start: int, size: int) -> Iterator[tuple[int, bytes]]:
        """(index, envelope) from the bundles of a log of `size`; `start` a multiple of 256."""
        for first in range(start, size, TILE_WIDTH):
            width = min(TILE_WIDTH, size - first)
            _, bundle = load_tile(self.load, ENTRIES, first // TILE_WIDTH, width)
            yield from enumerate(bundle, first)


def audit_folder(
    folder: Folder,
    *,
    vkeys: Sequence[Vkey],
    keys: Sequence[Ed25519PublicKey],
    kept: Kept | None = None,
    progress: Progress = lambda done, total: None,
) -> tuple[note.Checkpoint, int]:
    """The checkpoint, and how many entries the journal holds beyond it, all of it checked.

    Every tile in the folder is checked, and the journal where it may be read. Raises
    `EvidenceError` at the first thing that is wrong, with file and entry.
    """
    checkpoint, walk = audit(folder.load, vkeys=vkeys, keys=keys, kept=kept, progress=progress)
    for path in folder.tiles():
        require_stray(folder.load, path, checkpoint.size)
    tail = folder.tail()
    return checkpoint, 0 if tail is None else _require_tail(folder, tail, walk)


def _require_tail(folder: Folder, tail: Tail, walk: Walk) -> int:
    """Check the journal against the tiles, and go on where they end. Returns how many are new."""
    if tail.scan.fault == "bad" or tail.scan.damaged:
        raise EvidenceError(f"{JOURNAL}: damaged at octet {tail.scan.length}")
    size = walk.tree.size
    known = dict(folder.published(tail.base, size))
    for index, entry in enumerate(tail.entries[: max(0, size - tail.base)], tail.base):
        if known[index] != entry:
            raise EvidenceError(f"{JOURNAL}: entry {index}: is not that of the tiles")
    beyond = tail.beyond(size)
    for entry in beyond:
        walk.step(entry, JOURNAL)
    return len(beyond)
