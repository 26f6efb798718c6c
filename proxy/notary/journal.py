"""The journal: what the notary writes before anything counts, and reads again after a crash.

A file of records, each

    magic `LGJ` ‖ kind ‖ u32be length ‖ u64be settled ‖ u32be CRC of the 16 octets before
    ‖ u32be CRC of the body ‖ body

    4c 47 4a 45  00 00 0d 5f  00 00 00 00 00 00 01 a0  9b 1f 02 7e  11 8c 60 d5  {"payload":…

| kind | body                                                               |
|------|--------------------------------------------------------------------|
| `S`  | JSON: where the file starts, see `book.py`. The first record, once |
| `M`  | u64be index of an entry ‖ a memo about it for the table of ids     |
| `E`  | the exact octets of an envelope: the next leaf                     |

Rules
- A memo (see `ids.py`) comes before its entry and counts with it, so that no entry is ever there
  without its memo. A new journal begins with those that the table may not hold yet.
- A new journal is written whole beside the old one and renamed over it; then it only grows.
- After any failed write or sync nothing is appended to the file any more: a new one is written from
  memory. Pages that a failed fdatasync has dropped are never trusted.
- `settled` is a length of the file up to which everything was durable when the record was written
  (in a new journal: its whole length). So a reader knows damage from a torn tail: the first record
  that does not read ends the file, unless some record settles what lies beyond that point. A torn
  tail was never acknowledged and is dropped; damage is told, and nothing starts on it.
"""

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from proxy.errors import EvidenceError
from proxy.notary.disk import Disk

SNAPSHOT: Final = b"S"
MEMO: Final = b"M"
ENTRY: Final = b"E"
_KINDS: Final = (SNAPSHOT, MEMO, ENTRY)
_MAGIC: Final = b"LGJ"
_HEADER: Final = struct.Struct(">3scIQII")
_HEAD: Final = struct.Struct(">3scIQ")
_CRCS: Final = struct.Struct(">II")
_CHECKED: Final = 16

Item = tuple[bytes, bytes]
"""Kind and body."""


def memo(index: int, body: bytes) -> Item:
    """What entry `index` does to the table of ids."""
    return MEMO, index.to_bytes(8) + body


def memo_of(body: bytes) -> tuple[int, bytes]:
    """Index and memo."""
    return int.from_bytes(body[:8]), body[8:]


@dataclass(frozen=True, slots=True)
class Scan:
    """What a journal holds."""

    items: tuple[Item, ...]
    length: int
    """Octets up to which it reads."""
    fault: Literal["short", "bad"] | None
    """What ends it: a record cut off, or one that is whole and wrong. None: the end of the file."""
    damaged: bool
    """True when what does not read had been durable."""


def encode(items: Iterable[Item], settled: int | None = None) -> bytes:
    """Records; `settled` None means that they are a new journal."""
    if settled is None:
        items = list(items)
        settled = sum(_HEADER.size + len(body) for _, body in items)
    parts: list[bytes] = []
    head_of, crcs_of, crc32 = _HEAD.pack, _CRCS.pack, zlib.crc32
    for kind, body in items:
        head = head_of(_MAGIC, kind, len(body), settled)
        parts += (head, crcs_of(crc32(head), crc32(body)), body)
    return b"".join(parts)


def scan(data: bytes) -> Scan:
    """Everything up to the first record that does not read. Any octets do; never raises."""
    items: list[Item] = []
    at = settled = 0
    fault: Literal["short", "bad"] | None = None
    while at < len(data):
        found = _read(data, at)
        if isinstance(found, str):
            fault = found
            break
        item, reach, at = found
        items.append(item)
        settled = max(settled, reach)
    if fault is not None:
        settled = max([settled, *_settled_beyond(data, at)])
    return Scan(tuple(items), at, fault, settled > at)


def _read(data: bytes, at: int) -> tuple[Item, int, int] | Literal["short", "bad"]:
    if len(data) - at < _HEADER.size:
        return "short"
    magic, kind, length, settled, head_crc, body_crc = _HEADER.unpack_from(data, at)
    if zlib.crc32(data[at : at + _CHECKED]) != head_crc or magic != _MAGIC or kind not in _KINDS:
        return "bad"
    start = at + _HEADER.size
    if len(data) - start < length:
        return "short"
    body = data[start : start + length]
    return ((kind, body), settled, start + length) if zlib.crc32(body) == body_crc else "bad"


def _settled_beyond(data: bytes, at: int) -> Iterator[int]:
    """What the records that still read after a bad one say was durable."""
    at = data.find(_MAGIC, at + 1)
    while at >= 0:
        found = _read(data, at)
        if not isinstance(found, str):
            yield found[1]
        at = data.find(_MAGIC, at + 1)


def read_file(path: Path) -> Scan:
    """The journal at `path`; raises `OSError`."""
    return scan(path.read_bytes())


def require_intact(found: Scan, path: Path) -> None:
    """Raises unless all that was ever durable reads, and a snapshot comes first. Fails closed."""
    if found.damaged:
        raise EvidenceError(f"{path}: damaged at octet {found.length}; what follows was durable")
    if not found.items or found.items[0][0] != SNAPSHOT:
        raise EvidenceError(f"{path}: does not begin with a snapshot")
    if any(kind == SNAPSHOT for kind, _ in found.items[1:]):
        raise EvidenceError(f"{path}: holds a second snapshot")


class Journal:
    """The journal that is being written."""

    def __init__(self, disk: Disk, path: Path, scratch: Path, items: Iterable[Item]) -> None:
        """Put a new journal in place of what is at `path`, in one step. Raises `OSError`."""
        data = encode(items)
        self._disk = disk
        self.fd = disk.create(path, scratch, [data])
        self.initial = self.length = self._settled = len(data)
        try:
            disk.sync_folder(path.parent)
        except OSError:
            self.close()
            raise

    def append(self, items: Iterable[Item]) -> None:
        """Add records; they are not durable yet. After an `OSError` the journal is spoilt."""
        data = encode(items, self._settled)
        self._disk.append(self.fd, data)
        self.length += len(data)

    def sync(self) -> None:
        """Make what was appended before the call durable. After an `OSError` it is spoilt.

        May run in a thread while the journal is appended to, or replaced and closed.
        """
        length, fd = self.length, os.dup(self.fd)
        try:
            self._disk.sync(fd)
        finally:
            os.close(fd)
        self.settle(length)

    def settle(self, length: int) -> None:
        """Up to there all is durable."""
        self._settled = max(self._settled, length)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
