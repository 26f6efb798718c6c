"""Lines of logs that add to receipts what those do not have: path and address.

One JSON object a line. A line of our own names its receipt by `receipt`, the index; one of another
program, as the receiver's access log, names the transfer by `transfer_id`. Taken are `address`, and
`path`, or `target` up to its `?`; everything else is passed over. What two lines about the same
transfer say differently is not known: a sender may use any id, that of another sender too.

They are kept in a temporary file, not in memory.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from proxy.cli.receipts_files import UnreadableError

_LONGEST: Final = 2**20
"""Octets of a line."""
_TABLE: Final = "CREATE TABLE said (about TEXT PRIMARY KEY, address TEXT, path TEXT) WITHOUT ROWID"
_ADD: Final = """
INSERT INTO said VALUES (?, ?, ?) ON CONFLICT (about) DO UPDATE SET
address = CASE WHEN address IS NULL OR address = excluded.address THEN excluded.address
               WHEN excluded.address IS NULL THEN address ELSE '' END,
path = CASE WHEN path IS NULL OR path = excluded.path THEN excluded.path
            WHEN excluded.path IS NULL THEN path ELSE '' END
"""
Said = tuple[str | None, str | None]
"""Address and path."""


class Lines:
    """What the lines say of a transfer."""

    def __init__(self, table: sqlite3.Connection, *, some: bool) -> None:
        self._table = table
        self._some = some

    def of(self, index: int, transfer_id: str) -> Said:
        if not self._some:
            return None, None
        own, its = (self._said(about) for about in (f"#{index}", transfer_id))
        return own[0] or its[0], own[1] or its[1]

    def _said(self, about: str) -> Said:
        query = "SELECT address, path FROM said WHERE about = ?"
        row = self._table.execute(query, (about,)).fetchone()
        return (None, None) if row is None else (row[0] or None, row[1] or None)


@contextmanager
def lines(files: Iterable[Path]) -> Iterator[Lines]:
    """The lines of these files. Raises `UnreadableError`."""
    paths = list(files)
    with closing(sqlite3.connect("")) as table:
        table.execute(_TABLE)
        for path in paths:
            table.executemany(_ADD, _rows(path))
        table.commit()
        yield Lines(table, some=bool(paths))


def _rows(path: Path) -> Iterator[tuple[str, str | None, str | None]]:
    try:
        with path.open("rb") as file:
            while line := file.readline(_LONGEST):
                yield from _row(line)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None


def _row(line: bytes) -> Iterator[tuple[str, str | None, str | None]]:
    try:
        said: Any = orjson.loads(line)
    except ValueError:
        return
    if not isinstance(said, dict):
        return
    index, transfer_id = said.get("receipt"), said.get("transfer_id")
    path = said.get("path") or said.get("target")
    path = path.partition("?")[0] if isinstance(path, str) and path.startswith("/") else None
    address = said.get("address") if said.get("event") == "transfer" else None
    address = address if isinstance(address, str) else None
    if path is None and address is None:
        return
    if isinstance(index, int):
        yield f"#{index}", address, path
    elif isinstance(transfer_id, str):
        yield transfer_id.lower(), address, path
