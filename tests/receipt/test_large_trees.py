"""Trees on both sides of the sizes at which tiles and levels begin, read from their tiles."""

import functools

import pytest

from proxy.errors import EvidenceError
from proxy.receipt import merkle
from proxy.receipt.consistency import consistency, reader, require_consistency
from proxy.receipt.tiles import tile_path, tiles_of
from tests.receipt.test_merkle import naive_path, naive_root

SIZES = (255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537)
LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(max(SIZES))]


@functools.cache
def files_of(size: int) -> dict[str, bytes]:
    tree = merkle.Tree()
    files = {tile_path(level, at): data for level, at, data in tree.extend(LEAVES[:size])}
    for level, row in enumerate(tree.edge):
        if row:
            files[tile_path(level, size >> 8 * (level + 1), len(row))] = b"".join(row)
    return files


@functools.cache
def root_of(size: int) -> bytes:
    return naive_root(LEAVES[:size])


@pytest.mark.parametrize("size", SIZES)
def test_the_root_and_the_tiles_are_those_of_the_definition(size: int) -> None:
    tree = merkle.Tree()
    tree.extend(LEAVES[:size])
    assert tree.root() == root_of(size)
    assert set(files_of(size)) == {tile_path(*tile) for tile in tiles_of(size) if tile[0] >= 0}
    assert merkle.Tree(tree.size, tree.edge).root() == root_of(size)


@pytest.mark.parametrize("size", SIZES)
def test_leaves_at_every_edge_are_proven_from_the_tiles(size: int) -> None:
    read = reader(files_of(size).get, size)
    places = {0, 1, 127, 254, 255, 256, 257, 511, 512, 32_767, 65_534, 65_535, size - 2, size - 1}
    for index in sorted(place for place in places if place < size):
        path = merkle.inclusion(index, size, read)
        if index in (0, 255, size - 1):
            assert path == naive_path(index, LEAVES[:size])
        merkle.require_inclusion(LEAVES[index], index, size, path, root_of(size))
        for wrong in (path[:-1], path[::-1], [*path, path[0]]):
            if wrong != path:
                with pytest.raises(EvidenceError):
                    merkle.require_inclusion(LEAVES[index], index, size, wrong, root_of(size))


@pytest.mark.parametrize("new", SIZES)
def test_every_larger_tree_continues_every_smaller_one(new: int) -> None:
    read = reader(files_of(new).get, new)
    for old in (size for size in SIZES if size <= new):
        path = consistency(old, new, read)
        require_consistency(old, new, path, root_of(old), root_of(new))
        if path:
            with pytest.raises(EvidenceError):
                require_consistency(old, new, path, root_of(new), root_of(old))
