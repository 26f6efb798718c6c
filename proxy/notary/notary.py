"""What the journey asks of the log, and the rules of an attempt.

- `intend` returns when the intent is in the journal: nothing is forwarded before. `conclude`
  returns when the entry is durable: no answer completes before. Both raise `LogFailure` when that
  cannot be.
- An attempt is known by transfer id, sender, route and the time at which it was received. It gets
  one statement. One that says `delivered` or `indeterminate` demands its open intent; a refusal
  before any intent needs none.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

import trio

from proxy.errors import EvidenceError, LogFailure
from proxy.model import Intent, Outcome, Receipt, Verdict
from proxy.notary import keys
from proxy.notary.book import REPEATS, Key, key_of
from proxy.notary.disk import Disk
from proxy.notary.store import Clock, Store
from proxy.notary.writer import OnCommit, Pending, Writer
from proxy.receipt.statement import stream_of


class Notary:
    """`open` it, `run` it in a nursery, `close` it when nothing more will be concluded."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._store = writer.store

    @classmethod
    def open(
        cls,
        store: Path,
        *,
        origin: str,
        receipt_key: bytes,
        log_key: bytes,
        log_pq_key: bytes | None,
        durability: Literal["fsync", "write"],
        checkpoint_every: float,
        clock: Clock,
        on_commit: OnCommit = lambda size, seconds: None,
        disk: Disk | None = None,
    ) -> Self:
        """Lock the store, recover it, close what a crash interrupted. Blocks on the disk.

        Keys are PEM; `checkpoint_every` is in seconds; `clock` gives aware times. Raises
        `CredentialError` for a key, `EvidenceError` for a store that is damaged or of another log,
        `LogFailure` where it is in use or cannot be written.
        """
        loaded = keys.load(origin, receipt_key, log_key, log_pq_key)
        opened = Store(store, loaded, disk or Disk(), clock)
        sync_batches = durability == "fsync"
        return cls(Writer(opened, checkpoint_every, on_commit, sync_batches=sync_batches))

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Commit and publish until `close`; commits what is queued even when it is cancelled."""
        await self._writer.run(task_status)

    async def close(self) -> None:
        """Commit everything, write the last checkpoint, release the store."""
        await self._writer.close()

    async def publish(self) -> None:
        """Write tiles and checkpoint now instead of at the next `checkpoint_every`."""
        await self._writer.publish()

    # --- what is known ---------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """True while intents are taken: running, and the disk takes what it is given."""
        writer = self._writer
        healthy = writer.fault is None and writer.unpublished is None
        return writer.running and healthy and not writer.stop.is_set()

    @property
    def size(self) -> int:
        """How many entries are durable."""
        return self._store.leaves.size

    @property
    def interrupted(self) -> int:
        """How many attempts were found interrupted at the start, and closed."""
        return self._store.interrupted

    def entry(self, index: int) -> bytes | None:
        """The exact octets of a durable leaf; None where there is none. Raises `LogFailure`."""
        try:
            return self._store.entry(index)
        except (OSError, EvidenceError) as error:
            raise LogFailure(f"entry {index} cannot be read: {error}") from None

    def latest(self, sender: str, route: str, transfer_id: str) -> bytes | None:
        """The latest leaf about a transfer; None where it is none of the latest 32,768.

        Raises `LogFailure`.
        """
        transfer = (stream_of(sender, route), transfer_id)
        _, _, index = self._store.book.transfers.get(transfer, (0, None, None))
        return None if index is None else self.entry(index)

    def delivered_since(self, seconds: float) -> Iterator[tuple[str, str, str, datetime]]:
        """(sender, route, transfer id, completed) of what was delivered lately, newest first."""
        try:
            for summary in self._store.recent(seconds):
                if summary.verdict is Verdict.DELIVERED and summary.route is not None:
                    yield summary.sender, summary.route, summary.transfer_id, summary.completed
        except (OSError, EvidenceError) as error:
            raise LogFailure(f"the log cannot be read back: {error}") from None

    # --- what the journey does -------------------------------------------------------------------

    async def intend(self, intent: Intent) -> None:
        """Journal `intent`. Raises `LogFailure`, and then nothing may be forwarded."""
        writer, key = self._writer, key_of(intent)
        writer.require_usable()
        if writer.unpublished is not None:
            raise LogFailure(writer.unpublished)
        if key in self._store.book.intents:
            raise LogFailure("this attempt has an open intent already")
        await writer.intend(key, intent)

    async def conclude(self, outcome: Outcome) -> Receipt:
        """Write the attempt's statement. Raises `LogFailure` unless it is durable.

        May be cancelled: the statement is written all the same.
        """
        writer, key = self._writer, key_of(outcome)
        self._require_conclusive(key, outcome)
        pending = Pending(outcome, key)
        failing = writer.fault or writer.unpublished
        if failing is not None and key not in self._store.book.intents:
            # Nothing crossed, so nothing is owed; and what peers can pile up stays bounded.
            raise LogFailure(failing)
        if writer.fault is not None:
            pending.unanswered(LogFailure(writer.fault))
        writer.submit(pending)
        await pending.done.wait()
        if isinstance(pending.result, Receipt):
            return pending.result
        raise pending.result or LogFailure("the notary has stopped")

    def _require_conclusive(self, key: Key, outcome: Outcome) -> None:
        """One statement an attempt, and none that says something crossed without an intent."""
        if self._writer.stopped.is_set():
            raise LogFailure("the notary has stopped")
        if outcome.problem in REPEATS:
            return
        book = self._store.book
        if key in self._writer.closing or (key in book.closed and key not in book.intents):
            raise LogFailure("this attempt has its statement already")
        crossed = outcome.verdict in (Verdict.DELIVERED, Verdict.INDETERMINATE)
        if crossed and key not in book.intents:
            raise LogFailure("this attempt has no open intent")
