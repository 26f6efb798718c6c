"""Trees, proofs and their checks, for every small size, against the definition in RFC 6962."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.receipt import merkle
from proxy.receipt.tiles import load_tile, tile_path, tiles_of

MOST = 300
LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(MOST)]


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    children = naive_root(leaves[:middle]) + naive_root(leaves[middle:])
    return hashlib.sha256(b"\x01" + children).digest()


ROOTS = [naive_root(LEAVES[:size]) for size in range(MOST + 1)]
_KNOWN: dict[tuple[int, int], bytes] = {}


def read(level: int, position: int) -> bytes:
    key = (level, position)
    if key not in _KNOWN:
        start, end = position << level, (position + 1) << level
        assert end <= MOST, "a proof needs nodes that lie within the tree only"
        _KNOWN[key] = naive_root(LEAVES[start:end])
    return _KNOWN[key]


def test_a_growing_tree_has_the_root_of_the_definition_at_every_size() -> None:
    tree = merkle.Tree()
    for size in range(MOST):
        assert tree.root() == ROOTS[size]
        assert merkle.Tree(tree.size, tree.edge).root() == ROOTS[size]
        tree.append(LEAVES[size])
    assert tree.root() == ROOTS[MOST]


def naive_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1, word for word: PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    if index < middle:
        return [*naive_path(index, leaves[:middle]), naive_root(leaves[middle:])]
    return [*naive_path(index - middle, leaves[middle:]), naive_root(leaves[:middle])]


def test_however_leaves_come_the_tree_is_the_same() -> None:
    for step in (1, 2, 100, 255, 256, 257, 600):
        tree, one, full, one_full = merkle.Tree(), merkle.Tree(), [], []
        leaves = [merkle.leaf_hash(b"%d" % number) for number in range(1200)]
        for first in range(0, len(leaves), step):
            full += tree.extend(leaves[first : first + step])
            for leaf in leaves[first : first + step]:
                one_full += one.append(leaf)
            assert (tree.size, tree.edge, full) == (one.size, one.edge, one_full)


def test_every_leaf_of_every_tree_is_proven_as_the_definition_says() -> None:
    for size in range(1, MOST + 1):
        for index in range(size) if size < 40 or size in (255, 256, 257) else (0, size - 1):
            path = merkle.inclusion(index, size, read)
            assert path == naive_path(index, LEAVES[:size])


def test_every_leaf_of_every_tree_is_proven_and_no_other() -> None:
    for size in range(1, MOST + 1):
        for index in range(size):
            path = merkle.inclusion(index, size, read)
            merkle.require_inclusion(LEAVES[index], index, size, path, ROOTS[size])
            if index % 7 and size > 80:
                continue
            for wrong in ((LEAVES[index - 1], index, path), (LEAVES[index], index ^ 1, path)):
                if size > 1:
                    with pytest.raises(EvidenceError):
                        merkle.require_inclusion(*wrong[:2], size, wrong[2], ROOTS[size])


@given(size=st.integers(2, MOST), data=st.data())
def test_a_proof_with_anything_changed_proves_nothing(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion(index, size, read)
    at = data.draw(st.integers(0, len(path) - 1))
    bit = data.draw(st.integers(0, 255))
    flipped = (int.from_bytes(path[at]) ^ (1 << bit)).to_bytes(32)
    for wrong in ([*path[:at], flipped, *path[at + 1 :]], path[:-1], [*path, path[0]], path[1:]):
        with pytest.raises(EvidenceError):
            merkle.require_inclusion(LEAVES[index], index, size, wrong, ROOTS[size])


def test_impossible_sizes_are_refused() -> None:
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(EvidenceError):
            merkle.inclusion(index, size, read)
        with pytest.raises(EvidenceError):
            merkle.require_inclusion(LEAVES[0], index, size, [], ROOTS[1])
    with pytest.raises(EvidenceError):
        merkle.Tree(3, [[LEAVES[0]]])


def stored(size: int) -> dict[str, bytes]:
    """The tiles of a tree of `size` leaves, as files in memory."""
    tree, files = merkle.Tree(), {}
    for number in range(size):
        for level, position, data in tree.append(merkle.leaf_hash(b"%d" % number)):
            files[tile_path(level, position)] = data
    for level, row in enumerate(tree.edge):
        if row:
            path = tile_path(level, size >> 8 * (level + 1), len(row))
            files[path] = b"".join(row)
    return files


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700, 66_000])
def test_a_tree_leaves_the_tiles_that_its_size_demands(size: int) -> None:
    files = stored(size)
    demanded = [tile for tile in tiles_of(size) if tile[0] >= 0]
    assert {tile_path(*tile) for tile in demanded} == set(files)
    for level, position, width in demanded:
        path, hashes = load_tile(files.get, level, position, width)
        if level:
            first = load_tile(files.get, level - 1, position * 256, 256)[1]
            assert hashes[0] == naive_root(first), path


def test_a_wider_tile_serves_for_one_that_is_gone() -> None:
    load = stored(300).get
    path, hashes = load_tile(load, 0, 1, 7)
    assert (path, len(hashes)) == ("tile/0/001.p/44", 7)
    with pytest.raises(EvidenceError, match=r"tile/0/002\.p/7: missing"):
        load_tile(load, 0, 2, 7)
