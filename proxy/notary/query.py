"""What is looked for in a log: which entries a query means, and where the index thinks they are.

`matches` decides, on the entry itself. The index only names candidates, a page at a time: no
snapshot of it is held while somebody reads the answer, and it may be damaged, rebuilt or gone in
between.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from proxy.errors import EvidenceError, LogFailure
from proxy.notary import sqlite
from proxy.notary.index import APPLICATION, INDEX, MARGIN, VERSION, size_of, start_of
from proxy.notary.rows import milliseconds, short_id
from proxy.receipt.reading import Summary

PAGE: Final = 4_096
"""Candidates that are fetched at once."""


@dataclass(frozen=True, slots=True)
class Query:
    """What an entry must have; None: whatever it has."""

    since: datetime | None = None
    """Completed then or later."""
    until: datetime | None = None
    """Completed then or earlier."""
    peer: str | None = None
    """The sender's name; `*` stands for anything in it."""
    route: str | None = None
    kind: str | None = None
    """A verdict, `event:<kind>`, or `event:*` for every event."""
    problem: str | None = None
    transfer_id: str | None = None
    digest: bytes | None = None
    """SHA-256 of what was delivered."""

    @property
    def about_transfers(self) -> bool:
        """True where no event can match."""
        asked = (self.peer, self.route, self.problem, self.transfer_id, self.digest)
        return any(wanted is not None for wanted in asked)

    def matches(self, found: Summary) -> bool:
        if self.since is not None and found.completed < self.since:
            return False
        if self.until is not None and found.completed > self.until:
            return False
        if found.event is not None:
            return not self.about_transfers and self.kind in (None, "event:*", _kind(found))
        wanted = (
            (self.kind, _kind(found)),
            (self.route, found.route),
            (self.problem, found.problem),
            (self.transfer_id, found.transfer_id),
            (self.digest, found.delivered_sha256),
        )
        if any(asked is not None and asked != has for asked, has in wanted):
            return False
        return self.peer is None or _pattern(self.peer).fullmatch(found.sender) is not None


def _kind(found: Summary) -> str:
    return f"event:{found.event}" if found.verdict is None else found.verdict.value


def _pattern(peer: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, peer.split("*"))), re.DOTALL)


# --- candidates ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """Candidates in the order that was asked for. `size`: how far the index goes."""

    size: int
    indexes: tuple[int, ...]


def page(
    folder: Path, origin: str, query: Query, *, low: int, high: int, newest_first: bool
) -> Page | None:
    """Up to `PAGE` candidates from `low` on and below `high`; None where the index is of no use.

    An index that is written to is read by its write-ahead log; one that lies still is read as it
    is, which needs no right to write beside it, and must lie still all the while.
    """
    path = folder / INDEX
    for _ in range(3):
        try:
            live, before = path.with_name(f"{INDEX}-wal").exists(), _state(path)
            with sqlite.translated(path), closing(_open(path, live=live)) as found:
                answer = _page(found, path, origin, query, (low, high), newest_first=newest_first)
            if live or _state(path) == before:
                return answer
        except (EvidenceError, LogFailure, FileNotFoundError):
            return None
    return None


def _state(path: Path) -> tuple[int, int, bool]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, path.with_name(f"{INDEX}-wal").exists()


def _open(path: Path, *, live: bool) -> sqlite3.Connection:
    how = "mode=ro" if live else "mode=ro&immutable=1"
    uri = f"{path.resolve().as_uri()}?{how}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=1.0)


def _page(
    found: sqlite3.Connection,
    path: Path,
    origin: str,
    query: Query,
    span: tuple[int, int],
    *,
    newest_first: bool,
) -> Page:
    sqlite.require_ours(found, path, APPLICATION, VERSION)
    if found.execute("SELECT origin FROM about").fetchall() != [(origin,)]:
        raise EvidenceError(f"{path} is of another log")
    size = size_of(found)
    low, high = span[0], min(span[1], size)
    if query.since is not None:
        low = max(low, start_of(found, milliseconds(query.since), size))
    if query.until is not None:
        high = min(high, start_of(found, milliseconds(query.until) + 2 * MARGIN, size))
    terms = list(_terms(query))
    where = " AND ".join(["i >= ?", "i < ?", *(term for term, _ in terms)])
    order = "DESC" if newest_first else "ASC"
    sql = f"SELECT i FROM entries WHERE {where} ORDER BY i {order} LIMIT {PAGE}"  # noqa: S608
    values = [low, high, *(value for _, some in terms for value in some)]
    return Page(size, tuple(index for (index,) in found.execute(sql, values)))


def _terms(query: Query) -> Iterator[tuple[str, list[Any]]]:
    """What the rows are asked, in the order of what it costs."""
    if query.since is not None:
        yield "t >= ?", [milliseconds(query.since)]
    if query.until is not None:
        yield "t <= ?", [milliseconds(query.until)]
    classes = list(_classes(query))
    if classes:
        terms = " AND ".join(term for term, _ in classes)
        chosen = f"class IN (SELECT n FROM classes WHERE {terms})"  # noqa: S608
        yield chosen, [value for _, value in classes]
    if query.transfer_id is not None:
        yield "substr(octets, 25) = ?", [short_id(query.transfer_id)]
    if query.digest is not None:
        yield "substr(octets, 17, 8) = ?", [query.digest[:8]]


def _classes(query: Query) -> Iterator[tuple[str, str]]:
    if query.kind is not None:
        yield "kind GLOB ?", query.kind
    if query.about_transfers:
        yield "kind NOT GLOB ?", "event:*"
    if query.problem is not None:
        yield "problem = ?", query.problem
    if query.route is not None:
        yield "route = ?", query.route
    if query.peer is not None:
        yield "sender GLOB ?", query.peer.replace("[", "[[]").replace("?", "[?]")
