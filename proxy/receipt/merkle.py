"""The tree over a log's leaves (RFC 6962, section 2.1): hashes, growth, proofs of inclusion.

    leaf = SHA-256(0x00 ‖ entry)     node = SHA-256(0x01 ‖ left ‖ right)     empty = SHA-256("")

A tree of n leaves splits at the largest power of two below n. Every node over 2^k leaves that start
at a multiple of 2^k never changes again; `Reader` fetches those, by (k, position), from wherever
they are kept. Trees grow in tiles: 256 hashes, eight levels at a time, as `tiles.py` lays them out.
No function here does I/O, and the checks raise `EvidenceError`: they fail closed.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from proxy.errors import EvidenceError

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
TILE_WIDTH: Final = 256
_TILE_HEIGHT: Final = 8

Reader = Callable[[int, int], bytes]
"""(level, position) -> hash over the 2^level leaves from position * 2^level on."""


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over hashes of equally large subtrees; their number is any but zero."""
    row, sha256 = list(hashes), hashlib.sha256
    while len(row) > 1:
        lefts, rights = row[::2], row[1::2]
        pairs = [sha256(b"\x01" + a + b).digest() for a, b in zip(lefts, rights, strict=False)]
        row = pairs + row[len(row) & ~1 :]
    return row[0]


class Tree:
    """The right edge of a growing tree: everything that its next leaf, tile and root depend on.

    `edge[L]` holds the hashes of the unfinished tile at tile level L, at most 255 of 32 octets.
    """

    __slots__ = ("edge", "size")

    def __init__(self, size: int = 0, edge: Sequence[Sequence[bytes]] = ()) -> None:
        self.size = size
        self.edge = [list(row) for row in edge]
        if widths(size) != [len(row) for row in self.edge]:
            raise EvidenceError("the edge of the tree does not fit its size")

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf hash. Returns the tiles that it completes: (level, position, 8192 octets)."""
        self.size += 1
        full: list[tuple[int, int, bytes]] = []
        level = 0
        while True:
            if level == len(self.edge):
                self.edge.append([])
            row = self.edge[level]
            row.append(leaf)
            if len(row) < TILE_WIDTH:
                return full
            position = (self.size >> (_TILE_HEIGHT * (level + 1))) - 1
            full.append((level, position, b"".join(row)))
            leaf = fold(row)
            row.clear()
            level += 1

    def extend(self, leaves: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Add leaf hashes, as `append` does one after the other, and sooner."""
        full: list[tuple[int, int, bytes]] = []
        at = 0
        while at < len(leaves):
            room = TILE_WIDTH - 1 - self.size % TILE_WIDTH
            if room and self.edge:
                self.edge[0] += leaves[at : at + room]
                self.size += min(room, len(leaves) - at)
                at += room
            if at < len(leaves):
                full += self.append(leaves[at])
                at += 1
        return full

    def root(self) -> bytes:
        """The root over all leaves so far."""
        result: bytes | None = None
        for row in self.edge:
            start = 0
            parts = []
            for bit in reversed(range(_TILE_HEIGHT)):
                if len(row) >> bit & 1:
                    parts.append(fold(row[start : start + (1 << bit)]))
                    start += 1 << bit
            for part in reversed(parts):
                result = part if result is None else node_hash(part, result)
        return EMPTY_ROOT if result is None else result


def widths(size: int) -> list[int]:
    """How many hashes the unfinished tile of each level holds in a tree of `size` leaves."""
    result = []
    while size:
        result.append(size % TILE_WIDTH)
        size //= TILE_WIDTH
    return result


# --- proofs --------------------------------------------------------------------------------------


def _subtree(start: int, end: int, read: Reader) -> bytes:
    """The root over the leaves from `start` up to `end`, as a tree of its own."""
    count = end - start
    if count & (count - 1) == 0 and start % count == 0:
        return read(count.bit_length() - 1, start // count)
    middle = start + _split(count)
    return node_hash(_subtree(start, middle, read), _subtree(middle, end, read))


def inclusion(index: int, size: int, read: Reader) -> list[bytes]:
    """The path from leaf `index` to the root of `size` leaves, lowest first (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < size:
        raise EvidenceError(f"leaf {index} is not in a tree of {size}")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree(middle, end, read))
            end = middle
        else:
            path.append(_subtree(start, middle, read))
            start = middle
    return path[::-1]


def _climb(number: int, last: int) -> tuple[bool, int, int]:
    """One node of a proof: whether it stands on the left, and where the next level goes on.

    `number` is the position of our node in its level and `last` that of the level's last node.
    """
    if last == 0:
        raise EvidenceError("the proof is longer than the tree is high")
    on_left = bool(number & 1) or number == last
    while on_left and number and not number & 1:
        number, last = number >> 1, last >> 1
    return on_left, number >> 1, last >> 1


def require_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Raises unless `path` leads from the leaf to `root` (RFC 9162, 2.1.3.2). Fails closed."""
    if not 0 <= index < size:
        raise EvidenceError(f"leaf {index} is not in a tree of {size}")
    number, last, result = index, size - 1, leaf
    for node in path:
        on_left, number, last = _climb(number, last)
        result = node_hash(node, result) if on_left else node_hash(result, node)
    if last != 0 or result != root:
        raise EvidenceError("the inclusion proof does not lead to the root")
