"""What waits to be written, and how a batch of it becomes signed statements.

Drafting changes nothing: a batch stands on a draft of the book and counts when it is durable. All
statements of a batch say that they were completed at the same time, which is never before that of
an earlier one.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Final

from proxy.errors import EvidenceError, LogFailure
from proxy.model import Event, Intent, Receipt, Submission, Verdict
from proxy.notary.book import Draft
from proxy.notary.keys import Keys
from proxy.notary.link import OnDone
from proxy.notary.rows import Row, milliseconds
from proxy.receipt import statement
from proxy.receipt.tiles import MAX_ENTRY

Item = Submission | Intent | Event
"""A conclusion; an attempt that was cut short; something that happened to the gateway."""

_STREAMS: Final = 4096
_LONG: Final = 1024
"""Characters of a name that is not remembered."""
_stream_of = lru_cache(_STREAMS)(statement.stream_of)


def stream_of(sender: str, route: str | None) -> str:
    """`statement.stream_of`, remembered for names that are no burden."""
    short = len(sender) <= _LONG and len(route or "") <= _LONG
    return (_stream_of if short else statement.stream_of)(sender, route)


@dataclass(slots=True, eq=False)
class Pending:
    """An item on its way into the log, and whoever waits for it."""

    item: Item
    patient: bool
    """True where a failing disk is waited for; else the waiters are told and the item stays."""
    waiters: list[OnDone] = field(default_factory=list)

    @property
    def attempt_id(self) -> bytes | None:
        return None if isinstance(self.item, Event) else self.item.attempt_id

    def tell(self, result: Receipt | LogFailure) -> None:
        waiters, self.waiters = self.waiters, []
        for on_done in waiters:
            on_done(result)

    def unanswered(self, failure: LogFailure) -> None:
        """Unless they are patient the waiters fail; the item stays, and will say that no answer of
        ours was sent.
        """
        item = self.item
        if self.patient:
            return
        if isinstance(item, Submission):
            problem = item.problem or failure.code
            self.item = replace(item, status=None, problem=problem)
        self.tell(failure)


@dataclass(slots=True)
class Batch:
    """Signed statements that are not in the log yet."""

    draft: Draft
    written: list[tuple[Pending, Receipt]] = field(default_factory=list)
    memos: list[bytes | None] = field(default_factory=list)
    """What each of the written does to the table of ids."""
    rows: list[Row] = field(default_factory=list)
    """What the index will say of the written."""
    failed: list[tuple[Pending, LogFailure]] = field(default_factory=list)
    """What cannot be said."""


class Scribe:
    """Makes the statements of one log."""

    def __init__(self, keys: Keys) -> None:
        self._origin = keys.origin
        self._events = statement.event_stream(keys.origin)
        self._sign = keys.envelope()

    def draft(
        self,
        batch: Batch,
        items: Iterable[Pending],
        index: int,
        require: Callable[[Submission], None] = lambda found: None,
    ) -> None:
        """Add statements in the order of `items`, the first of them leaf `index`.

        `require` raises `EvidenceError` for what a worker may not say.
        """
        draft, written = batch.draft, batch.written
        completed = milliseconds(draft.completed)
        for pending in items:
            item = pending.item
            try:
                stream, transfer_id, attempt_id = self._of(item)
                draft.require_new(attempt_id)
                if isinstance(item, Submission):
                    require(item)
                place = draft.place(stream, transfer_id)
                envelope = self._sign(self._build(item, place, draft.completed))
                if len(envelope) > MAX_ENTRY:
                    raise EvidenceError(f"an envelope is larger than {MAX_ENTRY} octets")
            except EvidenceError as error:
                batch.failed.append((pending, LogFailure(str(error))))
                continue
            digest = hashlib.sha256(envelope).digest()
            draft.record(place, transfer_id, attempt_id, index, digest)
            if isinstance(item, Event):
                draft.happened(item.kind)
            written.append((pending, Receipt(index, envelope)))
            batch.rows.append(_row(index, item, stream, completed))
            index += 1

    def _of(self, item: Item) -> tuple[str, str | None, bytes | None]:
        """Stream, transfer id and attempt id. Raises `EvidenceError`: events stand alone."""
        if isinstance(item, Event):
            return self._events, None, None
        stream = stream_of(item.sender, item.route)
        if stream == self._events:
            raise EvidenceError("a sender and route name the log's own stream")
        if len(stream) > 4 * _LONG:
            raise EvidenceError("the name of a stream is too long")
        return stream, item.transfer_id, item.attempt_id

    def _build(self, item: Item, place: statement.Place, completed: datetime) -> bytes:
        if isinstance(item, Submission):
            return statement.build(item, place, origin=self._origin, completed=completed)
        if isinstance(item, Intent):
            return statement.build_interrupted(
                item, place, origin=self._origin, completed=completed
            )
        return statement.build_event(item, place, origin=self._origin, completed=completed)


def _row(index: int, item: Item, stream: str, completed: int) -> Row:
    """What `index.row_of` says of the statement, without reading it again."""
    if isinstance(item, Submission):
        delivered = item.delivered_sha256 if item.verdict is Verdict.DELIVERED else None
        kind, problem = item.verdict.value, item.problem
        return (
            index, completed, kind, problem, stream, item.transfer_id, item.attempt_id, delivered
        )  # fmt: skip
    if isinstance(item, Intent):
        kind = Verdict.INDETERMINATE.value
        return index, completed, kind, None, stream, item.transfer_id, item.attempt_id, None
    return index, completed, f"event:{item.kind}", None, stream, "", None, None


def pendings(items: Sequence[Item]) -> list[Pending]:
    """Items that nobody waits for."""
    return [Pending(item, patient=True) for item in items]
