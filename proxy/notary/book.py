"""What the notary must know of its log to write the next entry, and nothing more.

- `streams`: per `<sender>/<route>` the last number and the digest of the last envelope, see
  `streams.py`.
- `transfers`: per transfer how many attempts and which leaf is the latest. The latest 32,768; a
  transfer that comes back after so many others begins again at attempt 1.
- `attempts`: which leaf an attempt id has. Every entry that is not published, and the latest 65,536
  since the journal began: older ones are the index's to find.
- `completed`: the time of the last entry; none goes back behind it.
- `receipt_key`: the key that signs, so that none takes its place unannounced.
- `started`: whether the last start has no stop yet, so that it gets one and no more.

`replay` folds journalled entries into it, the very step that a commit takes. A batch is drafted on
a `Draft` of the book, which sees it and leaves it as it is until `take`. The snapshot that begins a
journal is this book as JSON:

    {"base": 512, "edge": [["<hex>", "<hex>"]], "size": 700, "since": 690,
     "completed": 1770000000000000, "receiptKey": "<hex>", "started": true,
     "streams": {"spiffe://a/b/orders": [41, "<hex>"]},
     "transfers": [["spiffe://a/b/orders", "<id>", 2, 40]]}

`base` is the first entry that the journal repeats and `edge` the tree before it (from tile level
1 up); entries below `size` are in the book already. The journal has the memos of all entries from
`since` on; the table of ids holds the earlier ones. `completed` is in microseconds since 1970.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any, Final

import orjson

from proxy.errors import EvidenceError
from proxy.notary.streams import Streams
from proxy.receipt.reading import Summary
from proxy.receipt.statement import Place

_TRANSFERS: Final = 32_768
_ATTEMPTS: Final = 65_536
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_NO_STREAM: Final[tuple[int, bytes | None]] = (0, None)
_NO_TRANSFER: Final = (0, -1)

Transfer = tuple[str, str]
"""Stream and transfer id."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The beginning of a journal."""

    base: int
    edge: list[list[bytes]]
    size: int
    since: int
    book: "Book"


@dataclass(slots=True)
class Book:
    streams: Streams = field(default_factory=Streams)
    transfers: dict[Transfer, tuple[int, int]] = field(default_factory=dict)
    attempts: dict[bytes, int] = field(default_factory=dict)
    published: int = 0
    """Entries below this stand in the published log."""
    completed: datetime = EPOCH
    receipt_key: bytes | None = None
    """32 octets; None in a log that has no key yet."""
    started: bool = False

    def take(self, draft: "Draft") -> None:
        """What was drafted is durable. Also the moment to forget what is too old."""
        self.streams.update(draft.streams)
        for transfer, state in draft.transfers.items():
            self.transfers.pop(transfer, None)  # so that it becomes the latest
            self.transfers[transfer] = state
        self.attempts.update(draft.attempts)
        self.completed = max(self.completed, draft.completed)
        self.started = draft.started
        _forget(self.transfers, _TRANSFERS)
        self._forget_attempts()

    def _forget_attempts(self) -> None:
        excess = len(self.attempts) - _ATTEMPTS
        if excess > 0:
            oldest = islice(self.attempts.items(), excess)
            known = [each for each, _ in takewhile(lambda e: e[1] < self.published, oldest)]
            for attempt_id in known:
                del self.attempts[attempt_id]

    def replay(self, summary: Summary, index: int, digest: bytes) -> None:
        """Fold in a journalled entry; `EvidenceError` unless it is the next of its stream.

        A cold stream may be further than that: it went cold in the journal that a crash prevented.
        Raises `LogFailure` where it cannot be looked up.
        """
        place = summary.place
        number, previous = self.streams.get(place.stream) or _NO_STREAM
        further = number >= place.number and not self.streams.is_warm(place.stream)
        if not further and (place.number, place.previous) != (number + 1, previous):
            raise EvidenceError(f"entry {index} is not the next of its stream")
        if summary.attempt_id in self.attempts:
            raise EvidenceError(f"entry {index} is about an attempt that has a statement already")
        draft = Draft(self, summary.completed)
        draft.record(place, summary.transfer_id, summary.attempt_id, index, digest)
        draft.happened(summary.event)
        self.take(draft)


