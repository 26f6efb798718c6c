"""What the notary must know of its log to write the next entry, and nothing more.

- `streams`: per `<sender>/<route>` the last number and the digest of the last envelope. As many as
  there are authenticated senders and routes.
- `transfers`: per transfer how many attempts, which leaf says `delivered`, and which is the latest.
  The latest 32,768; a transfer that comes back after so many others begins again at attempt 1.
- `intents`: attempts that may have forwarded something and have no verdict yet.
- `closed`: intents that have one, the latest 8,192, so that no attempt gets a second.

`replay` folds journalled entries into it, the very step that a commit takes. The snapshot that
begins a journal is this book as JSON:

    {"base": 512, "edge": [["<hex>", "<hex>"]], "size": 700,
     "streams": {"spiffe://a/b/orders": ["41", "<hex>"]},
     "transfers": [["spiffe://a/b/orders", "<id>", 2, 40, 40]],
     "intents": [["<id>", "spiffe://a/b", "orders", "<time>"]]}

`base` is the first entry that the journal repeats and `edge` the tree before it (from tile level
1 up); entries below `size` are in the book already.
"""

from collections import ChainMap
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from proxy.errors import EvidenceError
from proxy.model import Intent, Outcome, Verdict
from proxy.receipt.reading import Summary
from proxy.receipt.statement import Place, stream_of
from proxy.receipt.terms import timestamp

_TRANSFERS: Final = 32_768
_CLOSED: Final = 8_192

REPEATS: Final = ("replayed", "in-flight")
"""Problems of attempts that are refused because of another one: they never had an intent."""

Key = tuple[str, str, str]
"""Stream, transfer id and time of receipt: one attempt.

The time is empty for what `REPEATS`: such an attempt may bear the very time of the other one.
"""

Attempts = tuple[int, int | None, int | None]
"""How many, the leaf that says `delivered`, and the latest leaf."""
_NONE: Final[Attempts] = (0, None, None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The beginning of a journal."""

    base: int
    edge: list[list[bytes]]
    size: int
    book: "Book"


def key_of(found: Intent | Outcome | Summary) -> Key:
    """The attempt that an intent, an outcome or a statement is about."""
    if isinstance(found, Intent):
        return (
            stream_of(found.sender, found.route),
            found.transfer_id,
            timestamp(found.started),
        )
    if isinstance(found, Outcome):
        stream = stream_of(found.sender.name, found.route)
        time = "" if found.problem in REPEATS else timestamp(found.received_at)
        return stream, found.transfer_id, time
    time = "" if found.problem in REPEATS else timestamp(found.received)
    return found.place.stream, found.transfer_id, time


@dataclass(slots=True)
class Book:
    streams: MutableMapping[str, tuple[int, bytes]] = field(default_factory=dict)
    transfers: MutableMapping[tuple[str, str], Attempts] = field(default_factory=dict)
    intents: dict[Key, Intent] = field(default_factory=dict)
    closed: dict[Key, None] = field(default_factory=dict)

    def fork(self) -> "Book":
        """A book to draft a batch in: it sees this one and leaves it as it is."""
        return Book(ChainMap({}, self.streams), ChainMap({}, self.transfers))

    def place(self, stream: str, transfer_id: str, *, replayed: bool = False) -> Place:
        """Where the next statement about this transfer stands."""
        number, previous = self.streams.get(stream, (0, None))
        attempts, delivered, _ = self.transfers.get((stream, transfer_id), _NONE)
        return Place(attempts + 1, stream, number + 1, previous, delivered if replayed else None)

    def record(
        self, place: Place, transfer_id: str, verdict: Verdict, index: int, digest: bytes
    ) -> None:
        """A statement has become leaf `index`; `digest` is SHA-256 of its envelope."""
        self.streams[place.stream] = (place.number, digest)
        transfer = (place.stream, transfer_id)
        _, delivered, _ = self.transfers.get(transfer, _NONE)
        if verdict is Verdict.DELIVERED and delivered is None:
            delivered = index
        self.transfers.pop(transfer, None)  # so that it becomes the latest
        self.transfers[transfer] = (place.attempt, delivered, index)

    def close(self, key: Key) -> None:
        """The attempt has its verdict, durably. Also the moment to forget what is too old."""
        if self.intents.pop(key, None) is not None:
            self.closed[key] = None
        while len(self.closed) > _CLOSED:
            del self.closed[next(iter(self.closed))]
        while len(self.transfers) > _TRANSFERS:
            del self.transfers[next(iter(self.transfers))]

    def replay(self, summary: Summary, index: int, digest: bytes) -> None:
        """Fold in a journalled entry; `EvidenceError` unless it is the next of its stream."""
        place = summary.place
        number, previous = self.streams.get(place.stream, (0, None))
        if (place.number, place.previous) != (number + 1, previous):
            raise EvidenceError(f"entry {index} is not the next of its stream")
        self.record(place, summary.transfer_id, summary.verdict, index, digest)
        self.close(key_of(summary))


# --- octets --------------------------------------------------------------------------------------


def encode_intent(intent: Intent) -> bytes:
    return orjson.dumps(_intent_row(intent))


def decode_intent(body: bytes) -> Intent:
    """Raises `EvidenceError`."""
    try:
        return _intent(orjson.loads(body))
    except (ValueError, TypeError):
        raise EvidenceError("the journal holds a malformed intent") from None


def encode_snapshot(snapshot: Snapshot) -> bytes:
    book = snapshot.book
    return orjson.dumps(
        {
            "base": snapshot.base,
            "edge": [[node.hex() for node in row] for row in snapshot.edge],
            "size": snapshot.size,
            "streams": {
                stream: [str(number), digest.hex()]
                for stream, (number, digest) in book.streams.items()
            },
            "transfers": [[*transfer, *state] for transfer, state in book.transfers.items()],
            "intents": [_intent_row(intent) for intent in book.intents.values()],
        }
    )


def decode_snapshot(body: bytes) -> Snapshot:
    """Raises `EvidenceError`."""
    try:
        value: dict[str, Any] = orjson.loads(body)
        intents = [_intent(row) for row in value["intents"]]
        book = Book(
            streams={
                stream: (int(number), bytes.fromhex(digest))
                for stream, (number, digest) in value["streams"].items()
            },
            transfers={
                (stream, transfer_id): (attempts, delivered, latest)
                for stream, transfer_id, attempts, delivered, latest in value["transfers"]
            },
            intents={key_of(intent): intent for intent in intents},
        )
        edge = [[bytes.fromhex(node) for node in row] for row in value["edge"]]
        return Snapshot(int(value["base"]), edge, int(value["size"]), book)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise EvidenceError("the journal begins with a malformed snapshot") from None


def _intent_row(intent: Intent) -> list[str]:
    return [intent.transfer_id, intent.sender, intent.route, timestamp(intent.started)]


def _intent(row: list[str]) -> Intent:
    transfer_id, sender, route, started = row
    time = datetime.strptime(started, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return Intent(transfer_id, sender, route, time)
