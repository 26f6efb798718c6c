"""The vector that other implementations reproduce, byte for byte."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from proxy.receipt import merkle, note, proof, vkey

LOG = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
ORIGIN = "proxy.example/segment-a"
TIME = 1_700_000_000
LEAVES = [b"receipt-0", b"receipt-1", b"receipt-2"]

LOG_VKEY = "proxy.example/segment-a+7f190f8d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
WITNESS_VKEY = "w.example/w1+6b509d11+BHm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk"
PROOF = """\
c2sp.org/tlog-proof@v1
index 1
MP/M5o3tXOI1PctMrD6bl+i/rFnBRDAuo0EBT9BWDwY=
VGL/6oYydNKKwqiuemg1x/bFAISOMa59RMjY05nGN4k=

proxy.example/segment-a
3
ZdaeHslud41y68vP5d2gpgp/HLzCBZtjZoFuF3DYMMI=

— proxy.example/segment-a fxkPjetLsGhEkg10bicBJZSjpZNIwoRdHl54zHHL2wTnc4Oxb2+ksGsi6sCOGBAdLwuB11+jk6D/MyQeY9cKOSCYiQs=
— w.example/w1 a1CdEQAAAABlU/EA5CWsWXtyiql2my0SlnLMKgRvSijtMyMU9gPmXkBFmhz5E833bkM49FkF4Z7UW4b0cJN13ZH1IbzE/OXcFd+rCA==
"""  # noqa: E501 — verbatim


def witnessed(checkpoint: note.Checkpoint) -> note.Signature:
    witness = vkey.parse_vkey(WITNESS_VKEY)
    data = WITNESS.sign(b"cosignature/v1\ntime %d\n" % TIME + checkpoint.text.encode())
    return note.Signature(witness.name, witness.key_id, TIME.to_bytes(8) + data)


def test_the_vector_is_reproduced_byte_for_byte() -> None:
    tree = merkle.Tree()
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    for leaf in hashes:
        tree.append(leaf)
    checkpoint = note.Checkpoint(ORIGIN, tree.size, tree.root())
    signatures = [note.sign(checkpoint.text, ORIGIN, LOG), witnessed(checkpoint)]
    path = merkle.inclusion(1, 3, lambda level, at: hashes[at] if level == 0 else b"")
    made = proof.Proof(1, tuple(path), note.render(checkpoint.text, signatures))
    assert proof.render(made) == PROOF.encode()
    assert proof.parse(PROOF.encode()) == made


def test_the_vector_verifies_with_both_keys() -> None:
    vkeys = [vkey.parse_vkey(LOG_VKEY), vkey.parse_vkey(WITNESS_VKEY)]
    checkpoint = proof.require_proof(proof.parse(PROOF.encode()), b"receipt-1", vkeys)
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, 3)


def test_keys_are_written_as_the_vector_writes_them() -> None:
    assert str(vkey.ed25519_vkey(ORIGIN, LOG)) == LOG_VKEY
    assert str(vkey.parse_vkey(WITNESS_VKEY)) == WITNESS_VKEY
    pq = MLDSA44PrivateKey.from_seed_bytes(bytes(range(32)))
    assert vkey.mldsa44_vkey(ORIGIN, pq).key_id.hex() == "4aa8dbf4"
