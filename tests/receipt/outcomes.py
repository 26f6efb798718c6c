"""Outcomes to make statements of, as the journey would freeze them."""

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from proxy.model import (
    Certificate,
    Channel,
    Content,
    Digest,
    Intent,
    Outcome,
    Peer,
    Report,
    Verdict,
)

ORIGIN = "receipts.example/gateway-a"
START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Ticking:
    """A clock that moves by a millisecond whenever it is read."""

    def __init__(self, start: datetime = START) -> None:
        self.now = start

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


CLOCK = Ticking()
CERTIFICATE = Certificate(
    der=b"",
    chain=(),
    sha256=b"\x0c" * 32,
    spki_sha256=b"\x05" * 32,
    subject="CN=sender",
    issuer="CN=ca",
    serial=1,
    not_before=START,
    not_after=START,
    spiffe="spiffe://example/etl/orders",
    uris=("spiffe://example/etl/orders",),
    dns=("etl.example",),
)
SENDER = Peer(
    address="127.0.0.1",
    certificate=CERTIFICATE,
    channel=Channel("TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519MLKEM768", b"\x0e" * 32),
)


def outcome(verdict: Verdict = Verdict.DELIVERED, **changes: Any) -> Outcome:
    """A delivered, masked JSON order, unless `changes` say otherwise."""
    received = CLOCK()
    delivered = Digest(90, sha256=hashlib.sha256(b"masked").digest())
    values: dict[str, Any] = {
        "attempt_id": uuid.uuid4().bytes,
        "transfer_id": str(uuid.uuid4()),
        "verdict": verdict,
        "status": 201,
        "problem": None,
        "listener": "ingest",
        "route": "orders",
        "upstream": "warehouse",
        "method": "POST",
        "target_hmac": b"\x0a" * 32,
        "content_length": 100,
        "request": Content(
            received=Digest(100, hmac_sha256=b"\x0b" * 32),
            delivered=delivered,
            report=Report("json", 1, {"$.ssn": 1}, {"us_ssn": 1}, None, changed=True),
            label="confidential",
        ),
        "answer_status": 201,
        "answer": Content(
            received=Digest(2, sha256=hashlib.sha256(b"{}").digest()),
            delivered=Digest(2, sha256=hashlib.sha256(b"{}").digest()),
            report=Report("json", 1),
            label="internal",
        ),
        "sender": SENDER,
        "receiver": CERTIFICATE,
        "policy_sha256": b"\x0d" * 32,
        "rule": "allow[0]",
        "received_at": received,
    }
    return Outcome(**(values | changes))


def refusal(code: str = "not-allowed", **changes: Any) -> Outcome:
    """A refusal before anything was forwarded."""
    nothing = Content(Digest(100, hmac_sha256=b"\x0b" * 32), None, None, None)
    values: dict[str, Any] = {
        "status": 403,
        "problem": code,
        "request": nothing,
        "answer_status": None,
        "answer": None,
        "receiver": None,
        "rule": None,
    }
    return outcome(Verdict.REJECTED, **(values | changes))


def intent_of(found: Outcome) -> Intent:
    return Intent(
        found.attempt_id,
        found.transfer_id,
        found.sender.name,
        cast(str, found.route),
        found.received_at,
        found.claim,
    )
