"""Attempts to make receipts of: masked JSON orders, delivered over a few kept connections."""

import hashlib
import itertools
import secrets
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from proxy.model import (
    Certificate,
    Channel,
    Claim,
    Content,
    Digest,
    Intent,
    Outcome,
    Peer,
    Report,
    Verdict,
)

ROUTE = "orders"
_CONNECTIONS = 16
_NOW = datetime.now(UTC)


def _certificate(name: str) -> Certificate:
    uri = f"spiffe://lockgate.example/{name}"
    return Certificate(
        der=bytes(1200),
        chain=(bytes(900),),
        sha256=secrets.token_bytes(32),
        spki_sha256=secrets.token_bytes(32),
        subject=f"CN={name}",
        issuer="CN=Lockgate example CA",
        serial=1,
        not_before=_NOW,
        not_after=_NOW,
        spiffe=uri,
        uris=(uri,),
        dns=(f"{name}.lockgate.example",),
    )


def _peer(number: int) -> Peer:
    tls = Channel("TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519MLKEM768", secrets.token_bytes(32))
    return Peer("127.0.0.1", certificate=_certificate(f"sender-{number % 4}"), channel=tls)


_PEERS = [_peer(number) for number in range(_CONNECTIONS)]
_RECEIVERS = [_certificate("receiver") for _ in range(4)]
_POLICY = secrets.token_bytes(32)
_ANSWER = Content(
    Digest(2, hashlib.sha256(b"{}").digest()),
    Digest(2, hashlib.sha256(b"{}").digest()),
    Report("json", 1),
    "low",
)


def outcomes(count: int, *, claimed: bool) -> list[Outcome]:
    """Each of another transfer; `claimed`: of one that holds its id for a day."""
    return [_outcome(number, claimed) for number in range(count)]


def each_outcome(*, claimed: bool) -> Iterator[Outcome]:
    """`outcomes` without end."""
    return (_outcome(number, claimed) for number in itertools.count())


def _outcome(number: int, claimed: bool) -> Outcome:
    sender, transfer_id = _PEERS[number % len(_PEERS)], str(uuid.uuid4())
    delivered = Digest(401, sha256=secrets.token_bytes(32))
    report = Report("json", 1, {"$.customer.ssn": 1, "$.payment.reference": 1}, {}, None, True)
    return Outcome(
        attempt_id=secrets.token_bytes(16),
        transfer_id=transfer_id,
        verdict=Verdict.DELIVERED,
        status=201,
        problem=None,
        listener="ingest",
        route=ROUTE,
        upstream="receiver",
        method="POST",
        target_hmac=secrets.token_bytes(32),
        content_length=412,
        request=Content(Digest(412, hmac_sha256=secrets.token_bytes(32)), delivered, report, "low"),
        answer_status=201,
        answer=_ANSWER,
        sender=sender,
        receiver=_RECEIVERS[number % len(_RECEIVERS)],
        policy_sha256=_POLICY,
        received_at=datetime.now(UTC),
        claim=Claim(sender.name, ROUTE, transfer_id, 86_400.0) if claimed else None,
        content_sha256=secrets.token_bytes(32) if claimed else None,
    )


def intent_of(found: Outcome) -> Intent:
    """What stands in the worker's file before it forwards."""
    sender, received = found.sender.name, found.received_at
    return Intent(found.attempt_id, found.transfer_id, sender, ROUTE, received, found.claim)
