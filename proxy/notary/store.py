"""The log as one process owns it: keys, book, tree, journal and static files. Synchronous.

The steps of a commit are separate, so that the notary can put the slow one into a thread:
`draft` (nothing changes), `append`, `sync` (may block), `settle` (now it counts).
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from proxy.errors import EvidenceError, LogFailure
from proxy.model import Intent, Outcome
from proxy.notary import journal, recovery
from proxy.notary.book import Book, Key, encode_intent, key_of
from proxy.notary.disk import Disk
from proxy.notary.keys import Keys
from proxy.notary.leaves import Edition
from proxy.notary.publisher import JOURNAL, Publisher
from proxy.receipt import dsse, reading, statement
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.reading import Summary
from proxy.receipt.statement import Place
from proxy.receipt.tiles import ENTRIES, MAX_ENTRY, load_tile

_ROTATE: Final = 16 * 2**20
_SLACK: Final = timedelta(seconds=60)
_SCRATCH: Final = ".journal"
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Draft:
    """A signed statement that is not in the log yet."""

    outcome: Outcome
    place: Place
    envelope: bytes
    digest: bytes


class Store:
    def __init__(
        self, folder: Path, keys: Keys, disk: Disk, clock: Clock, *, rotate: int = _ROTATE
    ) -> None:
        """Lock, recover, and begin a new journal. Raises `EvidenceError` and `LogFailure`."""
        self.folder, self.keys, self.disk, self.clock = folder, keys, disk, clock
        self._rotate = rotate
        self._sign = keys.envelope()
        try:
            disk.make_folders(folder)
            self._lock = _lock(folder)
        except OSError as error:
            raise LogFailure(f"{folder}: {error.strerror}") from None
        try:
            self._recover()
        except OSError as error:
            self.release()
            raise LogFailure(f"{folder}: {error.strerror}") from None
        except BaseException:
            self.release()
            raise

    def _recover(self) -> None:
        checkpoint = recovery.read_checkpoint(self.folder, self.keys)
        self.leaves, self.book = recovery.recover(self.folder, checkpoint)
        self.interrupted = recovery.close_interrupted(
            self.leaves, self.book, self.keys, self.clock()
        )
        size = None if checkpoint is None else checkpoint.size
        self.publisher = Publisher(self.disk, self.folder, size)
        self.journal = self._new_journal(self.new_journal())

    def release(self) -> None:
        """Close the journal and let another process have the store."""
        if hasattr(self, "journal"):
            self.journal.close()
        os.close(self._lock)

    # --- a commit, step by step ------------------------------------------------------------------

    def draft(self, outcomes: Iterable[Outcome]) -> Iterator[Draft | LogFailure]:
        """Signed statements in the order of `outcomes`; a failure where one cannot be made."""
        book, index = self.book.fork(), self.leaves.size
        for outcome in outcomes:
            try:
                draft = self._draft(outcome, book)
            except EvidenceError as error:
                yield LogFailure(str(error))
                continue
            book.record(draft.place, outcome.transfer_id, outcome.verdict, index, draft.digest)
            index += 1
            yield draft

    def _draft(self, outcome: Outcome, book: Book) -> Draft:
        stream = key_of(outcome)[0]
        replayed = outcome.problem == "replayed"
        place = book.place(stream, outcome.transfer_id, replayed=replayed)
        envelope = self._sign(
            statement.build(
                outcome,
                attempt=place.attempt,
                sequence=place.number,
                previous=place.previous,
                stream=stream,
                origin=self.keys.origin,
                duplicate_of=place.duplicate_of,
            )
        )
        if len(envelope) > MAX_ENTRY:
            raise EvidenceError(f"an envelope is larger than {MAX_ENTRY} octets")
        return Draft(outcome, place, envelope, hashlib.sha256(envelope).digest())

    def append(self, drafts: Iterable[Draft]) -> None:
        """Write a batch to the journal. After an `OSError`, `sync` or not, write a new journal."""
        self.journal.append([(journal.ENTRY, draft.envelope) for draft in drafts])

    def settle(self, draft: Draft) -> int:
        """A draft is durable: it is now a leaf. Returns its index."""
        outcome = draft.outcome
        index = self.leaves.append(draft.envelope)
        self.book.record(draft.place, outcome.transfer_id, outcome.verdict, index, draft.digest)
        self.book.close(key_of(outcome))
        return index

    def intend(self, key: Key, intent: Intent) -> None:
        """Journal an intent. After an `OSError`, write a new journal."""
        self.journal.append([(journal.INTENT, encode_intent(intent))])
        self.book.intents[key] = intent

    # --- a new journal ---------------------------------------------------------------------------

    @property
    def journal_is_long(self) -> bool:
        return self.journal.length > max(self._rotate, 4 * self.journal.initial)

    def new_journal(self) -> list[journal.Item]:
        """What a new journal has to hold now."""
        return recovery.new_journal(self.leaves, self.book)

    def replace_journal(self, items: list[journal.Item]) -> None:
        """Go on in a new journal. Blocks on the disk. Raises `OSError`; may then be tried again."""
        new = self._new_journal(items)
        self.journal.close()
        self.journal = new

    def _new_journal(self, items: list[journal.Item]) -> journal.Journal:
        return journal.Journal(self.disk, self.folder / JOURNAL, self.folder / _SCRATCH, items)

    # --- publication -----------------------------------------------------------------------------

    def edition(self) -> tuple[Edition, bytes] | None:
        """The files and the checkpoint to publish; None when nothing is new."""
        if self.publisher.size == self.leaves.size:
            return None
        edition = self.leaves.edition(self.publisher.partials)
        time = max(1, int(self.clock().timestamp()))
        return edition, self.keys.checkpoint(edition.size, edition.root, time)

    # --- reading back ----------------------------------------------------------------------------

    def entry(self, index: int) -> bytes | None:
        """The octets of a leaf; None where there is none. Raises `EvidenceError`, `OSError`."""
        if index >= self.leaves.base or index < 0:
            return self.leaves.entry(index) if index >= 0 else None
        return self._bundle(index // TILE_WIDTH)[index % TILE_WIDTH]

    def _bundle(self, position: int) -> list[bytes]:
        def load(path: str) -> bytes | None:
            try:
                return (self.folder / path).read_bytes()
            except FileNotFoundError:
                return None

        return load_tile(load, ENTRIES, position, TILE_WIDTH)[1]

    def recent(self, seconds: float) -> Iterator[Summary]:
        """Statements completed within the last `seconds`, newest first.

        Entries lie in the order in which they were committed, which is that of completion but for
        the moments between; it reads on for a minute of log time beyond the window.
        """
        since = self.clock() - timedelta(seconds=seconds)
        for entry in self._backwards():
            summary = reading.summarise(dsse.parse(entry).payload)
            if summary.completed >= since:
                yield summary
            elif summary.completed < since - _SLACK:
                return

    def _backwards(self) -> Iterator[bytes]:
        yield from reversed(self.leaves.tail)
        for position in reversed(range(self.leaves.base // TILE_WIDTH)):
            yield from reversed(self._bundle(position))


def _lock(folder: Path) -> int:
    """An exclusive lock on the folder itself, held for as long as it is open."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise LogFailure(f"{folder} is in use by another process") from None
    return fd
