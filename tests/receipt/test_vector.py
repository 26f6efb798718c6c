"""The vector that other implementations reproduce, byte for byte."""

import base64
import hashlib
import uuid
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.model import Content, Digest, Verdict
from proxy.receipt import dsse, merkle, note, policy, proof, vkey
from proxy.receipt.audit import audit
from proxy.receipt.marks import Demand
from tests.receipt import logs

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


def test_a_witness_cosigns_as_the_vector_does() -> None:
    checkpoint = note.parse_checkpoint(note.parse(proof.parse(PROOF.encode()).checkpoint).text)
    made = note.witness(checkpoint, "w.example/w1", WITNESS, TIME)
    assert f"{made}\n" == PROOF.splitlines(keepends=True)[-1]
    assert str(vkey.ed25519_cosignature_vkey("w.example/w1", WITNESS)) == WITNESS_VKEY


def test_the_vector_holds_under_a_policy_that_demands_its_witness() -> None:
    text = f"log {LOG_VKEY}\nwitness w1 {WITNESS_VKEY}\nquorum w1\n"
    trusted = policy.parse_policy(text.encode())
    found = proof.require_proof(proof.parse(PROOF.encode()), b"receipt-1", policy=trusted)
    assert (found.origin, found.size) == (ORIGIN, 3)


def test_keys_are_written_as_the_vector_writes_them() -> None:
    assert str(vkey.ed25519_vkey(ORIGIN, LOG)) == LOG_VKEY
    assert str(vkey.parse_vkey(WITNESS_VKEY)) == WITNESS_VKEY
    pq = MLDSA44PrivateKey.from_seed_bytes(bytes(range(32)))
    assert vkey.mldsa44_vkey(ORIGIN, pq).key_id.hex() == "4aa8dbf4"


# --- a log of ours: an event, a delivery, and its duplicate ---------------------------------------

STOP = (
    b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"event:stop:1","digest'
    b'":{"sha256":"f36b4f7a63003a437466943e789cfec323463e8eeaf8852bdcbca55fe576bd58"}}],"p'
    b'redicateType":"https://lockgate.dev/log-event/v1","predicate":{"kind":"stop","sequen'
    b'ce":{"stream":"receipts.example/gateway-a/log","number":"1","previous":null},"detail'
    b's":{"clean":true},"time":{"completed":"2026-05-01T12:00:00.000000Z"},"log":{"origin"'
    b':"receipts.example/gateway-a"}}}'
)
SIGNATURE = (
    "gc1utBH7dKcnMv6eVEzivSc4pQUIQa1f3aRdfaL6s9C9hQl33nU5RpRZlLsaMIPc+M0VGDZJhFrYD2qTW3tKBQ=="
)
DIGESTS = [
    "6060168af9456fa4dea9283ddbe4609fd92dafbd945d6a12f6fdfefb7b2538e8",
    "f79067bc4322e77f09a25c0982fe6a52f97b5a05e00e642fa4cf7984256a7aa2",
    "a1a6e84528b6c309bd8d1ecefd221f681df51882222fb9b44565b9c53b66821f",
]
OURS = """\
receipts.example/gateway-a
3
DKYNsXoWmLjrkKMJLwlXPBEAT48mnoaWB4TvK0LLHlg=

— receipts.example/gateway-a VEx+jI0Q8/HLcrqvWsMGORQGm0K3x4/JSMQBwJGvJizTaSuLm5tykLjR7nqT7edUWHGUqQqqec9NVwSCmLHSnvLrugo=
"""  # noqa: E501 — verbatim


def ours() -> list[bytes]:
    maker = logs.Maker()
    maker.event("stop", {"clean": True})
    maker.receipt(logs.outcome(1, rule=None))
    maker.receipt(
        logs.outcome(
            2,
            transfer_id=str(uuid.UUID(int=1)),
            rule=None,
            verdict=Verdict.REJECTED,
            status=201,
            answer_status=None,
            problem="duplicate",
            duplicate_of=1,
            request=Content(Digest(100, hmac_sha256=b"\x0c" * 32), None, None, None),
        ),
        attempt=2,
    )
    return maker.entries


def test_the_envelope_of_an_event_is_reproduced_byte_for_byte() -> None:
    found = dsse.parse(ours()[0])
    assert found.payload == STOP
    [(keyid, signature)] = found.signatures
    assert keyid == "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8"
    assert base64.b64encode(signature).decode() == SIGNATURE


def test_a_delivery_its_duplicate_and_their_checkpoint_are_reproduced_byte_for_byte() -> None:
    entries = ours()
    assert [hashlib.sha256(entry).hexdigest() for entry in entries] == DIGESTS
    found = note.parse_checkpoint(note.parse(logs.signed(entries)).text)
    signed = note.render(found.text, [note.sign(found.text, logs.ORIGIN, logs.LOG_KEY)])
    assert signed.decode() == OURS


def test_the_log_of_the_vector_passes_an_audit() -> None:
    folder = {**logs.files(ours()), "checkpoint": OURS.encode()}
    assert audit(folder.get, Demand(logs.VKEYS[:1]), logs.KEYS).checkpoint.size == 3


def test_the_manual_shows_this_very_log() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/receipts.md").read_text("utf-8")
    entries = ours()
    hashes = [merkle.leaf_hash(entry) for entry in entries]
    pem = logs.KEYS[0].public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    above = base64.b64encode(hashes[1]).decode() + "\n" + base64.b64encode(hashes[2]).decode()
    size = len(entries[0])
    assert entries[0].decode() in page
    assert f"{pem}\n{entries[0].decode()}" in page
    assert f"```\n{OURS}```" in page
    assert f"`{logs.VKEYS[0]}`" in page
    assert f"index 0\n{above}\n\n<the checkpoint, verbatim>" in page
    assert f"`{DIGESTS[0]}`" in page
    assert f"`{hashes[0].hex()}`" in page
    assert f"`{size >> 8:02x} {size & 255:02x}` ({size} octets)" in page
    beginning = STOP.decode().split('"subject"')[0]
    assert f"application/vnd.in-toto+json {len(STOP)} {beginning}" in page
