"""Checks a whole log from nothing but its files and public keys; stops at the first thing wrong.

1. The checkpoint carries a valid signature by every key that was named.
2. Every entry up to its size is an envelope that a receipt key signed, about this log, and the next
   of its stream: number one higher, `previous` the digest of the one before.
3. Every tile holds what the entries hash to, at every level, and the root is the checkpoint's.
4. A checkpoint that was kept earlier is one of the same log, and its root is the root of the first
   so many entries: nothing was changed, removed or put in between since.
5. Every other file under `tile/` is an unfinished tile that says the same (`require_stray`).

`load` reads one file of the log, from a folder or wherever. Every failure is an `EvidenceError`
that names file, entry and what is wrong.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.errors import EvidenceError
from proxy.receipt import dsse, note, reading
from proxy.receipt.merkle import TILE_WIDTH, Tree, leaf_hash
from proxy.receipt.tiles import ENTRIES, Loader, load_tile, tile_path
from proxy.receipt.vkey import Vkey

Progress = Callable[[int, int], None]
"""(entries checked, entries in all)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint from elsewhere that the log must continue."""

    name: str
    data: bytes


class Walk:
    """The entries of a log, checked one after the other."""

    def __init__(self, origin: str, keys: Sequence[Ed25519PublicKey]) -> None:
        self.tree = Tree()
        self._origin = origin
        self._keys = keys
        self._streams: dict[str, tuple[int, bytes]] = {}

    def step(self, entry: bytes, where: str) -> list[tuple[int, int, bytes]]:
        """Check the next entry and add it to the tree. Returns the tiles that it completes."""
        try:
            summary = reading.summarise(self._payload(entry))
            self._require_place(summary)
        except EvidenceError as error:
            raise EvidenceError(f"{where}: entry {self.tree.size}: {error}") from None
        digest = hashlib.sha256(entry).digest()
        self._streams[summary.place.stream] = (summary.place.number, digest)
        return self.tree.append(leaf_hash(entry))

    def _payload(self, entry: bytes) -> bytes:
        for key in self._keys[:-1]:
            try:
                return dsse.verify(entry, key)
            except EvidenceError:
                continue
        return dsse.verify(entry, self._keys[-1])

    def _require_place(self, summary: reading.Summary) -> None:
        place = summary.place
        if summary.origin != self._origin:
            raise EvidenceError("is of another log")
        number, previous = self._streams.get(place.stream, (0, None))
        if place.number != number + 1:
            raise EvidenceError(
                f"is number {place.number} of its stream, where {number + 1} comes next"
            )
        if place.previous != previous:
            raise EvidenceError("does not name the receipt before it in its stream")


def audit(
    load: Loader,
    *,
    vkeys: Sequence[Vkey],
    keys: Sequence[Ed25519PublicKey],
    kept: Kept | None = None,
    progress: Progress = lambda done, total: None,
) -> tuple[note.Checkpoint, Walk]:
    """The checkpoint and the walk that led to it. Raises `EvidenceError`; fails closed.

    `vkeys`: every one of them must have signed the checkpoint. `keys`: one of them must have signed
    each envelope.
    """
    checkpoint = _require_checkpoint(load, vkeys)
    if not keys:
        raise EvidenceError("no receipt key was given to verify with")
    earlier = None if kept is None else _require_kept(kept, checkpoint, vkeys)
    walk = Walk(checkpoint.origin, keys)
    _require_root(walk.tree, earlier, kept)
    while walk.tree.size < checkpoint.size:
        _bundle(load, walk, checkpoint, lambda: _require_root(walk.tree, earlier, kept))
        progress(walk.tree.size, checkpoint.size)
    for level, row in enumerate(walk.tree.edge):
        if level and row:
            position = walk.tree.size >> 8 * (level + 1)
            _require_tile(load, level, position, len(row), b"".join(row))
    if walk.tree.root() != checkpoint.root:
        raise EvidenceError("checkpoint: its root is not the root over the entries")
    return checkpoint, walk


def _require_checkpoint(load: Loader, vkeys: Sequence[Vkey]) -> note.Checkpoint:
    data = load("checkpoint")
    if data is None:
        raise EvidenceError("checkpoint: missing")
    try:
        checkpoint = note.require_signed(data, vkeys)
        if checkpoint.origin not in {vkey.name for vkey in vkeys}:
            raise EvidenceError(f"is of the log {checkpoint.origin}, whose key was not given")
    except EvidenceError as error:
        raise EvidenceError(f"checkpoint: {error}") from None
    return checkpoint


def _require_kept(
    kept: Kept, checkpoint: note.Checkpoint, vkeys: Sequence[Vkey]
) -> note.Checkpoint:
    try:
        parsed = note.parse(kept.data)
        earlier = note.parse_checkpoint(parsed.text)
        if not note.verify(parsed, vkeys):
            raise EvidenceError("no signature by any of the keys that were given")
    except EvidenceError as error:
        raise EvidenceError(f"{kept.name}: {error}") from None
    if earlier.origin != checkpoint.origin:
        raise EvidenceError(f"{kept.name}: is of another log, {earlier.origin}")
    if earlier.size > checkpoint.size:
        raise EvidenceError(
            f"checkpoint: covers {checkpoint.size} entries, but {earlier.size} were there "
            f"when {kept.name} was kept: the log was cut"
        )
    return earlier


def _require_root(tree: Tree, earlier: note.Checkpoint | None, kept: Kept | None) -> None:
    if earlier is None or kept is None or tree.size != earlier.size:
        return
    if tree.root() != earlier.root:
        raise EvidenceError(
            f"{kept.name}: the first {tree.size} entries have another root now: the log was changed"
        )


def _bundle(
    load: Loader, walk: Walk, checkpoint: note.Checkpoint, check: Callable[[], None]
) -> None:
    """The next bundle of entries, beside the tile of their hashes."""
    position = walk.tree.size // TILE_WIDTH
    width = min(TILE_WIDTH, checkpoint.size - walk.tree.size)
    path, entries = load_tile(load, ENTRIES, position, width)
    tile, hashes = load_tile(load, 0, position, width)
    for entry, expected in zip(entries, hashes, strict=True):
        index = walk.tree.size
        full = walk.step(entry, path)
        if leaf_hash(entry) != expected:
            raise EvidenceError(f"{tile}: entry {index}: this is not the hash of {path}")
        for level, at, data in full[1:]:
            _require_tile(load, level, at, TILE_WIDTH, data)
        check()


def _require_tile(load: Loader, level: int, position: int, width: int, expected: bytes) -> None:
    path, hashes = load_tile(load, level, position, width)
    for number, node in enumerate(hashes):
        if node != expected[number * 32 : number * 32 + 32]:
            first = (position * TILE_WIDTH + number) << 8 * level
            last = first + (1 << 8 * level) - 1
            raise EvidenceError(f"{path}: hash {number} is not that of entries {first} to {last}")


# --- files that no checkpoint demands ------------------------------------------------------------

_PATH = re.compile(r"tile/(entries|\d{1,2})/((?:x\d{3}/)*\d{3})(?:\.p/(\d{1,3}))?", re.ASCII)


def require_stray(load: Loader, path: str, size: int) -> None:
    """Raises unless `path` is a tile of a log that has at least `size` entries, and says the same.

    Beyond `size` nothing is signed, so nothing is said about that part.
    """
    match = _PATH.fullmatch(path)
    level = ENTRIES if match is None or match[1] == "entries" else int(match[1])
    position = 0 if match is None else int(match[2].replace("x", "").replace("/", ""))
    width = TILE_WIDTH if match is None or match[3] is None else int(match[3])
    if match is None or tile_path(level, position, width) != path or not 0 < width <= TILE_WIDTH:
        raise EvidenceError(f"{path}: is not a file of a log")
    here = min(TILE_WIDTH, (size >> 8 * max(level, 0)) - position * TILE_WIDTH)
    data = load(path)
    if here <= 0 or data is None:
        return
    _, cells = load_tile(lambda name: data if name == path else None, level, position, width)
    demanded, known = load_tile(load, level, position, here)
    for number, (cell, expected) in enumerate(zip(cells, known, strict=False)):
        if cell != expected:
            raise EvidenceError(f"{path}: item {number} is not that of {demanded}")
