"""The one task that writes the log: commits in groups, publishes, and mends what the disk broke.

Rules
- One batch is one append and one fdatasync; whoever comes meanwhile is in the next one. Only the
  commit loop writes entries, so a batch is drafted on the book as the disk has it, and book, tree
  and readers learn of it when it is durable, not before.
- What is queued is written even if nobody waits for it any more.
- After a failed append or sync nobody knows what is on disk, so nothing is called durable: the
  waiters get `LogFailure`, the items stay queued (conclusions with `status` null, for the sender
  got no answer of ours, and `log-unavailable`), and a whole new journal is written from memory
  until that works. What the failed batch left in the old file vanishes with it: nothing doubles. If
  the process dies first, recovery takes what reads, and closes the rest as `indeterminate`.
- A full disk is no such failure yet: the reserve is given up, the new journal and what is queued
  go where it was, and nothing new is forwarded until there is a reserve again.
- Appends run on the event loop, publications and new journals in a thread; a batch is synced by the
  kernel alone, see `syncs.py`. Nobody else touches the journal while the commit loop waits for it.
- With `durability: write` the sync comes before a publication instead of with every batch: a crash
  of the machine may lose the receipts since the last checkpoint, but never what one covers.
"""

import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from itertools import islice
from typing import Final

import trio

from proxy.errors import EvidenceError, LogFailure
from proxy.model import named_trouble
from proxy.notary.drafts import Batch, Pending
from proxy.notary.health import Health, trouble_with
from proxy.notary.indexing import keep_level
from proxy.notary.rest import News, beat
from proxy.notary.store import Store
from proxy.notary.syncs import Syncs

_BATCH: Final = 256
_SLICE: Final = 128  # statements drafted before others get their turn: a long one, then
_RETRY: Final = 0.05
_RETRY_MOST: Final = 1.0

OnCommit = Callable[[int, float], None]
"""(statements in the batch, seconds of append and fdatasync)."""


