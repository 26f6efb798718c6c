"""Proofs that a tree only grew, for every pair of small sizes, and the nodes that tiles hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.receipt.consistency import consistency, reader, require_consistency
from proxy.receipt.merkle import EMPTY_ROOT, inclusion, node_hash
from tests.receipt.test_merkle import LEAVES, MOST, ROOTS, naive_root, read, stored

AROUND_TILES = (1, 2, 3, 255, 256, 257, 299, MOST)


def naive_proof(old: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962, section 2.1.2, word for word: SUBPROOF(m, D[n], b)."""
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    if old <= middle:
        return [*naive_proof(old, leaves[:middle], whole=whole), naive_root(leaves[middle:])]
    return [*naive_proof(old - middle, leaves[middle:], whole=False), naive_root(leaves[:middle])]


def pairs() -> list[tuple[int, int]]:
    small = [(old, new) for new in range(1, 66) for old in range(1, new + 1)]
    return small + [(old, new) for new in AROUND_TILES for old in AROUND_TILES if old <= new]


def test_every_proof_is_that_of_the_definition_and_holds() -> None:
    for old, new in pairs():
        path = consistency(old, new, read)
        assert path == naive_proof(old, LEAVES[:new]), (old, new)
        assert len(path) <= 63
        require_consistency(old, new, path, ROOTS[old], ROOTS[new])


def test_every_size_up_to_300_continues_every_size_before_it() -> None:
    for new in range(1, MOST + 1):
        for old in {0, 1, new // 3, new // 2, new - 1, new}:
            path = consistency(old, new, read)
            require_consistency(old, new, path, ROOTS[old], ROOTS[new])


@given(old=st.integers(1, MOST), new=st.integers(1, MOST), data=st.data())
def test_a_proof_with_anything_changed_holds_no_more(
    old: int, new: int, data: st.DataObject
) -> None:
    old, new = sorted((old, new))
    path = consistency(old, new, read)
    wrong_root = data.draw(st.binary(min_size=32, max_size=32))
    cases = [
        ([*path, wrong_root], ROOTS[old], ROOTS[new]),
        (path, wrong_root, ROOTS[new]),
        (path, ROOTS[old], wrong_root),
        (path[:-1] if path else [wrong_root], ROOTS[old], ROOTS[new]),
        (path[1:] if path else [EMPTY_ROOT], ROOTS[old], ROOTS[new]),
    ]
    if path:
        at, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
        flipped = (int.from_bytes(path[at]) ^ (1 << bit)).to_bytes(32)
        cases.append(([*path[:at], flipped, *path[at + 1 :]], ROOTS[old], ROOTS[new]))
    for changed in cases:
        with pytest.raises(EvidenceError):
            require_consistency(old, new, *changed)


@given(new=st.integers(2, MOST), data=st.data())
def test_a_proof_serves_no_other_sizes(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    path = consistency(old, new, read)
    for other in {old - 1, old + 1} - {0, new}:
        with pytest.raises(EvidenceError):
            require_consistency(other, new, path, ROOTS[other], ROOTS[new])
    with pytest.raises(EvidenceError):
        require_consistency(old, new + 1, path, ROOTS[old], node_hash(ROOTS[new], LEAVES[0]))


def test_a_proof_tells_the_size_and_not_only_the_root() -> None:
    """The roots agree, but a tree of this root has another size than is claimed."""
    for old, new in pairs():
        for other in (new * 2, new * 4) if 0 < old < new else ():
            path = consistency(old, new, read)
            with pytest.raises(EvidenceError):
                require_consistency(old, other, path, ROOTS[old], ROOTS[new])


def test_from_nothing_and_to_itself_the_proof_is_empty() -> None:
    assert consistency(0, 7, read) == consistency(7, 7, read) == consistency(0, 0, read) == []
    require_consistency(0, 7, [], EMPTY_ROOT, ROOTS[7])
    require_consistency(7, 7, [], ROOTS[7], ROOTS[7])
    require_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
    for wrong in (
        (0, 7, [], ROOTS[7], ROOTS[7]),
        (0, 7, [ROOTS[1]], EMPTY_ROOT, ROOTS[7]),
        (7, 7, [], ROOTS[7], ROOTS[6]),
        (7, 7, [ROOTS[7]], ROOTS[7], ROOTS[7]),
        (0, 0, [], EMPTY_ROOT, ROOTS[1]),
        (0, 0, [], ROOTS[1], ROOTS[1]),
    ):
        with pytest.raises(EvidenceError):
            require_consistency(*wrong)


@pytest.mark.parametrize(("old", "new"), [(3, 2), (-1, 2), (1, 0)])
def test_a_tree_does_not_shrink(old: int, new: int) -> None:
    with pytest.raises(EvidenceError):
        consistency(old, new, read)
    with pytest.raises(EvidenceError):
        require_consistency(old, new, [], ROOTS[0], ROOTS[0])


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700, 66_000])
def test_tiles_give_the_nodes_that_proofs_need(size: int) -> None:
    files = stored(size)
    nodes = reader(files.get, size)
    roots = {at: root_of(files, at) for at in {1, size // 2 or 1, max(1, size - 1), size}}
    for old, root in roots.items():
        path = consistency(old, size, nodes)
        require_consistency(old, size, path, root, roots[size])
    assert inclusion(size - 1, size, nodes) is not None


def root_of(files: dict[str, bytes], size: int) -> bytes:
    """From level 0 of the tiles alone, by the definition."""
    leaves = [leaf for _, leaf in sorted(level_zero(files).items())]
    return naive_root(leaves[:size])


def level_zero(files: dict[str, bytes]) -> dict[int, bytes]:
    found = {}
    for path, data in files.items():
        if path.startswith("tile/0/"):
            number = int(
                path.removeprefix("tile/0/").split(".p/")[0].replace("/", "").replace("x", "")
            )
            for at in range(0, len(data), 32):
                found[number * 256 + at // 32] = data[at : at + 32]
    return found


def test_a_node_beyond_the_log_or_in_a_lost_tile_is_refused() -> None:
    files = stored(300)
    nothing: dict[str, bytes] = {}
    for level, position in ((0, 300), (8, 1), (3, 37), (16, 0)):
        with pytest.raises(EvidenceError):
            reader(files.get, 300)(level, position)
    with pytest.raises(EvidenceError, match="missing"):
        reader(nothing.get, 300)(0, 0)


def test_an_older_tree_is_read_from_the_tiles_of_a_newer_one() -> None:
    files = stored(700)
    path = consistency(100, 300, reader(files.get, 300))
    require_consistency(100, 300, path, ROOTS[100], ROOTS[300])
