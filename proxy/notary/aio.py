"""fdatasync and fsync without a thread: the kernel does it and tells when (Linux's io_submit(2)).

Asked for `IOCB_CMD_FDSYNC` (Linux 4.18 and later) the kernel calls what fdatasync calls, in a
worker of its own, and then counts up an eventfd, which an event loop waits for as for a socket.
What it says is what fdatasync would have said of that file. Of several files at once it has a
worker each, and a file system with a journal of its own commits that for many of them together.

Bound here by ctypes, four calls and two structures, as the C library has no names for them:

    struct iocb      u64 data | u32 key | i32 flags of the operation | u16 operation | i16 priority
                     | u32 fd | u64 buffer | u64 octets | i64 offset | u64 | u32 flags | u32 eventfd
    struct io_event  u64 data | u64 iocb | i64 result: 0, or -errno | i64
"""

import contextlib
import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Final

_NUMBERS: Final = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2)}
"""Machine -> io_setup, io_destroy, io_getevents, io_submit, of a process of 64 bits."""
_WORD: Final = 2**63 - 1
"""A process of 32 bits on the same machine has other numbers: of these one sets its groups."""
_IOCB: Final = struct.Struct("=QIiHhiQQqQII")
_EVENT: Final = struct.Struct("=QQqq")
_FSYNC: Final = 2
_FDSYNC: Final = 3
_TELLS: Final = 1
"""IOCB_FLAG_RESFD: the eventfd counts."""


class Aio:
    """A context of the kernel for one group of operations at a time, each on a file of its own; of
    no use to a process forked from this.

    Raises `OSError` where there is none to be had: an old kernel, a sandbox, no place left.
    """

    def __init__(self, most: int = 1) -> None:
        """`most`: operations of a group."""
        numbers = _NUMBERS.get(os.uname().machine)
        if numbers is None or sys.maxsize < _WORD:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        setup, self._destroy, self._getevents, self._submit = numbers
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.argtypes, self._syscall.restype = [ctypes.c_long] * 6, ctypes.c_long
        self._iocbs = ctypes.create_string_buffer(most * _IOCB.size)
        self._events = ctypes.create_string_buffer(most * _EVENT.size)
        first = ctypes.addressof(self._iocbs)
        self._list = (ctypes.c_ulong * most)(*range(first, first + most * _IOCB.size, _IOCB.size))
        self._most = most
        self._number = 0
        """Of the last operation."""
        self._begun = 0
        """Operations of the last group."""
        self.done = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when an operation has ended."""
        context = ctypes.c_ulong(0)
        try:
            self._call(setup, most, ctypes.addressof(context))
        except OSError:
            os.close(self.done)
            raise
        self._context = context.value

    def fdatasync(self, *fds: int) -> int:
        """Begin it; the files may be closed meanwhile. Returns of how many, the first ones: the
        kernel does not take the next one. Raises `OSError` where it takes none."""
        return self._begin(_FDSYNC, fds)

    def fsync(self, *fds: int) -> int:
        """The same, of folders too."""
        return self._begin(_FSYNC, fds)

    def _begin(self, operation: int, fds: Sequence[int]) -> int:
        for place, fd in enumerate(fds):
            self._number += 1
            iocb = self._number, 0, 0, operation, 0, fd, 0, 0, 0, 0, _TELLS, self.done
            _IOCB.pack_into(self._iocbs, place * _IOCB.size, *iocb)
        self._begun = 0
        self._begun = self._call(
            self._submit, self._context, len(fds), ctypes.addressof(self._list)
        )
        self._number -= len(fds) - self._begun
        return self._begun

    def end(self) -> None:
        """`done` is readable: raises what one of the operations has raised.

        Where it is not, waits: whatever woke the caller, only the last that were begun count.
        """
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.done)
        before, worst = self._number - self._begun, 0
        while self._begun:
            for number, result in self._ended():
                self._begun -= number > before
                worst = min(worst, result) if number > before else worst
        if worst < 0:
            raise OSError(-worst, os.strerror(-worst))

    def _ended(self) -> Iterator[tuple[int, int]]:
        """Numbers and results of operations that have ended, of earlier groups too; waits for as
        many as are under way."""
        found, words = 0, (self._begun, self._most, ctypes.addressof(self._events))
        with contextlib.suppress(InterruptedError):
            found = self._call(self._getevents, self._context, *words)
        for place in range(found):
            number, _, result, _ = _EVENT.unpack_from(self._events, place * _EVENT.size)
            yield number, result

    def close(self) -> None:
        """Give the context back. Waits for what is under way."""
        self._call(self._destroy, self._context)
        os.close(self.done)

    def _call(self, number: int, *words: int) -> int:
        result: int = self._syscall(number, *words, *[0] * (5 - len(words)))
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result
