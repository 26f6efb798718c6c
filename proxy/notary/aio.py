"""fdatasync without a thread: the kernel does it and tells when (Linux's io_submit(2)).

Asked for `IOCB_CMD_FDSYNC` (Linux 4.18 and later) the kernel calls what fdatasync calls, in a
worker of its own, and then counts up an eventfd, which an event loop waits for as for a socket.
What it says is what fdatasync would have said of that file.

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
from typing import Final

_NUMBERS: Final = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2)}
"""Machine -> io_setup, io_destroy, io_getevents, io_submit, of a process of 64 bits."""
_WORD: Final = 2**63 - 1
"""A process of 32 bits on the same machine has other numbers: of these one sets its groups."""
_IOCB: Final = struct.Struct("=QIiHhiQQqQII")
_EVENT: Final = struct.Struct("=QQqq")
_FDSYNC: Final = 3
_TELLS: Final = 1
"""IOCB_FLAG_RESFD: the eventfd counts."""


class Aio:
    """A context of the kernel for one operation at a time; of no use to a process forked from this.

    Raises `OSError` where there is none to be had: an old kernel, a sandbox, no place left.
    """

    def __init__(self) -> None:
        numbers = _NUMBERS.get(os.uname().machine)
        if numbers is None or sys.maxsize < _WORD:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        setup, self._destroy, self._getevents, self._submit = numbers
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.argtypes, self._syscall.restype = [ctypes.c_long] * 6, ctypes.c_long
        self._iocb = ctypes.create_string_buffer(_IOCB.size)
        self._event = ctypes.create_string_buffer(_EVENT.size)
        self._list = ctypes.c_ulong(ctypes.addressof(self._iocb))
        self._number = 0
        """Of the operation."""
        self.done = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when the operation has ended."""
        context = ctypes.c_ulong(0)
        try:
            self._call(setup, 1, ctypes.addressof(context))
        except OSError:
            os.close(self.done)
            raise
        self._context = context.value

    def fdatasync(self, fd: int) -> None:
        """Begin it; the file may be closed meanwhile."""
        self._number += 1
        iocb = self._number, 0, 0, _FDSYNC, 0, fd, 0, 0, 0, 0, _TELLS, self.done
        _IOCB.pack_into(self._iocb, 0, *iocb)
        self._call(self._submit, self._context, 1, ctypes.addressof(self._list))

    def end(self) -> None:
        """`done` is readable: raises what the operation has raised.

        Where it is not, waits: whatever woke the caller, only the last that was begun counts.
        """
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.done)
        number, result = 0, 0
        while number != self._number:
            with contextlib.suppress(InterruptedError):
                self._call(self._getevents, self._context, 1, 1, ctypes.addressof(self._event))
                number, _, result, _ = _EVENT.unpack_from(self._event)
        if result < 0:
            raise OSError(-result, os.strerror(-result))

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
