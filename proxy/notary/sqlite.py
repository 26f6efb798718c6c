"""How the notary uses SQLite: a file that is ours or nothing, many rows in one step, clear errors.

- A new file is made whole under another name and renamed, so that one which exists is never a
  half-made one, and an empty one is damage. `application_id` and `user_version` say what it is.
- Write-ahead logging, `synchronous = NORMAL`: whoever reads never waits for the writer, a killed
  process loses nothing, a loss of power loses the last commits whole or not at all.
- Each step of SQLite lets go of the interpreter's lock and must get it back from a busy event loop.
  So rows are written some hundred to a statement, never one by one.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from proxy.errors import EvidenceError, LogFailure

FILE_MODE: Final = 0o640
_MOST: Final = 256
_DAMAGE: Final = frozenset(
    (
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_SCHEMA,
    )
)
"""What a file answers that does not hold what it should; all else is the disk's or the system's."""


class DamagedError(EvidenceError):
    """A file of SQLite's is not one, or not what it should be."""


def translate(path: Path, error: sqlite3.DatabaseError) -> DamagedError | LogFailure:
    """The error as one of ours; a message that SQLite made is not in it."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    name = getattr(error, "sqlite_errorname", "no code")
    if code in _DAMAGE:
        return DamagedError(f"{path} is damaged ({name})")
    return LogFailure(f"{path} cannot be used ({name})")


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as `DamagedError`, or `LogFailure` where the system refused."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise translate(path, error) from None
    except OSError as error:
        raise LogFailure(f"{path}: {error.strerror}") from None


def create(path: Path, schema: str, application: int, version: int) -> None:
    """Put a new file at `path`. Raises what `translated` does."""
    scratch = path.with_name(f".{path.name}")
    with translated(path):
        for left in (scratch, *_beside(scratch), path, *_beside(path)):
            left.unlink(missing_ok=True)
        os.close(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
        made = sqlite3.connect(scratch, isolation_level=None)
        try:
            made.execute("PRAGMA journal_mode = OFF")
            made.executescript(f"BEGIN; {schema}; COMMIT")
            made.execute(f"PRAGMA application_id = {application}")
            made.execute(f"PRAGMA user_version = {version}")
        finally:
            made.close()
        for name in (scratch, path.parent):
            if name == path.parent:
                os.rename(scratch, path)
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]


def connect(path: Path, application: int, version: int) -> sqlite3.Connection:
    """Open an existing file for reading and writing, by one thread at a time.

    Raises `DamagedError` unless it is ours, and `LogFailure`. SQLite's own errors afterwards.
    """
    with translated(path):
        found = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=5.0,
        )
        try:
            require_ours(found, path, application, version)
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = NORMAL")
            found.execute("PRAGMA cache_size = -8192")
        except BaseException:
            found.close()
            raise
    return found


def require_ours(found: sqlite3.Connection, path: Path, application: int, version: int) -> None:
    """Raises `DamagedError` unless the file is of this kind and version. Fails closed."""
    marks = [found.execute(f"PRAGMA {name}").fetchone()[0] for name in _MARKS]
    if marks != [application, version]:
        raise DamagedError(f"{path} is not of this program, or of another version of it")


_MARKS: Final = ("application_id", "user_version")


def insert(found: sqlite3.Connection, into: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows of equal width; `into` is the statement up to VALUES."""
    if not rows:
        return
    row = f"({','.join('?' * len(rows[0]))})"
    at, step = 0, _MOST
    while at < len(rows):
        while step > len(rows) - at:
            step //= 2
        values = [value for row in rows[at : at + step] for value in row]
        found.execute(f"{into} VALUES {','.join([row] * step)}", values)
        at += step
