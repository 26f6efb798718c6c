"""The table of ids on disk: `<store>/ids.sqlite`.

    ids(key BLOB PRIMARY KEY, value BLOB)     16 octets and, see `ids.py`, 44
    about(store BLOB, size INTEGER)           one row: of which store, and the watermark
    streams(key BLOB PRIMARY KEY, number INTEGER, digest BLOB)     16 octets, 32; see `streams.py`

`size` is the size of the log up to which the table holds everything; it moves in the transaction
that writes the rows. The first 8 octets of a value are its expiry: rows that have expired are
swept out, many at a time, when that is worth a scan.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from proxy.errors import EvidenceError, LogFailure
from proxy.notary import sqlite
from proxy.notary.streams import State

IDS: Final = "ids.sqlite"
_APPLICATION: Final = 0x4C474944  # "LGID"
_VERSION: Final = 1
_DIGEST: Final = 32
_FIND: Final = "SELECT value FROM ids WHERE key = ?"
_STREAM: Final = "SELECT number, digest FROM streams WHERE key = ?"
_STREAMS: Final = """
CREATE TABLE IF NOT EXISTS streams
(key BLOB PRIMARY KEY, number INTEGER NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID
"""
_SCHEMA: Final = """
CREATE TABLE ids (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE about (store BLOB NOT NULL, size INTEGER NOT NULL);
INSERT INTO about VALUES (x'{store}', 0)
"""


class Table:
    """`find` belongs to the event loop, `write` to any thread; neither waits for the other.

    Both raise `LogFailure`, whether the disk fails or the file is damaged.
    """

    def __init__(self, folder: Path, store: bytes) -> None:
        """Open the table, or make it where there is none. `store` tells whose it is, 16 octets.

        Raises `EvidenceError` where it is damaged or another's, `LogFailure` where the disk fails.
        """
        self.path = folder / IDS
        if not os.path.lexists(self.path):
            schema = _SCHEMA.format(store=store.hex())
            sqlite.create(self.path, schema, _APPLICATION, _VERSION)
        self._writer = sqlite.connect(self.path, _APPLICATION, _VERSION)
        self._turn = threading.Lock()
        try:
            self.size = self._require_whole(store)
            self._reader = sqlite.connect(self.path, _APPLICATION, _VERSION)
        except BaseException:
            self._writer.close()
            raise

    def _require_whole(self, store: bytes) -> int:
        """The watermark. Raises unless the table reads and is of this store. Fails closed."""
        with sqlite.translated(self.path):
            if self._writer.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                raise EvidenceError(f"{self.path} is damaged")
            about = self._writer.execute("SELECT store, size FROM about").fetchall()
            self._writer.execute(_STREAMS)
        if len(about) != 1 or about[0][0] != store or type(about[0][1]) is not int:
            raise EvidenceError(f"{self.path} was not written under this store's key")
        return int(about[0][1])

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key and value, expired ones too; for the beginning.

        Raises `EvidenceError` as well.
        """
        with sqlite.translated(self.path):
            yield from self._reader.execute("SELECT key, value FROM ids")

    def find(self, key: bytes) -> bytes | None:
        found = self._one(_FIND, key)
        return None if found is None else found[0]

    def stream(self, key: bytes) -> State | None:
        """Raises `LogFailure`."""
        found = self._one(_STREAM, key)
        if found is None:
            return None
        number, digest = found
        if type(number) is not int or type(digest) is not bytes or len(digest) != _DIGEST:
            raise LogFailure(f"{self.path} holds a malformed stream")
        return number, digest

    def _one(self, sql: str, key: bytes) -> tuple[Any, ...] | None:
        try:
            found: tuple[Any, ...] | None = self._reader.execute(sql, (key,)).fetchone()
        except sqlite3.DatabaseError as error:
            raise LogFailure(str(sqlite.translate(self.path, error))) from None
        return found

    def write(
        self,
        rows: Mapping[bytes, bytes],
        size: int,
        *,
        streams: Mapping[bytes, State],
        expired: bytes | None,
        durable: bool,
    ) -> None:
        """Put `rows` and `streams` in and the watermark at `size`, in one transaction.

        `expired`: sweep out what expires at or before this, 8 octets. `durable`: return when the
        file itself, without its write-ahead log, holds everything and is synced.
        """
        with self._turn, _failing(self.path):
            if size < self.size and not streams:
                return  # a later batch, which has all that is in this one, was quicker
            self._writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                if expired is not None:
                    sweep = "DELETE FROM ids WHERE substr(value, 1, 8) <= ?"
                    self._writer.execute(sweep, (expired,))
                sqlite.insert(self._writer, "INSERT OR REPLACE INTO ids", sorted(rows.items()))
                states = [(key, *state) for key, state in sorted(streams.items())]
                sqlite.insert(self._writer, "INSERT OR REPLACE INTO streams", states)
                self._writer.execute("UPDATE about SET size = max(size, ?)", (size,))
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            self.size = max(size, self.size)
            if durable:
                self._require_checkpointed()

    def _require_checkpointed(self) -> None:
        if self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            raise LogFailure(f"{self.path} is held by another program")

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


@contextlib.contextmanager
def _failing(path: Path) -> Iterator[None]:
    """Whatever is wrong is `LogFailure` here: nothing may cross."""
    try:
        with sqlite.translated(path):
            yield
    except EvidenceError as error:
        raise LogFailure(str(error)) from None
