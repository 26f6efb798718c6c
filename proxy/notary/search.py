"""Finds entries in a log: by its index as far as that goes, then in the log itself.

`candidates by the index │ published entries that it has not got │ entries only in the journal`

Without an index (a log's URL has none) bundles are read instead; times never go back in a log, so
that a query by time leaves out those before and after. Nothing is verified: `audit` does that.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from proxy.errors import EvidenceError
from proxy.notary.folder import Folder, Tail
from proxy.notary.query import PAGE, Query, page
from proxy.receipt import dsse, note, reading
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.quorum import CHECKPOINT
from proxy.receipt.reading import Summary
from proxy.receipt.tiles import ENTRIES, load_tile

_MARGIN: Final = timedelta(minutes=1)


class Log(Protocol):
    """`Folder` or `Website`."""

    def load(self, name: str) -> bytes | None:
        """One file; None where there is none. Raises `EvidenceError`."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry. `payload` is the statement, `envelope` the exact octets of the leaf."""

    index: int
    envelope: bytes
    payload: bytes
    summary: Summary


class Search:
    """A log as it is now: what is added later is not seen. Raises `EvidenceError` as it reads."""

    def __init__(self, log: Log, *, by_index: bool = True) -> None:
        # The journal first: whatever it no longer has is under the checkpoint that comes after it.
        self._tail: Tail | None = log.tail() if isinstance(log, Folder) else None
        data = log.load(CHECKPOINT)
        if data is None and self._tail is None:
            raise EvidenceError("no log is here: neither a checkpoint nor a journal to read")
        self._origin, self.published = "", 0
        if data is not None:
            checkpoint = note.parse_checkpoint(note.parse(data).text)
            self._origin, self.published = checkpoint.origin, checkpoint.size
        self._beyond = () if self._tail is None else self._tail.beyond(self.published)
        self._indexed: Path | None = log.path if by_index and isinstance(log, Folder) else None
        self._bundle = lru_cache(2)(lambda position: self._load(log, position))

    def _load(self, log: Log, position: int) -> list[bytes]:
        width = min(TILE_WIDTH, self.published - position * TILE_WIDTH)
        return load_tile(log.load, ENTRIES, position, width)[1]

    @property
    def size(self) -> int:
        """Entries that there are, with those that are only in the journal."""
        return self.published + len(self._beyond)

    def entry(self, index: int) -> Found | None:
        """One entry; None where there is none."""
        if 0 <= index < self.published:
            return _found(index, self._bundle(index // TILE_WIDTH)[index % TILE_WIDTH])
        beyond = index - self.published
        return _found(index, self._beyond[beyond]) if 0 <= beyond < len(self._beyond) else None

    def newest(self, query: Query) -> Iterator[Found]:
        """Every entry that matches, the newest first."""
        last = self.published + len(self._beyond)
        yield from self._matching(query, reversed(range(self.published, last)))
        yield from self._matching(query, self._newest(query))

    def oldest(self, query: Query) -> Iterator[Found]:
        """Every entry that matches, in the order of the log."""
        last = self.published + len(self._beyond)
        yield from self._matching(query, self._oldest(query))
        yield from self._matching(query, iter(range(self.published, last)))

    def latest(self, query: Query, most: int, *, newest_first: bool = False) -> Iterator[Found]:
        """The newest `most` that match, in the order of the log or the other way round."""
        found = islice(self.newest(query), most)
        if newest_first:
            return found
        return self._matching(query, reversed([entry.index for entry in found]))

    def _matching(self, query: Query, indexes: Iterator[int]) -> Iterator[Found]:
        for index in indexes:
            found = self.entry(index)
            if found is not None and query.matches(found.summary):
                yield found

    # --- where to look ---------------------------------------------------------------------------

    def _oldest(self, query: Query) -> Iterator[int]:
        low = 0
        while self._indexed is not None:
            found = page(
                self._indexed,
                self._origin,
                query,
                low=low,
                high=self.published,
                newest_first=False,
            )
            if found is None:
                break
            yield from found.indexes
            if len(found.indexes) < PAGE:
                low = max(low, min(found.size, self.published))
                break
            low = found.indexes[-1] + 1
        start, stop = self._span(query, low, self.published)
        yield from range(start, stop)

    def _newest(self, query: Query) -> Iterator[int]:
        high = self.published
        while self._indexed is not None:
            found = page(self._indexed, self._origin, query, low=0, high=high, newest_first=True)
            if found is None:
                break
            if found.size < high:  # it has not got the newest: those come first
                start, stop = self._span(query, found.size, high)
                yield from reversed(range(start, stop))
                high = found.size
            yield from found.indexes
            if len(found.indexes) < PAGE:
                return
            high = found.indexes[-1]
        start, stop = self._span(query, 0, high)
        yield from reversed(range(start, stop))

    def _span(self, query: Query, low: int, high: int) -> tuple[int, int]:
        """What of `low` to `high` a query by time has to read: whole bundles, a margin wide."""
        positions = range(low // TILE_WIDTH, -(-high // TILE_WIDTH) if low < high else 0)
        if query.since is not None:
            at = bisect_left(positions, query.since - _MARGIN, key=self._begins)
            low = max(low, (positions.start + max(0, at - 1)) * TILE_WIDTH)
        if query.until is not None:
            at = bisect_right(positions, query.until + _MARGIN, key=self._begins)
            high = min(high, (positions.start + at) * TILE_WIDTH)
        return low, high

    def _begins(self, position: int) -> datetime:
        """When the first entry of a bundle was completed."""
        return _found(position * TILE_WIDTH, self._bundle(position)[0]).summary.completed


def _found(index: int, envelope: bytes) -> Found:
    try:
        payload = dsse.parse(envelope).payload
        return Found(index, envelope, payload, reading.summarise(payload))
    except EvidenceError as error:
        raise EvidenceError(f"entry {index}: {error}") from None
