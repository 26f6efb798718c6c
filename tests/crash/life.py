"""A notary at work on attempts of every kind, in one process, and what it tells about them."""

import copy
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.app import privileges
from proxy.model import Claim, Intent, Outcome, Receipt, Verdict
from proxy.notary.aio import Aio
from proxy.notary.desk import Desk
from proxy.notary.disk import Disk
from proxy.notary.intents import IntentFile
from proxy.notary.keys import Keys
from proxy.notary.notary import Notary
from proxy.settings.load import Loaded, load_octets
from tests.crash.record import Recorder
from tests.receipt.outcomes import CLOCK, ORIGIN, intent_of, outcome, refusal
from tests.settings.example import BASE

LOG = "log"
KEYS = Keys(
    ORIGIN,
    Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32),
    Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32),
    None,
)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    receipt: Receipt
    claim: Claim | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Published:
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class Mode:
    """How the notary under test is set up, and what it promises then."""

    durability: Literal["fsync", "write"] = "fsync"
    intents: Literal["fsync", "write"] = "fsync"
    many: bool = False
    """True: with the store and the intents as a supervisor makes them, who hands them on."""
    short: bool = False
    """True: with a journal whose place another takes in every round."""
    every_sync: bool = True
    """False: a mutant, whose disk syncs no file."""
    every_folder: bool = True
    """False: a mutant, whose disk syncs no folder."""
    every_intent: bool = True
    """False: a mutant, whose intents are not written."""

    def words(self) -> str:
        """For the name of a test."""
        left_out = [
            name for name in ("sync", "folder", "intent") if not getattr(self, f"every_{name}")
        ]
        forms = [name for name in ("many", "short") if getattr(self, name)]
        return "-".join(
            [self.durability, self.intents, *forms, *(f"no {name}" for name in left_out)]
        )


def open_notary(store: Path, **changes: Any) -> Notary:
    values: dict[str, Any] = {"durability": "fsync", "checkpoint_every": 3600.0, "reserve": 4096}
    return Notary.open(store, keys=KEYS, capacity=1000, clock=CLOCK, **(values | changes))


class SlackDisk(Disk):
    """Forgets to sync files."""

    def group(self) -> Aio | None:
        """None."""
        return None

    def begin_sync(self, aio: Aio, fd: int) -> bool:
        """Not by the kernel."""
        return False

    def sync(self, fd: int) -> None:
        """Done."""


class SlackFolders(Disk):
    """Forgets to sync folders."""

    def sync_folder(self, folder: Path) -> None:
        """Done."""

    def sync_folders(self, aio: Aio | None, folders: Sequence[Path]) -> None:
        """Done."""


class SlackIntents(IntentFile):
    """Forgets to write."""

    def write(self, intent: Intent) -> None:
        """Done."""


async def live(root: Path, recorder: Recorder, mode: Mode, rounds: int) -> None:
    """Open, so many rounds of attempts at once, close."""
    store, disk = root / LOG, Disk()
    if not mode.every_sync:
        disk = SlackDisk()
    elif not mode.every_folder:
        disk = SlackFolders()
    if mode.many:
        privileges.make_store(_loaded(root))
    notary = open_notary(store, disk=disk, durability=mode.durability, checkpoint_every=0.01)
    desk = Desk(notary, _intents(root, mode, disk), patience=30.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(notary.run)
        for number in range(rounds):
            if mode.short:
                notary._store._rotate = notary._store.journal.initial = 0
            async with trio.open_nursery() as attempts:
                for verdict in (*[Verdict.DELIVERED] * 3, Verdict.FAILED, Verdict.INDETERMINATE):
                    attempts.start_soon(attempt, desk, recorder, verdict, number)
                attempts.start_soon(refused, desk, recorder)
            await abandoned(desk, recorder)
            if number % 3 == 1:
                await notary.publish()
        await desk.close()
        await notary.close()


def _intents(root: Path, mode: Mode, disk: Disk) -> IntentFile:
    kind = IntentFile if mode.every_intent else SlackIntents
    sync = mode.intents == "fsync"
    if not mode.many:
        return kind.open(root / LOG / "intents/1", sync=sync, disk=disk)
    path = root / LOG / "intents" / secrets.token_hex(4)
    with privileges.intents(_loaded(root), path) as fd:
        return kind.inherit(os.dup(fd), sync=sync)


def _loaded(root: Path) -> Loaded:
    """A configuration that has its store where ours is."""
    data = copy.deepcopy(BASE)
    data["receipts"]["store"] = LOG
    return load_octets(root / "gate.yaml", json.dumps(data, indent=1).encode())


async def attempt(desk: Desk, recorder: Recorder, verdict: Verdict, number: int) -> None:
    found = claimed(verdict) if number % 2 else outcome(verdict)
    if found.claim is not None:
        assert await desk.reserve(found.claim, found.attempt_id) is None
    intent = intent_of(found)
    await desk.intend(intent)
    recorder.tell(intent)
    receipt = await desk.conclude(found)
    recorder.tell(Acknowledged(receipt, found.claim, verdict))


def claimed(verdict: Verdict = Verdict.DELIVERED) -> Outcome:
    found = outcome(verdict)
    claim = Claim(found.sender.name, "orders", found.transfer_id, 3600.0)
    return replace(found, claim=claim)


async def refused(desk: Desk, recorder: Recorder) -> None:
    receipt = await desk.conclude(refusal())
    recorder.tell(Acknowledged(receipt, None, Verdict.REJECTED))


async def abandoned(desk: Desk, recorder: Recorder) -> None:
    """An attempt that is still under way at the end."""
    found = claimed()
    assert found.claim is not None
    assert await desk.reserve(found.claim, found.attempt_id) is None
    intent = intent_of(found)
    await desk.intend(intent)
    recorder.tell(intent)
