"""What finds entries in a log of millions: `<store>/index.sqlite`, one short row an entry.

    entries(i INTEGER PRIMARY KEY, t INTEGER, class INTEGER, octets BLOB)
    classes(n INTEGER PRIMARY KEY, kind, problem, sender, route)      what `class` counts in
    about(origin)                                                     of which log

`t` is Unix milliseconds of completion, `kind` a verdict or `event:<kind>`. `octets` are the attempt
id (16), the first 8 of SHA-256 of what was delivered, and the transfer id without its dashes, 16 in
a UUID; zeros where an entry has none. Some 60 octets a row.

Rules
- It is nothing but a help. Whatever is in it can be had from the log again, so a damaged one is
  made anew, and no entry is ever believed because the index says so: who searches reads the entry.
- Rows are contiguous, from 0: `size` says how far they go. `advance` adds what the notary hands
  over and, where that does not follow, the next of the published entries, until it is level.
- It has no secondary index: a row costs a microsecond or two, and a search scans rows at some
  millions a second. Times never go back in a log, so a search by time begins in the right place.
- Its failure is nobody else's: `advance` never raises, it says in `fault` what is wrong and tries
  again the next time.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, Self

from proxy.errors import EvidenceError, LogFailure
from proxy.notary import sqlite
from proxy.notary.rows import Row, published_rows, short_id
from proxy.receipt.tiles import Loader

INDEX: Final = "index.sqlite"
APPLICATION: Final = 0x4C474958  # "LGIX"
VERSION: Final = 2
_SCHEMA: Final = """
CREATE TABLE entries (i INTEGER PRIMARY KEY, t INTEGER, class INTEGER, octets BLOB);
CREATE TABLE classes (n INTEGER PRIMARY KEY, kind TEXT, problem TEXT, sender TEXT, route TEXT);
CREATE UNIQUE INDEX class ON classes (sender, route, kind, problem);
CREATE TABLE about (origin TEXT NOT NULL);
INSERT INTO about VALUES ('{origin}')
"""
_ATTEMPTS: Final = (
    "SELECT substr(octets, 1, 16), i FROM entries WHERE i >= ? AND substr(octets, 1, 16) IN"
)
_CLASS: Final = "SELECT n FROM classes WHERE (sender, route, kind) = (?, ?, ?) AND problem IS ?"
_NEW_CLASS: Final = (
    "INSERT INTO classes (sender, route, kind, problem) VALUES (?, ?, ?, ?) RETURNING n"
)
_CLASSES: Final = 16_384
"""Of so many the number is known without looking: those of senders who come often."""
_STEP: Final = 16_384
"""Entries that one `advance` reads from the log at most: some 0.3 s."""
_AT_ONCE: Final = 4_096
_VARIABLES: Final = 10_000
MARGIN: Final = 60_000
"""Milliseconds by which a search by time begins early and ends late."""
_NOBODY: Final = bytes(16)
_NO_DIGEST: Final = bytes(8)


class Index:
    """The index as the notary writes it. For one thread at a time, whichever."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.path = folder / INDEX
        self.size = 0
        """Entries below this have their row."""
        self.fault: str | None = None
        """What the last `advance` failed of; None when it did not."""
        self._origin = origin
        self._file: sqlite3.Connection | None = None
        self._classes: dict[tuple[str, str | None, str], int] = {}

    @classmethod
    def open(cls, folder: Path, origin: str, size: int) -> Self:
        """The index in `folder` of a log that has `size` entries; made anew where it is of no use.

        Never raises: see `fault`.
        """
        opened = cls(folder, origin)
        opened._guarded(lambda: opened._begin(size))
        return opened

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def advance(self, rows: Sequence[Row], load: Loader, size: int) -> bool:
        """Add `rows`, or else the next entries of the published log of `size`. Blocks on the disk.

        `rows` are contiguous and published. Returns whether the index is level: call again when it
        is not. Never raises.
        """
        return self._guarded(lambda: self._advance(rows, load, size)) and self.size >= size

    def attempts(
        self, wanted: Collection[bytes], since: int, load: Loader, size: int
    ) -> dict[bytes, int]:
        """Which of these attempts have an entry below `size`: attempt id -> index. For a thread.

        `since`: no entry before this one is about them. What the index has not got is read from the
        published log of `size`. Raises `EvidenceError` and `LogFailure`.
        """
        found: dict[bytes, int] = {}
        start = since
        sought = set(wanted) - {_NOBODY}
        if self._file is not None:
            try:
                with sqlite.translated(self.path):
                    found = dict(self._attempts(self._file, list(sought), since))
                start = max(since, self.size)
            except sqlite.DamagedError as error:
                self.fault = str(error)
                self._discard()
        for row in published_rows(load, start, size, size):
            if row[6] in sought and row[6] is not None:
                found[row[6]] = row[0]
        return {attempt: index for attempt, index in found.items() if index < size}

    def _attempts(
        self, file: sqlite3.Connection, wanted: list[bytes], since: int
    ) -> Iterator[tuple[bytes, int]]:
        for at in range(0, len(wanted), _VARIABLES):
            some = wanted[at : at + _VARIABLES]
            sql = f"{_ATTEMPTS} ({','.join('?' * len(some))})"
            yield from file.execute(sql, (since, *some))

    # --- inside ----------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[], None]) -> bool:
        """Do it; where the file is damaged begin a new one, and leave the rest to the next time."""
        try:
            with sqlite.translated(self.path):
                work()
            self.fault = None
        except (sqlite.DamagedError, LogFailure, EvidenceError) as error:
            self.fault = str(error)
            if isinstance(error, sqlite.DamagedError):
                self._discard()
        return self.fault is None

    def _discard(self) -> None:
        self.close()
        try:
            self._create()
        except LogFailure as error:
            self.fault = str(error)

    def _create(self) -> None:
        schema = _SCHEMA.format(origin=self._origin.replace("'", "''"))
        sqlite.create(self.path, schema, APPLICATION, VERSION)
        self.size = 0

    def _begin(self, size: int) -> None:
        if not self.path.exists():
            self._create()
        self._file = sqlite.connect(self.path, APPLICATION, VERSION)
        if self._file.execute("SELECT origin FROM about").fetchall() != [(self._origin,)]:
            raise sqlite.DamagedError(f"{self.path} is of another log")
        self.size = size_of(self._file)
        if self.size > size:
            raise sqlite.DamagedError(f"{self.path} is of a longer log")
        self._classes.clear()

    def _advance(self, rows: Sequence[Row], load: Loader, size: int) -> None:
        if self._file is None or not self.path.exists():  # anybody may delete it
            self.close()
            self._begin(size)
        rows = [row for row in rows if row[0] >= self.size]
        if rows and rows[0][0] == self.size:
            self._extend(rows)
            return
        missing = published_rows(load, self.size, min(size, self.size + _STEP), size)
        while some := list(islice(missing, _AT_ONCE)):
            self._extend(some)

    def _extend(self, rows: Sequence[Row]) -> None:
        assert self._file is not None  # noqa: S101
        self._file.execute("BEGIN IMMEDIATE")
        try:
            sqlite.insert(self._file, "INSERT INTO entries", [self._columns(row) for row in rows])
            self._file.execute("COMMIT")
        except BaseException:
            self._classes.clear()
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise
        self.size = rows[-1][0] + 1

    def _columns(self, row: Row) -> tuple[int, int, int, bytes]:
        index, completed, kind, problem, stream, transfer_id, attempt, digest = row
        number = self._classes.get((kind, problem, stream))
        if number is None:
            number = self._class(kind, problem, stream)
        digest = _NO_DIGEST if digest is None else digest[:8]
        return index, completed, number, (attempt or _NOBODY) + digest + short_id(transfer_id)

    def _class(self, kind: str, problem: str | None, stream: str) -> int:
        """The number of a class that was not used of late, or never."""
        assert self._file is not None  # noqa: S101
        if len(self._classes) >= _CLASSES:
            self._classes.clear()
        sender, _, route = stream.rpartition("/")
        row = (sender, route, kind, problem)
        known = self._file.execute(_CLASS, row).fetchone()
        number: int = (known or self._file.execute(_NEW_CLASS, row).fetchone())[0]
        self._classes[kind, problem, stream] = number
        return number


def size_of(found: sqlite3.Connection) -> int:
    """How many entries the index has."""
    last = found.execute("SELECT max(i) FROM entries").fetchone()[0]
    return 0 if last is None else int(last) + 1


def start_of(found: sqlite3.Connection, time: int, size: int) -> int:
    """An index before which nothing was completed at `time` or later, by a minute's margin."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        row = found.execute("SELECT t FROM entries WHERE i = ?", (middle,)).fetchone()
        if row is None or row[0] >= time - MARGIN:
            high = middle
        else:
            low = middle + 1
    return low
