"""Outcomes, keys and stores to try the notary with."""

import hashlib
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

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
from proxy.notary import Notary
from proxy.notary.folder import Folder, audit_folder
from proxy.receipt import dsse
from proxy.receipt.audit import Kept
from proxy.receipt.reading import Summary, summarise
from proxy.receipt.vkey import ed25519_vkey, mldsa44_vkey
from tests.notary.disks import LooseDisk

ORIGIN = "receipts.example/gateway-a"
RECEIPT_KEY = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32)
PQ_KEY = MLDSA44PrivateKey.from_seed_bytes(bytes([3]) * 32)
START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def pem(key: Ed25519PrivateKey | MLDSA44PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


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


def open_notary(store: Path, **changes: Any) -> Notary:
    values: dict[str, Any] = {
        "origin": ORIGIN,
        "receipt_key": pem(RECEIPT_KEY),
        "log_key": pem(LOG_KEY),
        "log_pq_key": pem(PQ_KEY),
        "durability": "fsync",
        "checkpoint_every": 3600.0,
        "clock": CLOCK,
        "disk": LooseDisk(),
    }
    return Notary.open(store, **(values | changes))


@asynccontextmanager
async def running(store: Path, **changes: Any) -> AsyncIterator[Notary]:
    """A notary at work; closed at the end."""
    notary = open_notary(store, **changes)
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        yield notary
        await notary.close()


async def crash_copy(notary: Notary, store: Path, copy: Path) -> None:
    """What a crash would leave now, in `copy`. Published first, so that nothing moves meanwhile."""
    await notary.publish()
    shutil.copytree(store, copy)


async def until(condition: Callable[[], bool]) -> None:
    """Let the notary work until the condition holds; it does so by itself."""
    with trio.fail_after(10):
        while not condition():
            await trio.lowlevel.checkpoint()


async def deliver(notary: Notary, found: Outcome | None = None) -> bytes:
    """Intend and conclude; the envelope."""
    found = found or outcome()
    await notary.intend(intent_of(found))
    return (await notary.conclude(found)).envelope


def audited(store: Path, kept: bytes | None = None) -> tuple[int, int]:
    """Audit with public keys alone, journal included: (entries published, entries beyond)."""
    vkeys = [ed25519_vkey(ORIGIN, LOG_KEY), mldsa44_vkey(ORIGIN, PQ_KEY)]
    earlier = None if kept is None else Kept("kept", kept)
    checkpoint, beyond = audit_folder(
        Folder(store), vkeys=vkeys, keys=[RECEIPT_KEY.public_key()], kept=earlier
    )
    return checkpoint.size, beyond


def statements(store: Path) -> list[Summary]:
    """Everything that the folder says, in order."""
    return [
        summarise(dsse.verify(envelope, RECEIPT_KEY.public_key()))
        for _, envelope in Folder(store).entries()
    ]
