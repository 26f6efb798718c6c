"""The folder of `lockgate receive`: one file a transfer, whole or not there at all.

A body is written to `.incoming-<random>`, compared with its digest, flushed to the disk, and only
then renamed to `<transfer id>.<suffix>`. A later attempt of the same transfer replaces it.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_NAME = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.(json|ndjson|csv|tsv|txt|bin)")
_SUFFIXES = {
    b"application/json": "json",
    b"application/ndjson": "ndjson",
    b"application/x-ndjson": "ndjson",
    b"application/jsonl": "ndjson",
    b"application/x-jsonlines": "ndjson",
    b"text/csv": "csv",
    b"text/tab-separated-values": "tsv",
    b"text/plain": "txt",
}
TYPES = {
    "json": b"application/json",
    "ndjson": b"application/x-ndjson",
    "csv": b"text/csv",
    "tsv": b"text/tab-separated-values",
    "txt": b"text/plain; charset=utf-8",
}
"""Suffix -> the Content-Type under which it is handed out; the rest are octets."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the sender is told. `sha256` is in hexadecimal."""

    name: str
    octets: int
    sha256: str


class Incoming:
    """A body on its way to the disk."""

    def __init__(self, folder: Path, file: BinaryIO, path: Path) -> None:
        self._folder, self._file, self._path = folder, file, path
        self._sha256 = hashlib.sha256()
        self._octets = 0

    def write(self, data: bytes) -> None:
        """Add octets. Raises OSError."""
        self._file.write(data)
        self._sha256.update(data)
        self._octets += len(data)

    def keep(self, name: str) -> Stored:
        """Make it durable under its name: it was whole. May block on the disk; raises OSError."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.replace(self._folder / name)
        return Stored(name, self._octets, self._sha256.hexdigest())


@contextmanager
def incoming(folder: Path) -> Iterator[Incoming]:
    """A body to write. What was not kept at the end of the block leaves no file."""
    path = folder / f".incoming-{secrets.token_hex(8)}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield Incoming(folder, file, path)
    finally:
        path.unlink(missing_ok=True)


def suffix(content_type: bytes) -> str:
    """The suffix that goes with a Content-Type; `bin` for what is none of them."""
    media_type = content_type.partition(b";")[0].strip().lower()
    return "json" if media_type.endswith(b"+json") else _SUFFIXES.get(media_type, "bin")


def find(folder: Path, path: str) -> Path | None:
    """The stored file that the last segment of a request's path names; None when there is none.

    Only names that this module gives are looked for, so no path leads out of the folder.
    """
    name = path.rpartition("/")[2]
    found = folder / name
    known = _NAME.fullmatch(name) is not None and found.is_file() and not found.is_symlink()
    return found if known else None
