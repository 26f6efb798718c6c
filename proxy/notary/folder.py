"""Reads and audits a log's folder, whoever writes it; a running gateway is not disturbed."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.errors import EvidenceError
from proxy.notary import journal
from proxy.notary.book import decode_snapshot
from proxy.notary.publisher import CHECKPOINT, JOURNAL
from proxy.receipt import note
from proxy.receipt.attempts import Attempts
from proxy.receipt.audit import Audited, Crew, Gap, Progress, audit
from proxy.receipt.marks import Demand, Kept
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.strays import require_stray
from proxy.receipt.tiles import ENTRIES, load_tile
from proxy.receipt.vkey import Vkey
from proxy.receipt.walk import Walk
from proxy.settings import files


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
            raise EvidenceError("this is not a folder")
        self.path = path

    def load(self, name: str) -> bytes | None:
        """One file; None where there is none."""
        return files.load(self.path, name)

    def tiles(self) -> Iterator[str]:
        """Every file below `tile/`, in one and the same order; one folder in memory at a time."""
        for folder, folders, names in os.walk(self.path / "tile"):
            folders.sort()
            for name in sorted(names):
                yield os.path.relpath(os.path.join(folder, name), self.path)

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


@dataclass(frozen=True, slots=True)
class FolderAudited:
    """An audit of a folder that found nothing wrong."""

    log: Audited
    beyond: int | None
    """Entries in the journal under no checkpoint yet; None where there is none that we may read."""


def audit_log(
    folder: Folder,
    demand: Demand,
    keys: Sequence[Ed25519PublicKey],
    *,
    kept: Kept | None = None,
    attempts: Attempts | None = None,
    crew: Crew | None = None,
    progress: Progress = lambda done, total: None,
    gap: Gap = lambda line: None,
) -> FolderAudited:
    """Audit a folder: what `audit` does, every file below `tile/`, and the journal where it reads.

    Raises `EvidenceError` at the first thing that is wrong, with file and entry.
    """
    further: list[int] = []

    def beyond(walk: Walk) -> None:
        size = walk.tree.size
        for path in folder.tiles():
            require_stray(folder.load, path, size)
        tail = folder.tail()
        if tail is not None:
            further.append(require_tail(folder, tail, walk))

    found = audit(
        folder.load,
        demand,
        keys,
        kept=kept,
        attempts=attempts,
        crew=crew,
        progress=progress,
        gap=gap,
        beyond=beyond,
    )
    return FolderAudited(found, further[0] if further else None)


def audit_folder(
    folder: Folder,
    *,
    vkeys: Sequence[Vkey],
    keys: Sequence[Ed25519PublicKey],
    kept: Kept | None = None,
) -> tuple[note.Checkpoint, int]:
    """`audit_log` in this process: the checkpoint, and how many entries are beyond it."""
    found = audit_log(folder, Demand(vkeys), keys, kept=kept)
    return found.log.checkpoint, found.beyond or 0


def require_tail(folder: Folder, tail: Tail, walk: Walk) -> int:
    """Check the journal against the tiles, and go on where they end. Returns how many are new."""
    if tail.scan.fault == "bad" or tail.scan.damaged:
        raise EvidenceError(f"{JOURNAL}: damaged at octet {tail.scan.length}")
    size = walk.tree.size
    for (index, known), entry in zip(
        folder.published(tail.base, size), tail.entries, strict=False
    ):  # either may be the longer one
        if known != entry:
            raise EvidenceError(f"{JOURNAL}: entry {index}: is not that of the tiles")
    beyond = tail.beyond(size)
    for entry in beyond:
        walk.step(entry, JOURNAL)
    return len(beyond)
