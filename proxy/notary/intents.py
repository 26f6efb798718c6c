"""A worker's intents: what it has begun to forward, in a file that outlives it.

`<store>/intents/<worker>` is slots of 4,096 octets, each empty (zeros) or one intent:

    magic `LGI1` ‖ u32be length of the body ‖ u32be CRC of the 8 octets before and the body ‖ body
    body: attempt id (16) ‖ i64be started (µs since 1970) ‖ f64be window (s) ‖ u8 flags
          ‖ u16be lengths of transfer id, sender and route ‖ these, in UTF-8
          ‖ nonce (32), where the claim has one
    flags: 1 a claim is held, 2 it may forward after an undecided attempt, 4 it has a nonce

    4c 47 49 31  00 00 00 6c  5d 0a 91 c3  7f 1e … 00 06 50 d1 c3 8f 40 00  40 72 c0 00 …  01 …

Rules
- `write` returns when the slot is in the page cache, which survives the process, or with `sync`
  when it is on disk. Only then may anything be forwarded. So a slot that does not read was never
  counted on, and is passed over.
- `clear` empties the slot when the attempt's receipt is durable. That it may not reach the disk
  does not matter: an intent is open when its slot reads *and* no statement has its attempt id.
- The file is allocated before it is used, and doubles: a full disk refuses intents, it loses none.
- A claim has the intent's own sender, route and transfer id.
- A slot is a page, so that a failing disk takes no other intent with it.
- Slots are written by one process, from any of its threads.
"""

import contextlib
import errno
import os
import struct
import threading
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from proxy.errors import LogFailure
from proxy.model import Claim, Intent
from proxy.notary.disk import Disk
from proxy.notary.ids_memo import MAX_WINDOW

FOLDER: Final = "intents"
SLOT: Final = 4096
_FIRST: Final = 64
_MOST: Final = 2**14
"""Slots of a file: so many attempts of one worker may be under way. What one that is no longer ours
writes beyond them is not read, so that it delays no start by more than some seconds.
"""
_AT_ONCE: Final = 256
_MAGIC: Final = b"LGI1"
_HEADER: Final = struct.Struct(">4sII")
_BODY: Final = struct.Struct(">16sqdBHHH")
_EMPTY: Final = bytes(_HEADER.size)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_CLAIM: Final = 1
_FORWARD: Final = 2
_NONCED: Final = 4
_NONCE: Final = 32


def encode(intent: Intent) -> bytes:
    """What a slot holds. Raises `LogFailure` for an intent that fits into none."""
    try:
        names = [text.encode() for text in (intent.transfer_id, intent.sender, intent.route)]
    except UnicodeEncodeError:
        raise LogFailure("an intent holds a name that is not Unicode") from None
    claim, flags, window, nonce = intent.claim, 0, 0.0, b""
    if claim is not None:
        flags, window = _CLAIM | (_FORWARD if claim.forward_undecided else 0), claim.window
        nonce = claim.nonce or b""
        flags |= _NONCED if nonce else 0
    if sum(map(len, names)) + len(nonce) > SLOT - _HEADER.size - _BODY.size:
        raise LogFailure("an intent is larger than its slot")
    started = (intent.started - _EPOCH) // _MICROSECOND
    body = _BODY.pack(intent.attempt_id, started, window, flags, *map(len, names))
    body = b"".join((body, *names, nonce))
    head = struct.pack(">4sI", _MAGIC, len(body))
    return head + struct.pack(">I", zlib.crc32(body, zlib.crc32(head))) + body


def decode(slot: bytes) -> Intent | None:
    """The intent in a slot; None where it is empty or torn. Any octets do; never raises."""
    if len(slot) < _HEADER.size + _BODY.size:
        return None
    magic, length, crc = _HEADER.unpack_from(slot)
    body = slot[_HEADER.size : _HEADER.size + length]
    if magic != _MAGIC or zlib.crc32(body, zlib.crc32(slot[:8])) != crc or len(body) != length:
        return None
    try:
        return _decode(body)
    except (ValueError, OverflowError, struct.error):
        return None


