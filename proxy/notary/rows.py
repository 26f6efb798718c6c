"""The rows of the index: what it keeps of an entry."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from proxy.errors import EvidenceError
from proxy.receipt import dsse, reading
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.tiles import ENTRIES, Loader, load_tile

_OK: Final = 200
_STATUSES: Final = range(100, 1000)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Row = tuple[int, int, str, str | None, str, str, bytes | None, bytes | None]
"""Index, completed (Unix ms), verdict or `event:<kind>`, problem, stream, transfer id ("" for an
event), attempt id, SHA-256 of what was delivered."""


def row_of(index: int, summary: reading.Summary) -> Row:
    """The row of an entry."""
    kind = f"event:{summary.event}" if summary.verdict is None else summary.verdict.value
    return (
        index,
        milliseconds(summary.completed),
        kind,
        summary.problem,
        summary.place.stream,
        summary.transfer_id,
        summary.attempt_id,
        summary.delivered_sha256,
    )


def milliseconds(time: datetime) -> int:
    """Unix milliseconds, rounded down."""
    return (time - _EPOCH) // timedelta(milliseconds=1)


def short_id(transfer_id: str) -> bytes:
    """What the index keeps of a transfer id. Different ids may have the same."""
    try:
        return bytes.fromhex(transfer_id.replace("-", ""))
    except ValueError:
        return transfer_id.encode(errors="surrogatepass")


def published_rows(load: Loader, start: int, stop: int, size: int) -> Iterator[Row]:
    """The rows of entries `start` to `stop` of a published log of `size`. `EvidenceError`."""
    ends = -(-stop // TILE_WIDTH) if start < stop else 0
    for position in range(start // TILE_WIDTH, ends):
        first = position * TILE_WIDTH
        _, entries = load_tile(load, ENTRIES, position, min(TILE_WIDTH, size - first))
        for index in range(max(start, first), min(stop, first + len(entries))):
            try:
                summary = reading.summarise(dsse.parse(entries[index - first]).payload)
            except EvidenceError as error:
                raise EvidenceError(f"entry {index}: {error}") from None
            yield row_of(index, summary)


def answered_status(envelope: bytes) -> int:
    """What the upstream answered with, where the sender had no answer of ours."""
    answer = reading.parse(dsse.parse(envelope).payload)["predicate"].get("answer") or {}
    status = answer.get("status")
    return status if isinstance(status, int) and status in _STATUSES else _OK