class Writer:
    def __init__(
        self, store: Store, checkpoint_every: float, on_commit: OnCommit, *, sync_batches: bool
    ) -> None:
        self.store = store
        self.waiting: dict[bytes, Pending] = {}
        """Attempt id -> what is queued about it."""
        self.health = Health()
        self.on_published: Callable[[bytes], None] = lambda checkpoint: None
        self.stop = trio.Event()
        self.stopped = trio.Event()
        self._at_work = False
        self._next_try = 0.0
        self._every = checkpoint_every
        self._on_commit = on_commit
        self._sync_batches = sync_batches
        self._queue: deque[Pending] = deque()
        self._work = trio.Event()
        self._grown, self._published = News(), News()
        self._publishing = trio.Lock()
        self._syncs = Syncs(store.disk)

    @property
    def queued(self) -> int:
        return len(self._queue)

    def submit(self, pending: Pending) -> None:
        """Queue an item; its waiters are told when it has a result."""
        attempt_id = pending.attempt_id
        if attempt_id is not None:
            self.waiting[attempt_id] = pending
        self._queue.append(pending)
        self._work.set()

    # --- the task --------------------------------------------------------------------------------

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        self._at_work = True
        await self._hold_reserve()
        self.health.running(True)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._publish_loop)
                nursery.start_soon(keep_level, self.store, self._published)
                task_status.started()
                await self._commit_loop()
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await self._finish()

    async def close(self) -> None:
        self.health.running(False)
        self.stop.set()
        self._work.set()
        if not self._at_work:
            await self._finish()
        await self.stopped.wait()

    async def _finish(self) -> None:
        """The last batches, the last checkpoint; whoever still waits then is told."""
        if self.stopped.is_set():
            return
        self.health.running(False)
        self.stop.set()
        while (self._queue or self.health.journal is not None) and await self._step():
            pass
        await self.publish()
        self.stopped.set()
        self._syncs.close()
        self.store.release()
        for pending in self._queue:
            pending.tell(LogFailure("the notary has stopped"))

    async def _commit_loop(self) -> None:
        pause, health = _RETRY, self.health
        while self._queue or health.journal is not None or not self.stop.is_set():
            if not self._queue and health.journal is None:
                await self._idle()
            elif await self._step():
                pause = _RETRY
            elif self.stop.is_set():
                return
            else:
                with trio.move_on_after(pause):
                    await self.stop.wait()
                pause = min(2 * pause, _RETRY_MOST)

    async def _idle(self) -> None:
        """Wait for work; meanwhile try the table of ids or the reserve again, where it failed."""
        with trio.move_on_after(_RETRY_MOST) if self.health.impaired else nullcontext():
            await self._work.wait()
        self._work = trio.Event()
        if not self.store.reserve.held:
            await self._hold_reserve()
        if self.health.ids is not None:
            await self._step()

    async def _hold_reserve(self) -> None:
        """Keep space for what is going to be under way; nothing is while there is none."""
        try:
            await trio.to_thread.run_sync(self.store.reserve.hold)
        except OSError as error:
            self.health.reserve_is(trouble_with("there is no disk space in reserve", error))
        else:
            self.health.reserve_is(None)

    async def _step(self) -> bool:
        """Commit all that is queued, in a sound journal. False when the disk fails."""
        with trio.CancelScope(shield=True):
            more = True
            while more:
                if self.health.journal is not None or self.store.journal_is_long:
                    await self._new_journal()
                if self.health.journal is None and self._queue:
                    await self._commit(list(islice(self._queue, _BATCH)))
                more = self.health.journal is None and bool(self._queue)
        return self.health.journal is None

    async def _new_journal(self) -> None:
        try:
            if self.health.journal is None and not await self._ids_secured():
                return
            await trio.to_thread.run_sync(self.store.replace_journal, self.store.new_journal())
        except OSError as error:
            failure = self._spoilt(error)
            for pending in self._queue:
                pending.unanswered(failure)
        else:
            self.health.journal_is(None)

    async def _ids_secured(self) -> bool:
        """Whether the journal may forget its memos now. A failing table shows in `health`."""
        if self._publishing.locked() or trio.current_time() < self._next_try:
            return False
        async with self._publishing:
            rows = self.store.all_ids()
            try:
                await trio.to_thread.run_sync(self.store.secure_ids, rows)
            except (LogFailure, EvidenceError) as error:
                self.health.ids_are(trouble_with("the table of ids cannot be written", error))
                self._next_try = trio.current_time() + _RETRY_MOST
                return False
            self.health.ids_are(None)
            self.store.ids_secured(rows)
            return True

    async def _commit(self, items: list[Pending]) -> None:
        try:
            batch = await self._draft(items)
            started = time.perf_counter()
            self.store.append(batch)
            if self._sync_batches:
                await self._syncs.sync(self.store.journal)
        except OSError as error:
            failure = self._spoilt(error)
            if self.store.reserve.spend(error):  # there is room for these, and for no others
                self.health.reserve_is(named_trouble("disk-full"))
                return
            for pending in items:
                pending.unanswered(failure)
            return
        self.store.settle(batch)
        self._grown.tell()
        self._on_commit(len(batch.written), time.perf_counter() - started)
        for pending in items:
            self._queue.popleft()
            if pending.attempt_id is not None:
                del self.waiting[pending.attempt_id]
        for pending, failed in batch.failed:
            self.store.give_up(pending.item)
            pending.tell(failed)
        for pending, receipt in batch.written:
            pending.tell(receipt)

    async def _draft(self, items: list[Pending]) -> Batch:
        batch = self.store.begin()
        for start in range(0, len(items), _SLICE):
            if start:
                await trio.lowlevel.cancel_shielded_checkpoint()
            self.store.draft(batch, items[start : start + _SLICE])
        return batch

    def _spoilt(self, error: OSError) -> LogFailure:
        """Nothing is appended to this journal any more."""
        trouble = trouble_with("the journal cannot be written", error)
        self.health.journal_is(trouble)
        self._work.set()
        return LogFailure(trouble.text)

    # --- publication -----------------------------------------------------------------------------

    async def _publish_loop(self) -> None:
        while True:
            await self.publish()
            while self.store.publisher.size == self.store.leaves.size and not self.health.failing:
                await self._grown.wait()
            await beat(min(self._every, _RETRY_MOST) if self.health.failing else self._every)

    async def publish(self) -> None:
        """Write tiles and checkpoint, if there is anything new. Failure shows in `health`."""
        with trio.CancelScope(shield=True):
            async with self._publishing:
                found = self.store.unpublished()
                if found is None or not await self._settled():
                    return
                try:
                    edition = await trio.to_thread.run_sync(self.store.publish, *found)
                except (OSError, LogFailure, EvidenceError) as error:
                    self.health.publication_is(trouble_with("the log cannot be published", error))
                    return
                self.health.publication_is(None)
                self.on_published(self.store.publisher.checkpoint)
                self.store.published(edition, found[1])
                self._published.tell()

    async def cosign(self, checkpoint: bytes, *, met: bool) -> None:
        """Keep what witnesses cosigned, see `Publisher.cosign`. Raises `OSError`."""
        async with self._publishing:
            if not self.stopped.is_set():
                cosign = self.store.publisher.cosign
                await trio.to_thread.run_sync(lambda: cosign(checkpoint, met=met))

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
