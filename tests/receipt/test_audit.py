"""An audit does not take the log's own word: what is signed but out of place is found as well."""

import hashlib

import pytest

from proxy.errors import EvidenceError
from proxy.receipt import dsse, merkle, note, statement
from proxy.receipt.audit import Walk, audit
from proxy.receipt.vkey import ed25519_vkey
from tests.notary.samples import LOG_KEY, ORIGIN, RECEIPT_KEY, refusal

KEYS = [RECEIPT_KEY.public_key()]


def entry(number: int, previous: bytes | None, origin: str = ORIGIN) -> bytes:
    said = statement.build(
        refusal(), attempt=1, sequence=number, previous=previous, stream="s/orders", origin=origin
    )
    return dsse.sign(said, RECEIPT_KEY)


FIRST = entry(1, None)
DIGEST = hashlib.sha256(FIRST).digest()


def test_a_stream_in_order_passes() -> None:
    walk = Walk(ORIGIN, [LOG_KEY.public_key(), *KEYS])
    walk.step(FIRST, "here")
    walk.step(entry(2, DIGEST), "here")
    assert walk.tree.size == 2


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (entry(3, DIGEST), "here: entry 1: is number 3 of its stream, where 2 comes next"),
        (entry(1, None), "here: entry 1: is number 1"),
        (entry(2, None), "here: entry 1: does not name the receipt before it"),
        (entry(2, bytes(32)), "here: entry 1: does not name the receipt before it"),
        (entry(2, DIGEST, "elsewhere.example/log"), "here: entry 1: is of another log"),
        (dsse.sign(b"{}", RECEIPT_KEY), "here: entry 1: the payload is not an in-toto"),
        (dsse.sign(FIRST, LOG_KEY), "here: entry 1: no signature on the envelope"),
    ],
)
def test_a_signed_entry_out_of_place_is_named(second: bytes, message: str) -> None:
    walk = Walk(ORIGIN, KEYS)
    walk.step(FIRST, "here")
    with pytest.raises(EvidenceError, match=message):
        walk.step(second, "here")


def test_a_checkpoint_under_a_name_that_no_given_key_bears_is_refused() -> None:
    checkpoint = note.Checkpoint("elsewhere.example/log", 0, merkle.EMPTY_ROOT)
    signed = note.render(checkpoint.text, [note.sign(checkpoint.text, ORIGIN, LOG_KEY)])
    vkeys = [ed25519_vkey(ORIGIN, LOG_KEY)]
    with pytest.raises(EvidenceError, match="is of the log elsewhere"):
        audit({"checkpoint": signed}.get, vkeys=vkeys, keys=KEYS)


def test_an_audit_without_keys_passes_nothing() -> None:
    checkpoint = note.Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT)
    signed = note.render(checkpoint.text, [note.sign(checkpoint.text, ORIGIN, LOG_KEY)])
    vkeys = [ed25519_vkey(ORIGIN, LOG_KEY)]
    assert audit({"checkpoint": signed}.get, vkeys=vkeys, keys=KEYS)[0] == checkpoint
    with pytest.raises(EvidenceError, match="no receipt key"):
        audit({"checkpoint": signed}.get, vkeys=vkeys, keys=[])
    with pytest.raises(EvidenceError, match="no key"):
        audit({"checkpoint": signed}.get, vkeys=[], keys=KEYS)
