"""From what a store holds to a notary that can go on: after a clean stop, or after a crash.

1. The checkpoint, where there is one, must be ours: our origin, signed by our log key.
2. The journal must read but for a torn tail. Its entries are folded into the tree and the book, and
   where the tree has the checkpoint's size it must have its root. A store that contradicts its own
   checkpoint, or has lost its journal, is refused: what we would sign next could not be consistent.
3. The receipt key must be the log's last, or be handed on to by it: then a `key` event says so.
4. Intents of workers that are no more, and that have no statement, become `indeterminate` entries:
   only the intent is known of them. What ids were held or used up is taken from the memos.
5. All of it becomes a new journal in one rename. A crash before that repeats the recovery, after
   that finds it done. Only then do the intent files go.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from proxy.errors import EvidenceError
from proxy.notary import journal
from proxy.notary.book import Book, Snapshot, decode_snapshot, encode_snapshot
from proxy.notary.keys import Keys
from proxy.notary.leaves import Leaves
from proxy.notary.memos import Memo, Memos
from proxy.notary.publisher import CHECKPOINT, JOURNAL
from proxy.notary.streams import Find
from proxy.receipt import dsse, note, reading


@dataclass(frozen=True, slots=True)
class Recovered:
    """The log as the journal and the checkpoint tell it."""

    leaves: Leaves
    book: Book
    since: int = 0
    memos: tuple[Memo, ...] = ()
    """What the table of ids may not know of the entries from `since` on, in order."""
    truncated: int = 0
    """Octets of a torn tail."""


def read_checkpoint(store: Path, keys: Keys) -> note.Checkpoint | None:
    """The published checkpoint; None in a new store. Raises `EvidenceError` and `OSError`."""
    try:
        data = (store / CHECKPOINT).read_bytes()
    except FileNotFoundError:
        return None
    try:
        checkpoint = note.require_signed(data, keys.vkeys()[:1])
    except EvidenceError as error:
        raise EvidenceError(f"{store / CHECKPOINT} is not by our log key: {error}") from None
    if checkpoint.origin != keys.origin:
        raise EvidenceError(f"{store / CHECKPOINT} is of the log {checkpoint.origin}")
    return checkpoint


def recover(store: Path, checkpoint: note.Checkpoint | None, cold: Find | None = None) -> Recovered:
    """Read the journal and hold it against the checkpoint.

    `cold` finds the streams that the journal has not. Raises `EvidenceError`, `LogFailure` and
    `OSError`.
    """
    path = store / JOURNAL
    try:
        found, length = journal.read_file(path), path.stat().st_size
    except FileNotFoundError:
        if (checkpoint is not None and checkpoint.size) or (store / "tile").exists():
            raise EvidenceError(f"{path} is missing, but the store holds a log") from None
        book = Book()
        book.streams.cold = cold or book.streams.cold
        return Recovered(Leaves(0, []), book)
    journal.require_intact(found, path)
    try:
        snapshot = decode_snapshot(found.items[0][1])
        snapshot.book.streams.cold = cold or snapshot.book.streams.cold
        return _replay(snapshot, found, checkpoint, length - found.length)
    except EvidenceError as error:
        raise EvidenceError(f"{path}: {error}") from None


def _replay(
    snapshot: Snapshot, found: journal.Scan, checkpoint: note.Checkpoint | None, truncated: int
) -> Recovered:
    leaves, book = Leaves(snapshot.base, snapshot.edge), snapshot.book
    if snapshot.base and (checkpoint is None or checkpoint.size < snapshot.base):
        raise EvidenceError("the checkpoint is missing or older than the journal's beginning")
    size = 0 if checkpoint is None else checkpoint.size
    memos: list[Memo] = []
    _settle_at(checkpoint, leaves)
    for kind, body in found.items[1:]:
        if kind == journal.MEMO:
            memos.append(journal.memo_of(body))
            continue
        _replay_entry(body, leaves, snapshot)
        _settle_at(checkpoint, leaves)
    if leaves.size < max(size, snapshot.size):
        raise EvidenceError(f"holds {leaves.size} entries, the checkpoint {size}")
    whole = tuple(memo for memo in memos if memo[0] < leaves.size)
    return Recovered(leaves, book, snapshot.since, whole, truncated)


def _replay_entry(entry: bytes, leaves: Leaves, snapshot: Snapshot) -> None:
    index = leaves.append(entry)
    summary = reading.summarise(dsse.parse(entry).payload)
    if index >= snapshot.size:
        snapshot.book.replay(summary, index, hashlib.sha256(entry).digest())
    elif summary.attempt_id is not None:
        snapshot.book.attempts[summary.attempt_id] = index


def _settle_at(checkpoint: note.Checkpoint | None, leaves: Leaves) -> None:
    """Where the tree has the checkpoint's size, demand its root, and hold that much for written."""
    if checkpoint is None or leaves.size != checkpoint.size:
        return
    edition = leaves.cut().edition(frozenset())
    if edition.root != checkpoint.root:
        raise EvidenceError(f"the first {leaves.size} entries do not have the checkpoint's root")
    leaves.settle(edition)


def new_journal(leaves: Leaves, book: Book, memos: Memos) -> list[journal.Item]:
    """The records that a new journal begins with: all that is not in the tiles and the table."""
    snapshot = Snapshot(leaves.base, leaves.edge, leaves.size, memos.since, book)
    return [
        (journal.SNAPSHOT, encode_snapshot(snapshot)),
        *(journal.memo(*memo) for memo in memos),
        *((journal.ENTRY, entry) for entry in leaves.tail),
    ]
