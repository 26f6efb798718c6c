"""From what a store holds to a notary that can go on: after a clean stop, or after a crash.

1. The checkpoint, where there is one, must be ours: our origin, signed by our log key.
2. The journal must read but for a torn tail. Its entries are folded into the tree and the book, and
   where the tree has the checkpoint's size it must have its root. A store that contradicts its own
   checkpoint, or has lost its journal, is refused: what we would sign next could not be consistent.
3. Intents without an outcome become `indeterminate` entries: only the intent is known of them.
4. All of it becomes a new journal in one rename. A crash before that repeats the recovery, after
   that finds it done.
"""

import hashlib
from datetime import datetime
from pathlib import Path

from proxy.errors import EvidenceError
from proxy.model import Verdict
from proxy.notary import journal
from proxy.notary.book import (
    Book,
    Snapshot,
    decode_intent,
    decode_snapshot,
    encode_snapshot,
    key_of,
)
from proxy.notary.keys import Keys
from proxy.notary.leaves import Leaves
from proxy.notary.publisher import CHECKPOINT, JOURNAL
from proxy.receipt import dsse, note, reading, statement


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


def recover(store: Path, checkpoint: note.Checkpoint | None) -> tuple[Leaves, Book]:
    """The log as the journal and the checkpoint tell it. Raises `EvidenceError` and `OSError`."""
    path = store / JOURNAL
    try:
        found = journal.read_file(path)
    except FileNotFoundError:
        if (checkpoint is not None and checkpoint.size) or (store / "tile").exists():
            raise EvidenceError(f"{path} is missing, but the store holds a log") from None
        return Leaves(0, []), Book()
    journal.require_intact(found, path)
    try:
        return _replay(found, checkpoint)
    except EvidenceError as error:
        raise EvidenceError(f"{path}: {error}") from None


def _replay(found: journal.Scan, checkpoint: note.Checkpoint | None) -> tuple[Leaves, Book]:
    snapshot = decode_snapshot(found.items[0][1])
    leaves, book = Leaves(snapshot.base, snapshot.edge), snapshot.book
    if snapshot.base and (checkpoint is None or checkpoint.size < snapshot.base):
        raise EvidenceError("the checkpoint is missing or older than the journal's beginning")
    size = 0 if checkpoint is None else checkpoint.size
    _settle_at(checkpoint, leaves)
    for kind, body in found.items[1:]:
        if kind == journal.INTENT:
            intent = decode_intent(body)
            book.intents[key_of(intent)] = intent
            continue
        index = leaves.append(body)
        if index >= snapshot.size:
            summary = reading.summarise(dsse.parse(body).payload)
            book.replay(summary, index, hashlib.sha256(body).digest())
        _settle_at(checkpoint, leaves)
    if leaves.size < max(size, snapshot.size):
        raise EvidenceError(f"holds {leaves.size} entries, the checkpoint {size}")
    return leaves, book


def _settle_at(checkpoint: note.Checkpoint | None, leaves: Leaves) -> None:
    """Where the tree has the checkpoint's size, demand its root, and hold that much for written."""
    if checkpoint is None or leaves.size != checkpoint.size:
        return
    edition = leaves.edition(frozenset())
    if edition.root != checkpoint.root:
        raise EvidenceError(f"the first {leaves.size} entries do not have the checkpoint's root")
    leaves.settle(edition)


def close_interrupted(leaves: Leaves, book: Book, keys: Keys, now: datetime) -> int:
    """Give every open intent its `indeterminate` entry. Returns how many there were."""
    sign = keys.envelope()
    interrupted = list(book.intents.items())
    for key, intent in interrupted:
        place = book.place(key[0], intent.transfer_id)
        envelope = sign(
            statement.build_interrupted(
                intent,
                attempt=place.attempt,
                sequence=place.number,
                previous=place.previous,
                stream=place.stream,
                origin=keys.origin,
                completed=now,
            )
        )
        index = leaves.append(envelope)
        digest = hashlib.sha256(envelope).digest()
        book.record(place, intent.transfer_id, Verdict.INDETERMINATE, index, digest)
        book.close(key)
    return len(interrupted)


def new_journal(leaves: Leaves, book: Book) -> list[journal.Item]:
    """The records that a new journal begins with: all that is not in the tiles."""
    snapshot = encode_snapshot(Snapshot(leaves.base, leaves.edge, leaves.size, book))
    return [(journal.SNAPSHOT, snapshot), *((journal.ENTRY, entry) for entry in leaves.tail)]
