"""Keeps the table of rates: in memory while the program runs, and in `rates` of the store besides.

What was taken is written there once a second, row by row, as far as it has changed, and at the end.
So a restart remembers all of it, a crash of the whole program forgets a second, and a loss of power
what the kernel had not written yet: half a minute at most. A worker's death loses nothing.

Within one boot the clock of the table is that of the kernel, whatever becomes of the clock on the
wall. After another boot, or on another machine, the wall clock says how long it was off; where that
stands before the last time of the table, no time has passed.

The file is made when anything was taken, in one step, and then written in place. It has the key by
which names become places, and no name.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

import trio

from proxy.edge.rates import ROW, Header, Table, memory, moved
from proxy.errors import ConfigError, LockgateError, Refusal
from proxy.notary.disk import Disk
from proxy.notary.rest import News, beat
from proxy.observe.log import Log
from proxy.settings.load import Loaded
from proxy.settings.secrets import resolve_path

_EVERY: Final = 1.0
_PART: Final = 32 * ROW
_MODE: Final = 0o600
NAME: Final = "rates"


class Rates:
    """The table of the program, kept. To be opened by who holds the store. Raises ConfigError."""

    def __init__(self, loaded: Loaded, log: Log) -> None:
        store = resolve_path(loaded.settings.receipts.store, loaded.directory)
        self._path, self._log = store / NAME, log
        self._file = -1
        self._written = bytearray()
        self._failing = False
        self._used = News()
        try:
            self.table = Table(_filled(self._path, loaded.settings.rates.capacity), self._used.tell)
        except OSError as error:
            message = f"{self._path}: {error.strerror}"
            raise ConfigError([loaded.problem(("receipts", "store"), message)]) from None
        except (LockgateError, Refusal) as error:
            message = f"{self._path}: {error}; without this file every peer begins anew"
            raise ConfigError([loaded.problem(("rates",), message)]) from None

    async def run(self, *, shared: bool = True) -> None:
        """Write what changes, until cancelled. Unless the table is `shared` with other processes,
        nothing is looked at before anything was taken."""
        while not (shared or self.table.used):
            await self._used.wait()
        while True:
            await beat(_EVERY)
            if self.table.used:
                await trio.to_thread.run_sync(self.write)

    def write(self) -> None:
        """Write what has changed. What fails is told once, and tried again."""
        if not self.table.used:
            return
        try:
            if self._file < 0:
                self._written = bytearray(self.table.octets(0, self.table.size))
                self._file = _create(self._path, self._written)
            for begin in range(0, self.table.size, _PART):
                self._write(begin, begin + _PART)
            self._failing = False
        except OSError as error:
            if not self._failing:
                self._log.error("rates_not_kept", reason=error.strerror or str(error))
            self._failing = True

    def _write(self, begin: int, end: int) -> None:
        octets = self.table.octets(begin, end)
        if octets != self._written[begin:end]:
            os.pwrite(self._file, octets, begin)
            self._written[begin:end] = octets

    def close(self) -> None:
        """Write the last of it."""
        self.write()
        if self._file >= 0:
            os.close(self._file)
        self.table.close()


def _filled(path: Path, capacity: int) -> int:
    """A descriptor of memory with all that stands in the file. Raises OSError, LockgateError, and
    Refusal where so many buckets are too few for it."""
    fresh = Header.fresh(capacity)
    try:
        kept = path.read_bytes()
    except FileNotFoundError:
        return memory(fresh)
    old = Header.of(kept)
    if len(kept) != old.size:
        raise LockgateError("the table of rates is not as long as it says")
    offset = old.offset if old.boot == fresh.boot else fresh.offset
    header = replace(fresh, offset=offset, key=old.key)
    table = memory(header)
    try:
        for at, place in moved(kept, header):
            os.pwrite(table, place, at)
        os.pwrite(table, header.octets(used=True), 0)
    except BaseException:
        os.close(table)
        raise
    return table


def _create(path: Path, octets: bytes | bytearray) -> int:
    """The descriptor of a new file in the place of any before it. Raises OSError."""
    scratch = path.with_name(f"{NAME}.new")
    scratch.unlink(missing_ok=True)
    file = os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        if os.geteuid() == 0:  # whoever has the store has it, and may start the program next
            store = path.parent.stat()
            os.fchown(file, store.st_uid, store.st_gid)
        os.posix_fallocate(file, 0, len(octets))
        os.pwrite(file, octets, 0)
        os.fdatasync(file)
        os.rename(scratch, path)
        Disk().sync_folder(path.parent)
    except BaseException:
        os.close(file)
        raise
    return file
