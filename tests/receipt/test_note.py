"""Signed notes, vkeys, checkpoints and proofs: what verifies, and that nothing else does."""

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.receipt import merkle, note, proof
from proxy.receipt.vkey import Vkey, ed25519_vkey, mldsa44_vkey, parse_vkey
from tests.receipt.test_vector import LOG, ORIGIN, PROOF, WITNESS, WITNESS_VKEY, witnessed

PQ = MLDSA44PrivateKey.from_seed_bytes(bytes(range(32)))
CHECKPOINT = note.Checkpoint(ORIGIN, 1, merkle.leaf_hash(b"entry"))
ED, MLDSA = ed25519_vkey(ORIGIN, LOG), mldsa44_vkey(ORIGIN, PQ)
SIGNED = note.render(
    CHECKPOINT.text,
    [note.sign(CHECKPOINT.text, ORIGIN, LOG), note.cosign(CHECKPOINT, ORIGIN, PQ, 1_700_000_000)],
)


def test_both_signatures_of_a_log_verify() -> None:
    assert note.require_signed(SIGNED, [ED, MLDSA]) == CHECKPOINT
    assert note.require_signed(SIGNED, [MLDSA]) == CHECKPOINT


def test_a_witness_verifies_beside_the_log() -> None:
    signed = note.render(
        CHECKPOINT.text, [note.sign(CHECKPOINT.text, ORIGIN, LOG), witnessed(CHECKPOINT)]
    )
    witness = parse_vkey(WITNESS_VKEY)
    assert note.verify(note.parse(signed), [ED, witness, MLDSA]) == (ED, witness)


def test_every_flipped_bit_of_a_checkpoint_is_found() -> None:
    for at in range(len(SIGNED)):
        for bit in (0x01, 0x80):
            changed = SIGNED[:at] + bytes([SIGNED[at] ^ bit]) + SIGNED[at + 1 :]
            with pytest.raises(EvidenceError):
                note.require_signed(changed, [ED, MLDSA])


def test_no_prefix_of_a_checkpoint_passes_for_it() -> None:
    for end in range(len(SIGNED)):
        with pytest.raises(EvidenceError):
            note.require_signed(SIGNED[:end], [ED, MLDSA])


def test_signatures_by_strangers_are_skipped_and_a_missing_one_is_demanded() -> None:
    stranger = ed25519_vkey("w.example/w1", WITNESS)
    lines = [note.sign(CHECKPOINT.text, "w.example/w1", WITNESS)]
    both = note.render(CHECKPOINT.text, [*lines, note.sign(CHECKPOINT.text, ORIGIN, LOG)])
    assert note.require_signed(both, [ED]) == CHECKPOINT
    only = note.render(CHECKPOINT.text, lines)
    assert note.verify(note.parse(only), [ED, stranger]) == (stranger,)
    with pytest.raises(EvidenceError, match="no signature by"):
        note.require_signed(only, [ED])
    with pytest.raises(EvidenceError, match="no key"):
        note.require_signed(both, [])


def test_a_known_key_that_fails_rejects_the_note_though_another_verifies() -> None:
    forged = note.Signature(ED.name, ED.key_id, bytes(64))
    signatures = [note.cosign(CHECKPOINT, ORIGIN, PQ, 1), forged]
    with pytest.raises(EvidenceError, match="does not verify"):
        note.verify(note.parse(note.render(CHECKPOINT.text, signatures)), [MLDSA, ED])


def test_a_cosignature_for_another_tree_or_time_does_not_verify() -> None:
    other = note.Checkpoint(ORIGIN, 2, CHECKPOINT.root)
    signature = note.cosign(other, ORIGIN, PQ, 5)
    with pytest.raises(EvidenceError):
        note.require_signed(note.render(CHECKPOINT.text, [signature]), [MLDSA])
    data = (6).to_bytes(8) + signature.data[8:]
    moved = note.Signature(signature.name, signature.key_id, data)
    with pytest.raises(EvidenceError):
        note.require_signed(note.render(other.text, [moved]), [MLDSA])


@pytest.mark.parametrize("vkey", [ED, MLDSA, parse_vkey(WITNESS_VKEY)])
def test_vkeys_are_read_as_they_are_written_and_not_otherwise(vkey: Vkey) -> None:
    text = str(vkey)
    assert parse_vkey(text + "\n") == vkey
    name, key_id, key = text.split("+", 2)
    flipped = f"{int(key_id, 16) ^ 1:08x}"
    for wrong in ("", name, f"{name}+{key_id}", f"{name}+{flipped}+{key}", f"x{text}", text[:-4]):
        with pytest.raises(EvidenceError):
            parse_vkey(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "o\n1\n",
        "\n1\n" + "A" * 43 + "=\n",
        "o\n01\n" + "A" * 43 + "=\n",
        "o\n-1\n" + "A" * 43 + "=\n",
        "o\n1\nAAAA\n",
        "o\n1\n" + "A" * 42 + "B=\n",
        "o\n1\n" + "A" * 43 + "=\nextension\n",
    ],
)
def test_a_checkpoint_is_three_lines_in_their_only_spelling(text: str) -> None:
    with pytest.raises(EvidenceError):
        note.parse_checkpoint(text)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_octets_parse_or_are_refused(data: bytes) -> None:
    for read in (note.parse, proof.parse, lambda d: parse_vkey(d.decode("latin-1"))):
        try:
            read(data)
        except EvidenceError:
            continue


@given(at=st.integers(0, len(PROOF.encode()) - 1), octet=st.integers(0, 255))
def test_a_damaged_proof_parses_or_is_refused_and_never_proves(at: int, octet: int) -> None:
    good = PROOF.encode()
    data = good[:at] + bytes([octet]) + good[at + 1 :]
    vkeys = [ed25519_vkey(ORIGIN, LOG), parse_vkey(WITNESS_VKEY)]
    try:
        proof.require_proof(proof.parse(data), b"receipt-1", vkeys)
    except EvidenceError:
        return
    assert data == good


def test_a_proof_carries_extra_data_and_proves_one_entry_only() -> None:
    made = proof.Proof(0, (), SIGNED, b"extra")
    assert proof.parse(proof.render(made)) == made
    assert proof.require_proof(made, b"entry", [ED, MLDSA]) == CHECKPOINT
    with pytest.raises(EvidenceError):
        proof.require_proof(made, b"another", [ED, MLDSA])
    with pytest.raises(EvidenceError):
        proof.parse(proof.render(made).replace(b"index 0", b"index 00"))
