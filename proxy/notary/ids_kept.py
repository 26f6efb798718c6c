"""Delivered and undecided ids: those of late in memory, in an overlay, the others in the table.

`put` adds to the overlay. `batch` moves it on to what is being flushed, where it is still found;
`flush` writes that, in a thread; `flushed` forgets it. What could not be written is in the next
batch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from proxy.errors import EvidenceError
from proxy.notary.ids_memo import Record, read
from proxy.notary.ids_table import Table
from proxy.notary.sieve import Sieve
from proxy.notary.streams import State

_ENOUGH: Final = 8_192
"""Rows that make a flush worth its while."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a flush writes."""

    rows: dict[bytes, bytes]
    size: int
    expired: bytes | None
    streams: Mapping[str, State] = field(default_factory=dict)
    """Those that are to be found in the table from now on."""


class Kept:
    def __init__(self, table: Table, capacity: int) -> None:
        self.watermark = table.size
        """The table holds what every entry below this index did to it."""
        self._table = table
        self._sieve = Sieve(capacity)
        self._overlay: dict[bytes, bytes] = {}
        self._flushing: dict[bytes, bytes] = {}
        self._stored = 0
        """About how many rows the table has, expired ones too."""

    def load(self) -> Iterator[tuple[bytes, int]]:
        """Sender and expiry of every row, once, at the beginning. Raises as `Ids.open` does."""
        for key, value in self._table:
            record = read(value)
            self._sieve.add(key, record.expires)
            self._stored += 1
            yield record.sender, record.expires

    def close(self) -> None:
        self._table.close()

    def require_reach(self, since: int, size: int) -> None:
        """See `Ids.require_reach`. Fails closed."""
        if self.watermark < since:
            raise EvidenceError(
                f"{self._table.path} is older than the log, or lost: it ends at entry "
                f"{self.watermark}, the journal begins at {since}; what was delivered between "
                "them would be admitted again"
            )
        if self.watermark > size:
            raise EvidenceError(
                f"{self._table.path} is of a longer log: of {self.watermark} entries, not {size}"
            )

    def find(self, key: bytes, now: float) -> Record | None:
        """What has not expired. Raises `LogFailure`."""
        if not self._sieve.may_have(key):
            return None
        value = self._overlay.get(key) or self._flushing.get(key) or self._table.find(key)
        if value is None:
            return None
        record = read(value)
        return record if record.expires > now else None

    def put(self, key: bytes, value: bytes, expires: int) -> None:
        self._sieve.add(key, expires)
        self._overlay[key] = value

    def batch(self, size: int, now: float, *, live: int, all_of_it: bool) -> Batch | None:
        """See `Ids.batch`; `live`: how many ids have not expired."""
        self._sieve.expire(now)
        stale = self._stored - live
        waiting = len(self._overlay) + len(self._flushing)
        if not (all_of_it or waiting >= _ENOUGH or stale >= max(_ENOUGH, live)):
            return None
        # A dict of its own: a thread may still be reading the one before.
        self._flushing = {**self._flushing, **self._overlay}
        self._overlay = {}
        expired = int(now).to_bytes(8) if stale > live // 4 else None
        return Batch(self._flushing, size, expired)

    def flush(self, batch: Batch, streams: Mapping[bytes, State], *, durable: bool) -> None:
        """In a thread. Raises `LogFailure`."""
        self._table.write(
            batch.rows, batch.size, streams=streams, expired=batch.expired, durable=durable
        )

    def stream(self, key: bytes) -> State | None:
        """Raises `LogFailure`."""
        return self._table.stream(key)

    def flushed(self, batch: Batch, *, live: int) -> None:
        self.watermark = max(self.watermark, batch.size)
        self._stored = live if batch.expired else self._stored + len(batch.rows)
        if self._flushing is batch.rows:
            self._flushing = {}
