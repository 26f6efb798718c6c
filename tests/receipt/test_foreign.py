"""What we write is read by code that we did not write: envelopes and statements of every kind."""

import hashlib
import warnings
from datetime import timedelta
from typing import Any

import orjson
import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from proxy.model import Content, Digest, Intent, Verdict
from proxy.receipt import dsse, keychain, statement
from tests.receipt.logs import NEXT_KEY, ORIGIN, RECEIPT_KEY, START, Maker, outcome

with warnings.catch_warnings():
    # protobuf warns about its own C types while it is imported; nothing else is let through.
    warnings.simplefilter("ignore", DeprecationWarning)
    from google.protobuf import json_format  # type: ignore[import-untyped]
    from in_toto_attestation.v1 import statement_pb2  # type: ignore[import-untyped]
    from in_toto_attestation.v1.statement import Statement  # type: ignore[import-untyped]

NOTHING = Content(Digest(0, hmac_sha256=b"\x0b" * 32), None, None, None)
HANDOVER = keychain.handover(RECEIPT_KEY.public_key(), NEXT_KEY.public_key())


def entries() -> dict[str, bytes]:
    """One of each kind, in one log."""
    maker = Maker()
    refused: dict[str, Any] = {"status": 201, "request": NOTHING, "upstream": None}
    interrupted = Intent(bytes(16), "00000000-0000-0000-0000-000000000009", "s", "orders", START)
    made = {
        "start": maker.event("start", {"version": "0", "workers": 2}),
        "delivered": maker.receipt(outcome(1)),
        "duplicate": maker.receipt(
            outcome(2, verdict=Verdict.REJECTED, problem="duplicate", duplicate_of=1, **refused)
        ),
        "failed": maker.receipt(outcome(3, verdict=Verdict.FAILED, status=502)),
        "indeterminate": maker.receipt(outcome(4, verdict=Verdict.INDETERMINATE, status=504)),
        "interrupted": dsse.sign(
            statement.build_interrupted(
                interrupted,
                maker.place("s/orders"),
                origin=ORIGIN,
                completed=START + timedelta(seconds=1),
            ),
            RECEIPT_KEY,
        ),
    }
    for kind in ("stop", "recovery", "reload", "refused-handshakes"):
        made[kind] = maker.event(kind, {"counts": {"ingest:no_certificate": "12"}})
    return made | {"key": maker.event("key", HANDOVER)}


ENTRIES = entries()


@pytest.mark.parametrize("kind", ENTRIES)
def test_securesystemslib_verifies_every_kind_of_entry_and_nothing_changed(kind: str) -> None:
    public = RECEIPT_KEY.public_key()
    key = SSlibKey.from_crypto(public, dsse.key_id(public))
    theirs = Envelope.from_dict(orjson.loads(ENTRIES[kind]))
    assert theirs.verify([key], 1) == {dsse.key_id(public): key}
    other = NEXT_KEY.public_key()
    with pytest.raises(VerificationError):
        theirs.verify([SSlibKey.from_crypto(other, dsse.key_id(other))], 1)
    theirs.payload = theirs.payload[:-1] + b" "
    with pytest.raises(VerificationError):
        theirs.verify([key], 1)


@pytest.mark.parametrize("kind", ENTRIES)
def test_in_toto_reads_and_validates_every_kind_of_entry(kind: str) -> None:
    payload = dsse.parse(ENTRIES[kind]).payload
    message = json_format.Parse(payload, statement_pb2.Statement())
    theirs = Statement.copy_from_pb(message)
    theirs.validate()
    expected = (
        statement.PREDICATE_TYPE
        if "transferId" in orjson.loads(payload)["predicate"]
        else (statement.EVENT_TYPE)
    )
    assert theirs.pb.predicate_type == expected
    [subject] = theirs.pb.subject
    if kind == "delivered":
        assert subject.digest["sha256"] == hashlib.sha256(b"masked").hexdigest()
    else:
        assert subject.digest["sha256"] == hashlib.sha256(subject.name.encode()).hexdigest()


def test_a_duplicate_names_the_entry_that_says_delivered() -> None:
    said = orjson.loads(dsse.parse(ENTRIES["duplicate"]).payload)["predicate"]
    assert said["disposition"] == {"status": 201, "problem": "duplicate", "duplicateOf": "1"}
