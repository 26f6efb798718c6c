"""The log as one process owns it: keys, book, tree, ids, journal and static files. Synchronous.

The steps of a commit are separate, so that the notary can put the slow one into a thread: `begin`
and `draft` (nothing changes), `append`, `sync` (may block), `settle` (now it counts).
"""

import errno
import os
import threading
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from proxy.errors import LogFailure
from proxy.model import Event
from proxy.notary import journal, opening
from proxy.notary.book import Draft
from proxy.notary.bounds import Bounds
from proxy.notary.disk import Disk
from proxy.notary.drafts import Batch, Item, Pending, Scribe
from proxy.notary.ids import Batch as Rows
from proxy.notary.ids import Ids
from proxy.notary.index import Index
from proxy.notary.keys import Keys
from proxy.notary.leaves import Cut, Edition
from proxy.notary.memos import Memos
from proxy.notary.publisher import JOURNAL, Publisher
from proxy.notary.recovery import new_journal
from proxy.notary.reserve import SIZE, Reserve
from proxy.notary.rows import Row
from proxy.notary.steady import Clock, Steady
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.tiles import ENTRIES, load_tile

ROTATE: Final = 64 * 2**20
"""Octets beyond which a journal is long."""
_SCRATCH: Final = ".journal"


class Store:
    def __init__(
        self,
        folder: Path,
        keys: Keys,
        disk: Disk,
        clock: Clock,
        *,
        capacity: int,
        bounds: Bounds | None = None,
        live: Collection[str] = (),
        previous: Keys | None = None,
        rotate: int = ROTATE,
        reserve: int = SIZE,
    ) -> None:
        """Lock, recover, and begin a new journal. Raises as `Notary.open` does."""
        self.folder, self.keys, self.disk = folder, keys, disk
        bounds = Bounds() if bounds is None else bounds
        self.clock = Steady(clock, bounds)
        self._rotate = rotate
        self.reserve = Reserve(disk, folder, reserve)
        self._scribe = Scribe(keys)
        self._rows: list[Row] = []
        self._owing = False
        """True from the beginning of a publication until it has succeeded."""
        self.indexing = threading.Lock()  # held by the thread that has the index
        try:
            opening.make_folder(folder, disk)
            self._lock = opening.lock(folder)
        except OSError as error:
            raise LogFailure(f"{folder}: {error.strerror}") from None
        try:
            self._open(capacity, bounds, live, previous)
        except OSError as error:
            self.release()
            raise LogFailure(f"{folder}: {error.strerror}") from None
        except BaseException:
            self.release()
            raise

    def _open(
        self, capacity: int, bounds: Bounds, live: Collection[str], previous: Keys | None
    ) -> None:
        self.ids = Ids.open(self.folder, capacity=capacity, bounds=bounds)
        checkpoint, recovered = opening.read(
            self.folder, self.keys, lambda stream: self.ids.cold(stream)
        )
        self.leaves, self.book = recovered.leaves, recovered.book
        now = self.clock()
        opening.catch_up(self.ids, recovered, now)
        size = None if checkpoint is None else checkpoint.size
        self.book.published = size or 0
        self.publisher = Publisher(self.disk, self.folder, size)
        self.index = Index.open(self.folder, self.keys.origin, size or 0)
        left = opening.left_behind(self.folder, live, self.find)
        for path, intents in left.items():
            self.ids.keep_undecided(intents, now.timestamp(), holder=path.name)
        self.memos = Memos(recovered.since, recovered.memos)
        for scribe, items in opening.owed(self.book, self.keys, previous, recovered, left):
            batch = Batch(Draft(self.book, now))
            scribe.draft(batch, items, self.leaves.size)
            self._describe(batch)
            self.settle(batch)
        self.book.receipt_key = self.keys.receipt.public_key().public_bytes_raw()
        self.interrupted = sum(map(len, left.values()))
        self.journal = self._new_journal(self.new_journal())
        for path in left:
            self.ids.drop(path.name)
            self.disk.unlink(path)

    def release(self) -> None:
        """Close journal and table, and let another process have the store."""
        for name in ("journal", "ids", "index", "publisher"):
            if hasattr(self, name):
                getattr(self, name).close()
        os.close(self._lock)

    def now(self) -> float:
        """Unix seconds, for what is remembered: no clock that leaps ahead makes it forget."""
        return self.clock.sure()

    # --- a commit, step by step ------------------------------------------------------------------

    def begin(self) -> Batch:
        """An empty batch."""
        return Batch(Draft(self.book, self.clock()))

    def draft(self, batch: Batch, items: Iterable[Pending]) -> None:
        """Add signed statements in the order of `items`. Raises `OSError` where a cold stream
        cannot be looked up: then nothing is as good as written.
        """
        try:
            index = self.leaves.size + len(batch.written)
            self._scribe.draft(batch, items, index, self.ids.require_held)
        except LogFailure as failure:
            raise OSError(errno.EIO, failure.reason) from None

    def append(self, batch: Batch) -> None:
        """Write a batch to the journal. After an `OSError`, `sync` or not, write a new journal."""
        self._describe(batch)
        records: list[journal.Item] = []
        for (_, receipt), memo in zip(batch.written, batch.memos, strict=True):
            if memo is not None:
                records.append(journal.memo(receipt.index, memo))
            records.append((journal.ENTRY, receipt.envelope))
        self.journal.append(records)

    def _describe(self, batch: Batch) -> None:
        """What each statement does to the table of ids."""
        now = batch.draft.completed.timestamp()
        self.ids.begin()
        for pending, _ in batch.written:
            item = pending.item
            batch.memos.append(None if isinstance(item, Event) else self.ids.memo(item, now))

    def settle(self, batch: Batch) -> None:
        """A batch is durable: its statements are leaves now."""
        now = batch.draft.completed.timestamp()
        append, settle = self.leaves.append, self.ids.settle
        for (pending, receipt), memo in zip(batch.written, batch.memos, strict=True):
            append(receipt.envelope)
            item = pending.item
            if not isinstance(item, Event) and item.claim is not None:
                settle(item.attempt_id, receipt.index, memo, now)
                if memo is not None:
                    self.memos.add(receipt.index, memo)
        self._rows += batch.rows
        self.book.take(batch.draft)

    def give_up(self, item: Item) -> None:
        """This will never be a statement: what it holds is free."""
        if not isinstance(item, Event):
            self.ids.release(item.attempt_id)

    # --- a new journal ---------------------------------------------------------------------------

    @property
    def journal_is_long(self) -> bool:
        return self.journal.length > max(self._rotate, 4 * self.journal.initial)

    def all_ids(self) -> Rows | None:
        """Everything that the table of ids has to learn before the journal may forget it."""
        found = self.ids.batch(self.leaves.size, self.now(), all_of_it=True)
        return None if found is None else replace(found, streams=self.book.streams.surplus())

    def secure_ids(self, rows: Rows | None) -> None:
        """Make the journal and then the table durable. Blocks on the disk.

        Raises `OSError` (the journal is spoilt) and `LogFailure` (the table is not written).
        """
        self.journal.sync()
        if rows is not None:
            self.ids.flush(rows, durable=True)

    def ids_secured(self, rows: Rows | None) -> None:
        """`secure_ids` has returned: the journal may forget."""
        if rows is not None:
            self.ids.flushed(rows)
            self.memos.forget(rows.size)
            self.book.streams.chill(rows.streams)

    def new_journal(self) -> list[journal.Item]:
        """What a new journal has to hold now."""
        return new_journal(self.leaves, self.book, self.memos)

    def replace_journal(self, items: list[journal.Item]) -> None:
        """Go on in a new journal. Blocks on the disk. Raises `OSError`; may then be tried again."""
        new = self._new_journal(items)
        self.journal.close()
        self.journal = new

    def _new_journal(self, items: list[journal.Item]) -> journal.Journal:
        return journal.Journal(self.disk, self.folder / JOURNAL, self.folder / _SCRATCH, items)

    # --- publication -----------------------------------------------------------------------------

    def unpublished(self) -> tuple[Cut, Rows | None, list[Row]] | None:
        """What to publish; None when nothing is new."""
        if self.publisher.size == self.leaves.size and not self._owing:
            return None
        self._owing = True
        ids = self.ids.batch(self.leaves.size, self.now())
        rows, self._rows = self._rows, []
        return self.leaves.cut(), ids, rows

    def publish(self, cut: Cut, ids: Rows | None, rows: list[Row]) -> Edition:
        """Write tiles, checkpoint, ids and index. Blocks on the disk.

        Raises `OSError` and `LogFailure`. What the index misses it takes from the log.
        """
        edition = cut.edition(self.publisher.partials)
        time = max(1, int(self.clock.wall().timestamp()))
        checkpoint = self.keys.checkpoint(edition.size, edition.root, time)
        self.publisher.publish(edition, checkpoint)
        if ids is not None:
            self.ids.flush(ids)
        with self.indexing:
            self.index.advance(rows, self.load, edition.size)
        return edition

    def published(self, edition: Edition, ids: Rows | None) -> None:
        """`publish` has returned: what is in the tiles may be forgotten."""
        self._owing = False
        self.leaves.settle(edition)
        self.book.published = edition.size
        if ids is not None:
            self.ids.flushed(ids)

    # --- reading back ----------------------------------------------------------------------------

    def entry(self, index: int) -> bytes | None:
        """A leaf from the tiles; None where there is none. Raises `EvidenceError`, `OSError`."""
        if not 0 <= index < self.leaves.base:
            return None
        return self._bundle(index // TILE_WIDTH)[index % TILE_WIDTH]

    def find(self, attempt_ids: Collection[bytes], since: int) -> dict[bytes, int]:
        """Which of these attempts have a statement, and where. Blocks on the disk: for a thread.

        `since`: no entry before this one is about them. Raises `LogFailure`, `EvidenceError`,
        `OSError`.
        """
        recent = self.book.attempts
        found = {at: index for at in attempt_ids if (index := recent.get(at)) is not None}
        rest = [wanted for wanted in attempt_ids if wanted not in found]
        if rest and self.leaves.base:
            with self.indexing:
                size = self.publisher.size or 0
                found |= self.index.attempts(rest, since, self.load, size)
        return found

    def load(self, path: str) -> bytes | None:
        """A file of the log; None where there is none. Raises `OSError`."""
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            return None

    def _bundle(self, position: int) -> list[bytes]:
        return load_tile(self.load, ENTRIES, position, TILE_WIDTH)[1]