def _decode(body: bytes) -> Intent | None:
    attempt_id, started, window, flags, *lengths = _BODY.unpack_from(body)
    end = _BODY.size + sum(lengths)
    if len(body) != end + (_NONCE if flags & _NONCED else 0):
        return None
    names, at = [], _BODY.size
    for length in lengths:
        names.append(body[at : at + length].decode())
        at += length
    transfer_id, sender, route = names
    claim = None
    if flags & _CLAIM:
        if not 0 <= window <= MAX_WINDOW:
            return None
        claim = Claim(
            sender, route, transfer_id, window, bool(flags & _FORWARD), body[end:] or None
        )
    time = _EPOCH + started * _MICROSECOND
    return Intent(attempt_id, transfer_id, sender, route, time, claim)


def read_intents(path: Path) -> list[Intent]:
    """Every intent that reads; none where there is no file. Raises `OSError`."""
    found: list[Intent] = []
    try:
        with path.open("rb") as file:
            for _ in range(0, _MOST, _AT_ONCE):
                data = file.read(_AT_ONCE * SLOT)
                if not data:
                    break
                slots = (decode(data[at : at + SLOT]) for at in range(0, len(data), SLOT))
                found += (intent for intent in slots if intent is not None)
    except FileNotFoundError:
        pass
    return found


class IntentFile:
    """The slots of one worker. `open` it; `write` and `clear`; `close` it."""

    def __init__(self, disk: Disk, fd: int, *, sync: bool) -> None:
        self.sync = sync
        """True when `write` waits for the disk: call it in a thread then."""
        self._disk = disk
        self._fd = fd
        self._slots: dict[bytes, int] = {}
        self._free: list[int] = []
        self._size = 0
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._written = self._synced = self._lost = 0

    @classmethod
    def open(cls, path: Path, *, sync: bool, disk: Disk | None = None) -> Self:
        """Make the file anew: what an earlier worker of that name left is the notary's to close.

        Raises `LogFailure`, also where there is such a file still.
        """
        disk = disk or Disk()
        try:
            for folder in disk.make_folders(path.parent):
                disk.sync_folder(folder)
            fd = disk.create_slots(path)
        except OSError as error:
            raise LogFailure(f"{path}: {error.strerror}") from None
        made = cls(disk, fd, sync=sync)
        try:
            made._grow()
            disk.sync(fd)
            disk.sync_folder(path.parent)
        except OSError as error:
            made.close()
            with contextlib.suppress(OSError):
                disk.unlink(path)
            raise LogFailure(f"{path}: {error.strerror}") from None
        return made

    @classmethod
    def inherit(cls, fd: int, *, sync: bool) -> Self:
        """Use an empty file that whoever started us has made. Raises `LogFailure`."""
        made = cls(Disk(), fd, sync=sync)
        try:
            made._grow()
        except OSError as error:
            made.close()
            raise LogFailure(f"the intents cannot be kept: {error.strerror}") from None
        return made

    def write(self, intent: Intent) -> None:
        """Keep an intent. Raises `LogFailure`, and then nothing may be forwarded."""
        data = encode(intent)
        try:
            with self._lock:
                if intent.attempt_id in self._slots:
                    raise LogFailure("this attempt has an open intent already")
                if not self._free:
                    self._grow()
                slot = self._slots[intent.attempt_id] = self._free.pop()
                self._disk.write_at(self._fd, slot * SLOT, data)
                self._written += 1
                ticket = self._written
            if self.sync:
                self._settle(ticket)
        except OSError as error:
            self.clear(intent.attempt_id)
            raise LogFailure(f"an intent cannot be written: {error.strerror}") from None

    def clear(self, attempt_id: bytes) -> None:
        """The attempt's receipt is durable, or nothing was forwarded. Never raises."""
        with self._lock:
            slot = self._slots.pop(attempt_id, None)
            if slot is not None:
                # What stays is no harm: the attempt has its statement, or the next write covers it.
                with contextlib.suppress(OSError):
                    self._disk.write_at(self._fd, slot * SLOT, _EMPTY)
                self._free.append(slot)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _grow(self) -> None:
        size = 2 * self._size or _FIRST
        if size > _MOST:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._disk.allocate(self._fd, size * SLOT)
        self._free.extend(reversed(range(self._size, size)))
        self._size = size

    def _settle(self, ticket: int) -> None:
        """Whoever waits for the disk while another syncs shares the next sync.

        What a failed sync was to write may be gone without the next one failing: so all of it
        counts as lost.
        """
        with self._syncing:
            if ticket <= self._lost:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            if self._synced < ticket:
                written = self._written
                try:
                    self._disk.sync(self._fd)
                except OSError:
                    self._lost = written
                    raise
                self._synced = written
