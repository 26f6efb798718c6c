"""The leaves that are not yet covered by a published checkpoint, and the tree over all of them.

`tail` holds every entry from `base` on, where `base` is the last multiple of 256 at or below the
size of the published checkpoint: enough to write the next tiles and bundles, and to begin a new
journal, without reading a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from proxy.receipt.merkle import TILE_WIDTH, Tree, leaf_hash
from proxy.receipt.tiles import ENTRIES, bundle_parts, tile_path


@dataclass(frozen=True, slots=True)
class Edition:
    """What one publication makes of the log."""

    size: int
    root: bytes
    files: tuple[tuple[str, Sequence[bytes]], ...]
    """Path within the store, content in pieces: whole only while it is written."""
    partials: frozenset[str]
    """Paths of all unfinished tiles of a log of this size."""
    edge: tuple[tuple[bytes, ...], ...]
    """The tree at the multiple of 256 below, from tile level 1 up."""
    full_tiles: int
    """How many of the leaves' full tiles are among the files."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The leaves at one moment, for a thread to make an edition of."""

    base: int
    size: int
    tail: tuple[bytes, ...]
    full: tuple[tuple[str, bytes], ...]
    edge: tuple[tuple[bytes, ...], ...]

    def root(self) -> bytes:
        return Tree(self.size, self.edge).root()

    def edition(self, published: frozenset[str]) -> Edition:
        """The files to write, but for unfinished tiles among `published`: those are there."""
        partials: dict[str, Sequence[bytes]] = {
            tile_path(level, self.size >> 8 * (level + 1), len(row)): row
            for level, row in enumerate(self.edge)
            if row
        }
        files: list[tuple[str, Sequence[bytes]]] = [(path, [data]) for path, data in self.full]
        for start in range(0, len(self.tail), TILE_WIDTH):
            entries = self.tail[start : start + TILE_WIDTH]
            path = tile_path(ENTRIES, (self.base + start) // TILE_WIDTH, len(entries))
            if len(entries) == TILE_WIDTH:
                files.append((path, bundle_parts(entries)))
            else:
                partials[path] = bundle_parts(entries)
        files += [(path, data) for path, data in partials.items() if path not in published]
        return Edition(
            size=self.size,
            root=self.root(),
            files=tuple(files),
            partials=frozenset(partials),
            edge=self.edge[1:],
            full_tiles=len(self.full),
        )


class Leaves:
    def __init__(self, base: int, edge: list[list[bytes]]) -> None:
        """`edge` is that of the tree of `base` leaves, from tile level 1 up; `EvidenceError`."""
        self.base = base
        self.edge = edge
        self.tail: list[bytes] = []
        self.tree = Tree(base, [[], *edge] if base else [])
        self._full: list[tuple[str, bytes]] = []

    @property
    def size(self) -> int:
        return self.tree.size

    def append(self, entry: bytes) -> int:
        """Add an entry that is durable. Returns its index."""
        index = self.size
        self.tail.append(entry)
        for level, position, data in self.tree.append(leaf_hash(entry)):
            self._full.append((tile_path(level, position), data))
        return index

    def entry(self, index: int) -> bytes | None:
        """An entry of the tail; None outside it."""
        return self.tail[index - self.base] if self.base <= index < self.size else None

    def cut(self) -> Cut:
        """What there is now."""
        edge = tuple(tuple(row) for row in self.tree.edge)
        return Cut(self.base, self.size, tuple(self.tail), tuple(self._full), edge)

    def settle(self, edition: Edition) -> None:
        """Forget what `edition` has put on disk."""
        base = edition.size - edition.size % TILE_WIDTH
        del self.tail[: base - self.base]
        del self._full[: edition.full_tiles]
        self.base = base
        self.edge = [list(row) for row in edition.edge]
