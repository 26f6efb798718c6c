"""Outcomes, keys and stores to try the notary with."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.model import Outcome, Receipt
from proxy.notary import Notary
from proxy.notary.disk import Disk
from proxy.notary.folder import Folder, audit_folder
from proxy.notary.intents import IntentFile
from proxy.notary.keys import Keys
from proxy.receipt import dsse
from proxy.receipt.marks import Kept
from proxy.receipt.reading import Summary, summarise
from proxy.receipt.statement import submission
from proxy.receipt.vkey import ed25519_vkey, mldsa44_vkey
from tests.notary.disks import LooseDisk
from tests.patience import PATIENCE
from tests.receipt.outcomes import CERTIFICATE as CERTIFICATE
from tests.receipt.outcomes import CLOCK as CLOCK
from tests.receipt.outcomes import ORIGIN as ORIGIN
from tests.receipt.outcomes import SENDER as SENDER
from tests.receipt.outcomes import START as START
from tests.receipt.outcomes import Ticking as Ticking
from tests.receipt.outcomes import intent_of as intent_of
from tests.receipt.outcomes import outcome as outcome
from tests.receipt.outcomes import refusal as refusal

RECEIPT_KEY = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32)
PQ_KEY = MLDSA44PrivateKey.from_seed_bytes(bytes([3]) * 32)


def pem(key: Ed25519PrivateKey | MLDSA44PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def open_notary(store: Path, **changes: Any) -> Notary:
    """A notary with the keys above; `origin`, `receipt`, `log` and `log_pq` replace one of them."""
    values: dict[str, Any] = {
        "durability": "fsync",
        "checkpoint_every": 3600.0,
        "capacity": 100_000,
        "clock": CLOCK,
        "disk": LooseDisk(),
    }
    keys: dict[str, Any] = {
        "origin": ORIGIN,
        "receipt": RECEIPT_KEY,
        "log": LOG_KEY,
        "log_pq": PQ_KEY,
    }
    keys |= {name: changes.pop(name) for name in keys if name in changes}
    return Notary.open(store, keys=Keys(**keys), **(values | changes))


def intents_in(store: Path, worker: str = "worker", disk: Disk | None = None) -> IntentFile:
    """The intent file of a worker."""
    return IntentFile.open(store / "intents" / worker, sync=False, disk=disk or LooseDisk())


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
    with trio.fail_after(PATIENCE):
        while not condition():
            await trio.lowlevel.checkpoint()


async def conclude(notary: Notary, found: Outcome, *, resent: bool = False) -> Receipt:
    """Submit an outcome, as the desk of a worker does."""
    return await notary.conclude(submission(found), resent=resent)


async def deliver(notary: Notary, found: Outcome | None = None) -> bytes:
    """Conclude, a delivery unless told otherwise; the envelope."""
    return (await conclude(notary, found or outcome())).envelope


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
