"""What finds entries in a log of millions: `<store>/index.sqlite`, one short row an entry.

    entries(i INTEGER PRIMARY KEY, t, kind, problem, stream, id, attempt, digest)
    words(n INTEGER PRIMARY KEY, text)       what `kind` and `problem` count in
    streams(n INTEGER PRIMARY KEY, text)     what `stream` counts in: `<sender>/<route>`
    about(origin)                            of which log

`t` is Unix milliseconds of completion, `kind` a verdict or `event:<kind>`, `id` the transfer id
without its dashes as octets (its text, where that is not hexadecimal), `attempt` all of the attempt
id, `digest` the first 8 octets of SHA-256 of what was delivered: some 70 octets a row.

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
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

from proxy.errors import EvidenceError, LogFailure
from proxy.notary import sqlite
from proxy.notary.rows import Row, milliseconds, published_rows, short_id
from proxy.receipt.tiles import Loader

INDEX: Final = "index.sqlite"
APPLICATION: Final = 0x4C474958  # "LGIX"
VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE entries (i INTEGER PRIMARY KEY, t INTEGER, kind INTEGER, problem INTEGER,
                      stream INTEGER, id BLOB, attempt BLOB, digest BLOB);
CREATE TABLE words (n INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE streams (n INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE about (origin TEXT NOT NULL);
INSERT INTO about VALUES ('{origin}')
"""
_STEP: Final = 16_384
"""Entries that one `advance` reads from the log at most: some 0.3 s."""
_AT_ONCE: Final = 4_096
_VARIABLES: Final = 10_000
_SLACK: Final = 60_000


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
        self._words: dict[str | None, int | None] = {}
        self._streams: dict[str, int] = {}

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
        self, wanted: Collection[bytes], since: datetime, load: Loader, size: int
    ) -> dict[bytes, int]:
        """Which of these attempts have an entry below `size`: attempt id -> index. For a thread.

        `since`: none of them was completed before. What the index has not got is read from the
        published log of `size`. Raises `EvidenceError` and `LogFailure`.
        """
        time, found, start = milliseconds(since), {}, 0
        if self._file is not None:
            try:
                with sqlite.translated(self.path):
                    found = dict(self._attempts(self._file, list(wanted), time))
                start = self.size
            except sqlite.DamagedError as error:
                self.fault = str(error)
                self._discard()
        sought = set(wanted)
        for row in published_rows(load, start, size, size):
            if row[6] in sought and row[6] is not None:
                found[row[6]] = row[0]
        return {attempt: index for attempt, index in found.items() if index < size}

    def _attempts(
        self, file: sqlite3.Connection, wanted: list[bytes], time: int
    ) -> Iterator[tuple[bytes, int]]:
        start = start_of(file, time, self.size)
        for at in range(0, len(wanted), _VARIABLES):
            some = wanted[at : at + _VARIABLES]
            marks = ",".join("?" * len(some))
            yield from file.execute(
                f"SELECT attempt, i FROM entries WHERE i >= ? AND attempt IN ({marks})",  # noqa: S608
                (start, *some),
            )

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
        self._words = {None: None, **_numbers(self._file, "words")}
        self._streams = _numbers(self._file, "streams")

    def _advance(self, rows: Sequence[Row], load: Loader, size: int) -> None:
        if self._file is None:
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
        words, streams = self._words.copy(), self._streams.copy()
        self._file.execute("BEGIN IMMEDIATE")
        try:
            sqlite.insert(self._file, "INSERT INTO entries", [self._columns(row) for row in rows])
            self._file.execute("COMMIT")
        except BaseException:
            self._words, self._streams = words, streams
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise
        self.size = rows[-1][0] + 1

    def _columns(self, row: Row) -> tuple[Any, ...]:
        index, completed, kind, problem, stream, transfer_id, attempt, digest = row
        word, why, number = self._words.get(kind), None, self._streams.get(stream)
        if word is None:
            word = self._number("words", self._words, kind)
        if problem is not None:
            why = self._words.get(problem) or self._number("words", self._words, problem)
        if number is None:
            number = self._number("streams", self._streams, stream)
        short = None if digest is None else digest[:8]
        return index, completed, word, why, number, short_id(transfer_id), attempt, short

    def _number(self, table: str, numbers: dict[Any, Any], text: str) -> int:
        """A new word's number."""
        assert self._file is not None  # noqa: S101
        number = numbers[text] = len(numbers) + 1
        self._file.execute(f"INSERT INTO {table} VALUES (?, ?)", (number, text))  # noqa: S608
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
        if row is None or row[0] >= time - _SLACK:
            high = middle
        else:
            low = middle + 1
    return low


def _numbers(found: sqlite3.Connection, table: str) -> dict[Any, int]:
    return {text: n for n, text in found.execute(f"SELECT n, text FROM {table}")}  # noqa: S608