class Draft:
    """A batch that is not durable yet, on top of a book."""

    __slots__ = ("_book", "attempts", "completed", "started", "streams", "transfers")

    def __init__(self, book: Book, now: datetime) -> None:
        self._book = book
        self.completed = max(now, book.completed)
        """The time of every entry of the batch."""
        self.streams: dict[str, tuple[int, bytes]] = {}
        self.transfers: dict[Transfer, tuple[int, int]] = {}
        self.attempts: dict[bytes, int] = {}
        self.started = book.started

    def require_new(self, attempt_id: bytes | None) -> None:
        """Raises for an attempt that is known to have its statement. Fails closed."""
        if attempt_id in self.attempts or attempt_id in self._book.attempts:
            raise EvidenceError("this attempt has its statement already")

    def place(self, stream: str, transfer_id: str | None) -> Place:
        """Where the next statement about this transfer, or the next event (None), stands.

        Raises `LogFailure` where a cold stream cannot be looked up.
        """
        book = self._book
        number, previous = self.streams.get(stream) or book.streams.get(stream) or _NO_STREAM
        attempt = 0
        if transfer_id is not None:
            transfer = (stream, transfer_id)
            found = self.transfers.get(transfer) or book.transfers.get(transfer, _NO_TRANSFER)
            attempt = found[0] + 1
        return Place(attempt, stream, number + 1, previous)

    def record(
        self,
        place: Place,
        transfer_id: str | None,
        attempt_id: bytes | None,
        index: int,
        digest: bytes,
    ) -> None:
        """A statement will be leaf `index`; `digest` is SHA-256 of its envelope.

        An event has no transfer and no attempt.
        """
        self.streams[place.stream] = (place.number, digest)
        if transfer_id is not None and attempt_id is not None:
            self.transfers[(place.stream, transfer_id)] = (place.attempt, index)
            self.attempts[attempt_id] = index

    def happened(self, event: str | None) -> None:
        """The statement is about this event; None: about an attempt."""
        if event in ("start", "stop"):
            self.started = event == "start"


def _forget(memory: dict[Any, Any], most: int) -> None:
    excess = len(memory) - most
    if excess > 0:
        for key in list(islice(memory, excess)):
            del memory[key]


# --- octets --------------------------------------------------------------------------------------


def encode_snapshot(snapshot: Snapshot) -> bytes:
    book = snapshot.book
    return orjson.dumps(
        {
            "base": snapshot.base,
            "edge": [[node.hex() for node in row] for row in snapshot.edge],
            "size": snapshot.size,
            "since": snapshot.since,
            "completed": (book.completed - EPOCH) // _MICROSECOND,
            "receiptKey": None if book.receipt_key is None else book.receipt_key.hex(),
            "started": book.started,
            "streams": {
                stream: (number, digest.hex()) for stream, (number, digest) in book.streams.items()
            },
            "transfers": [(*transfer, *state) for transfer, state in book.transfers.items()],
        }
    )


def decode_snapshot(body: bytes) -> Snapshot:
    """Raises `EvidenceError`."""
    try:
        value: dict[str, Any] = orjson.loads(body)
        key = value["receiptKey"]
        book = Book(
            streams=Streams(
                {
                    stream: (int(number), bytes.fromhex(digest))
                    for stream, (number, digest) in value["streams"].items()
                }
            ),
            transfers={
                (stream, transfer_id): (attempts, latest)
                for stream, transfer_id, attempts, latest in value["transfers"]
            },
            completed=EPOCH + int(value["completed"]) * _MICROSECOND,
            receipt_key=None if key is None else bytes.fromhex(key),
            started=value["started"] is True,
        )
        edge = [[bytes.fromhex(node) for node in row] for row in value["edge"]]
        base, size, since = (int(value[name]) for name in ("base", "size", "since"))
        return Snapshot(base, edge, size, since, book)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        raise EvidenceError("the journal begins with a malformed snapshot") from None
