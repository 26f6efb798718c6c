"""The one task that writes the log: commits in groups, publishes, and mends what the disk broke.

Rules
- One batch is one append and one fdatasync; whoever comes meanwhile is in the next one. Only the
  commit loop writes entries, so a batch is drafted on the book as the disk has it, and book, tree
  and readers learn of it when it is durable, not before.
- A queued outcome is written even if nobody waits for it any more.
- After a failed append or sync nobody knows what is on disk, so nothing is called durable: the
  waiters get `LogFailure`, the outcomes stay queued (with `status` null, for the sender got no
  answer of ours, and `log-unavailable`), and a whole new journal is written from memory until that
  works. What the failed batch left in the old file vanishes with it: nothing doubles. If the
  process dies first, recovery takes what reads, and closes the rest as `indeterminate`.
- Appends run on the event loop, so that they keep their order without a lock; syncs, publications
  and new journals run in a thread. A new journal shuts intents out while it takes over.
- With `durability: write` the sync comes before a publication instead of with every batch: a crash
  of the machine may lose the receipts since the last checkpoint, but never what one covers.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

import trio

from proxy.errors import LogFailure
from proxy.model import Intent, Outcome, Receipt
from proxy.notary.book import Key
from proxy.notary.store import Draft, Store

_BATCH: Final = 64
_RETRY: Final = 0.05
_RETRY_MOST: Final = 1.0

OnCommit = Callable[[int, float], None]
"""(statements in the batch, seconds of append and fdatasync)."""


@dataclass(slots=True, eq=False)
class Pending:
    """An outcome on its way into the log, and whoever waits for it."""

    outcome: Outcome
    key: Key
    done: trio.Event = field(default_factory=trio.Event)
    result: Receipt | LogFailure | None = None

    def tell(self, result: Receipt | LogFailure) -> None:
        """The first result is the one that counts."""
        if self.result is None:
            self.result = result
            self.done.set()

    def unanswered(self, failure: LogFailure) -> None:
        """The waiter fails, the outcome stays: it will say that no answer of ours was sent."""
        problem = self.outcome.problem or failure.code
        self.outcome = replace(self.outcome, status=None, problem=problem)
        self.tell(failure)


class Writer:
    def __init__(
        self, store: Store, checkpoint_every: float, on_commit: OnCommit, *, sync_batches: bool
    ) -> None:
        self.store = store
        self.closing: set[Key] = set()
        """Attempts whose outcome is queued."""
        self.fault: str | None = None
        """Why the journal is spoilt; None while it is not."""
        self.unpublished: str | None = None
        """Why the last publication failed; None when it did not."""
        self.running = False
        self.stop = trio.Event()
        self.stopped = trio.Event()
        self._every = checkpoint_every
        self._on_commit = on_commit
        self._sync_batches = sync_batches
        self._queue: deque[Pending] = deque()
        self._work = trio.Event()
        self._taking_over = trio.Lock()
        self._publishing = trio.Lock()

    async def intend(self, key: Key, intent: Intent) -> None:
        """Journal an intent. Raises `LogFailure`."""
        async with self._taking_over:
            self.require_usable()
            try:
                self.store.intend(key, intent)
            except OSError as error:
                raise self._spoilt(error) from None

    def submit(self, pending: Pending) -> None:
        """Queue an outcome; `pending.done` tells when it has a result."""
        self.closing.add(pending.key)
        self._queue.append(pending)
        self._work.set()

    def require_usable(self) -> None:
        """Raises `LogFailure` while the journal cannot be appended to. Fails closed."""
        if self.stopped.is_set():
            raise LogFailure("the notary has stopped")
        if self.fault is not None:
            raise LogFailure(self.fault)

    # --- the task --------------------------------------------------------------------------------

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        self.running = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._publish_loop)
                task_status.started()
                await self._commit_loop()
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await self._finish()

    async def close(self) -> None:
        self.stop.set()
        self._work.set()
        if not self.running:
            await self._finish()
        await self.stopped.wait()

    async def _finish(self) -> None:
        """The last batches, the last checkpoint; whoever still waits then is told."""
        if self.stopped.is_set():
            return
        self.stop.set()
        while (self._queue or self.fault is not None) and await self._step():
            pass
        await self.publish()
        self.running = False
        self.stopped.set()
        self.store.release()
        for pending in self._queue:
            pending.tell(LogFailure("the notary has stopped"))

    async def _commit_loop(self) -> None:
        pause = _RETRY
        while self._queue or self.fault is not None or not self.stop.is_set():
            if not self._queue and self.fault is None:
                await self._work.wait()
                self._work = trio.Event()
            elif await self._step():
                pause = _RETRY
            elif self.stop.is_set():
                return
            else:
                with trio.move_on_after(pause):
                    await self.stop.wait()
                pause = min(2 * pause, _RETRY_MOST)

    async def _step(self) -> bool:
        """Mend the journal if it is spoilt or long, commit a batch. False when the disk fails."""
        with trio.CancelScope(shield=True):
            if self.fault is not None or self.store.journal_is_long:
                await self._new_journal()
            if self.fault is None and self._queue:
                await self._commit(list(islice(self._queue, _BATCH)))
        return self.fault is None

    async def _new_journal(self) -> None:
        async with self._taking_over:
            items = self.store.new_journal()
            try:
                await trio.to_thread.run_sync(self.store.replace_journal, items)
            except OSError as error:
                self._spoilt(error)
            else:
                self.fault = None

    async def _commit(self, batch: list[Pending]) -> None:
        drafts: list[tuple[Pending, Draft]] = []
        outcomes = [pending.outcome for pending in batch]
        for pending, draft in zip(batch, self.store.draft(outcomes), strict=True):
            if isinstance(draft, LogFailure):
                pending.tell(draft)
            else:
                drafts.append((pending, draft))
        started = time.perf_counter()
        try:
            self.store.append(draft for _, draft in drafts)
            if self._sync_batches:
                await trio.to_thread.run_sync(self.store.journal.sync)
        except OSError as error:
            failure = self._spoilt(error)
            for pending, _ in drafts:
                pending.unanswered(failure)
            return
        for pending, draft in drafts:
            pending.tell(Receipt(self.store.settle(draft), draft.envelope))
        for pending in batch:
            self._queue.popleft()
            self.closing.discard(pending.key)
        self._on_commit(len(drafts), time.perf_counter() - started)

    def _spoilt(self, error: OSError) -> LogFailure:
        """Nothing is appended to this journal any more."""
        self.fault = f"the journal cannot be written: {error.strerror}"
        self._work.set()
        return LogFailure(self.fault)

    # --- publication -----------------------------------------------------------------------------

    async def _publish_loop(self) -> None:
        while True:
            await self.publish()
            failed = self.unpublished is not None
            await trio.sleep(min(self._every, _RETRY_MOST) if failed else self._every)

    async def publish(self) -> None:
        """Write tiles and checkpoint, if there is anything new; `unpublished` tells of failure."""
        with trio.CancelScope(shield=True):
            async with self._publishing:
                found = self.store.edition()
                if found is None or not await self._settled():
                    return
                try:
                    await trio.to_thread.run_sync(self.store.publisher.publish, *found)
                except OSError as error:
                    self.unpublished = f"the log cannot be published: {error.strerror}"
                    return
                self.unpublished = None
                self.store.leaves.settle(found[0])

    async def _settled(self) -> bool:
        """Whether every entry of the tree is durable, or has been made so just now."""
        if self._sync_batches:
            return True
        try:
            await trio.to_thread.run_sync(self.store.journal.sync)
        except OSError as error:
            self._spoilt(error)
            return False
        return True
