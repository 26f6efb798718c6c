"""tlog-proofs made from a log's files, for trees of many sizes, against the definition."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.receipt import note, proof
from proxy.receipt.merkle import leaf_hash
from proxy.receipt.tiles import ENTRIES, bundle, tile_path
from tests.receipt.test_merkle import LEAVES, MOST, ROOTS, naive_path, stored
from tests.receipt.witnesses import ED, MLDSA, by_log, cosigned, head


def entry_of(number: int) -> bytes:
    """What `test_merkle.LEAVES` are the hashes of."""
    return b"%d" % number


@cache
def log(size: int) -> dict[str, bytes]:
    """The files of a log of `size` entries, whose names are their numbers."""
    files = dict(stored(size))
    for start in range(0, size, 256):
        entries = [entry_of(number) for number in range(start, min(start + 256, size))]
        files[tile_path(ENTRIES, start // 256, len(entries))] = bundle(entries)
    return files


@cache
def checkpoint(size: int) -> bytes:
    found = head(size)
    return note.render(found.text, by_log(found))


@given(size=st.integers(1, MOST), data=st.data())
def test_a_proof_from_tiles_is_that_of_the_definition_and_proves(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    entry, made = proof.prove(log(size).get, index, checkpoint(size))
    assert entry == entry_of(index)
    assert list(made.path) == naive_path(index, LEAVES[:size])
    again = proof.parse(proof.render(made))
    assert again == made
    assert proof.require_proof(again, entry, [ED, MLDSA]).size == size


@given(size=st.integers(1, MOST), data=st.data())
def test_an_entry_is_proven_under_an_older_checkpoint_from_the_files_of_a_newer_log(
    size: int, data: st.DataObject
) -> None:
    newer = data.draw(st.sampled_from([MOST, min(MOST, size + 1)]))
    index = data.draw(st.integers(0, size - 1))
    entry, made = proof.prove(log(newer).get, index, checkpoint(size))
    assert proof.require_proof(made, entry, [ED, MLDSA]).root == ROOTS[size]


@given(size=st.integers(2, MOST), data=st.data())
def test_another_leaf_index_root_or_path_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
    entry, made = proof.prove(log(size).get, index, checkpoint(size))
    forged = note.Checkpoint(head(size).origin, size, ROOTS[size - 1])
    unsigned = checkpoint(size).replace(head(size).text.encode(), forged.text.encode())
    wrong: list[tuple[proof.Proof, bytes]] = [
        (made, entry_of(other)),
        (made, leaf_hash(entry)),
        (proof.Proof(other, made.path, made.checkpoint), entry),
        (proof.Proof(index, (*made.path[::-1], LEAVES[0]), made.checkpoint), entry),
        (proof.Proof(index, made.path[:-1], made.checkpoint), entry),
        (proof.Proof(index, made.path, note.render(forged.text, by_log(forged))), entry),
        (proof.Proof(index, made.path, unsigned), entry),
        (proof.Proof(index, made.path, checkpoint(size - 1)), entry),
        (proof.Proof(size, made.path, made.checkpoint), entry),
    ]
    for found, octets in wrong:
        with pytest.raises(EvidenceError):
            proof.require_proof(found, octets, [ED, MLDSA])


def test_what_is_not_in_the_log_has_no_proof() -> None:
    for index in (7, 8, 300):
        with pytest.raises(EvidenceError):
            proof.prove(log(7).get, index, checkpoint(7))


def test_a_log_that_contradicts_its_checkpoint_is_not_proven() -> None:
    other = dict(log(7))
    other["tile/entries/000.p/7"] = bundle([b"x", *(entry_of(n) for n in range(1, 7))])
    with pytest.raises(EvidenceError, match="does not lead to the root"):
        proof.prove(other.get, 0, checkpoint(7))
    assert proof.prove(other.get, 1, checkpoint(7))[0] == entry_of(1)
    with pytest.raises(EvidenceError, match="missing"):
        proof.prove(log(7).get, 0, checkpoint(8))


def test_a_proof_without_a_key_to_believe_proves_nothing() -> None:
    entry, made = proof.prove(log(7).get, 3, cosigned(["north"]))
    with pytest.raises(EvidenceError, match="no key was given"):
        proof.require_proof(made, entry)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"@v1\n", b"@v2\n"),
        (b"index 3\n", b""),
        (b"index 3\n", b"index 3\nindex 3\n"),
        (b"index 3\n", b"index 03\n"),
        (b"index 3\n", b"index +3\n"),
        (b"index 3\n", b"index 3 \n"),
        (b"index 3\n", b"Index 3\n"),
        (b"index 3\n", b"index 3\r\n"),
        (b"index 3\n", b"extra x\nindex 3\n"),
        (b"index 3\n", b"index 3\nAAAA\n"),
        (b"index 3\n", b"index 3\n" + b"A" * 42 + b"B=\n"),
        (b"index 3\n", b"index 3\n" + (b"A" * 43 + b"=\n") * 63),
        (b"index 3\n", b"index 3\n\n"),
        (b"index 3\n", b"index \xc2\xb3\n"),
        (b"\n\n", b"\n"),
    ],
)
def test_a_file_that_is_no_proof_is_refused(old: bytes, new: bytes) -> None:
    entry, made = proof.prove(log(7).get, 3, checkpoint(7))
    data = proof.render(made)
    assert old in data
    with pytest.raises(EvidenceError):
        proof.require_proof(proof.parse(data.replace(old, new)), entry, [ED, MLDSA])


def test_extra_data_is_carried_also_none_of_it() -> None:
    for extra in (b"", b"x", bytes(range(256))):
        made = proof.Proof(0, (), checkpoint(1), extra)
        assert proof.parse(proof.render(made)) == made
