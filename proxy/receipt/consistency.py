"""Proofs that a tree only grew (RFC 6962, section 2.1.2; RFC 9162, section 2.1.4), and its nodes.

A proof from `old` to `new` leaves holds the fewest hashes from which both roots can be computed: so
the first `old` leaves of the newer tree are those of the older one. From nothing to anything, and
from a tree to itself, it is empty. `reader` takes the nodes that a proof needs from a log's tiles.
"""

from collections.abc import Sequence

from proxy.errors import EvidenceError
from proxy.receipt.merkle import EMPTY_ROOT, TILE_WIDTH, Reader, fold, node_hash
from proxy.receipt.tiles import Loader, load_tile

_HEIGHT = 8


def consistency(old: int, new: int, read: Reader) -> list[bytes]:
    """The proof that the tree of `new` leaves continues that of `old`, in the RFC's order."""
    if not 0 <= old <= new:
        raise EvidenceError(f"a tree of {new} leaves does not continue one of {old}")
    path: list[bytes] = []
    start, end, whole = 0, new, True
    while 0 < old < end:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if old <= middle:
            path.append(_subtree(middle, end, read))
            end = middle
        else:
            path.append(_subtree(start, middle, read))
            start, whole = middle, False
    if old and not whole:
        path.append(_subtree(start, end, read))
    return path[::-1]


def _subtree(start: int, end: int, read: Reader) -> bytes:
    """The root over the leaves from `start` up to `end`, as a tree of its own."""
    count = end - start
    if count & (count - 1) == 0:
        return read(count.bit_length() - 1, start // count)
    middle = start + (1 << (count - 1).bit_length() - 1)
    return node_hash(_subtree(start, middle, read), _subtree(middle, end, read))


def require_consistency(
    old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Raises unless `path` shows that the tree of `new` leaves continues that of `old`.

    RFC 9162, section 2.1.4.2. Fails closed.
    """
    if not 0 <= old <= new:
        raise EvidenceError(f"a tree of {new} leaves does not continue one of {old}")
    if old in (0, new):
        empty = old > 0 or old_root == EMPTY_ROOT
        if path or not empty or (old == new and old_root != new_root):
            raise EvidenceError("the consistency proof does not lead to both roots")
        return
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if _rise(old, new, hashes) != (old_root, new_root):
        raise EvidenceError("the consistency proof does not lead to both roots")


def _rise(old: int, new: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Both roots as the proof has them; None where it is too short or too long for the sizes."""
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    if not hashes:
        return None
    older = newer = hashes[0]
    for node in hashes[1:]:
        if last == 0:
            return None
        if number & 1 or number == last:
            older, newer = node_hash(node, older), node_hash(node, newer)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            newer = node_hash(newer, node)
        number, last = number >> 1, last >> 1
    return (older, newer) if last == 0 else None


def reader(load: Loader, size: int) -> Reader:
    """The nodes of a log of `size` entries, from its tiles. What it gives raises `EvidenceError`.

    A tile is read once; the proofs of one tree need a few for each of its levels.
    """
    known: dict[tuple[int, int], list[bytes]] = {}

    def read(level: int, position: int) -> bytes:
        tile_level, height = divmod(level, _HEIGHT)
        first = position << height
        tile = first // TILE_WIDTH
        if (tile_level, tile) not in known:
            width = min(TILE_WIDTH, (size >> _HEIGHT * tile_level) - tile * TILE_WIDTH)
            if width <= 0:
                raise EvidenceError(f"a log of {size} entries has no node {position} at {level}")
            known[tile_level, tile] = load_tile(load, tile_level, tile, width)[1]
        at = first % TILE_WIDTH
        hashes = known[tile_level, tile][at : at + (1 << height)]
        if len(hashes) != 1 << height:
            raise EvidenceError(f"a log of {size} entries has no node {position} at {level}")
        return fold(hashes)

    return read
