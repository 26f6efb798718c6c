"""Linux's inotify(7): the kernel tells when a name in a folder comes to mean something else.

Bound here by ctypes, three calls and one structure: the packages that wrap it bring threads and an
event loop of their own, and lose sight of a file whose folder is swapped by a symbolic link. Here
every look-up on the way to a file is watched, so that a link anywhere on it may be swapped:

    /etc/lockgate/tls.crt -> ..data/tls.crt       (/etc/lockgate, tls.crt)
    /etc/lockgate/..data  -> ..2026_11_23         (/etc/lockgate, ..data)
                                                  (/etc/lockgate/..2026_11_23, tls.crt), and `etc`

An event says no more than that it is time to look.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import trio

_NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | os.O_CLOEXEC
_MODIFY, _ATTRIB, _CLOSE_WRITE, _MOVED, _CREATE, _DELETE, _ONLYDIR = (
    0x2, 0x4, 0x8, 0xC0, 0x100, 0x200, 0x01000000,
)  # fmt: skip
_MASK: Final = _ATTRIB | _CLOSE_WRITE | _MOVED | _CREATE | _DELETE | _ONLYDIR
_OVERFLOW: Final = 0x4000
_EVENT: Final = struct.Struct("iIII")
"""struct inotify_event: watch, mask, cookie, length of the name that follows."""
_LINKS: Final = 40
"""MAXSYMLINKS: how many the kernel follows."""


class Inotify:
    """One instance. Raises OSError where the system has none to give."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._require(self._libc.inotify_init1(_NONBLOCK_CLOEXEC))
        self._names: dict[int, set[str]] = {}
        """Watch -> the names in its folder that are looked up."""

    def arm(self, paths: Iterable[Path]) -> None:
        """Watch the ways to these paths as they lead now, and no others. Raises OSError."""
        wanted: dict[str, set[str]] = {}
        for path in paths:
            for folder, name in steps(path):
                wanted.setdefault(folder, set()).add(name)
        found: dict[int, set[str]] = {}
        for folder, names in wanted.items():
            try:
                watch = self._require(
                    self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _MASK)
                )
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
                    continue  # what comes to be there changes a name in the folder above
                raise
            found.setdefault(watch, set()).update(names)
        for watch in self._names.keys() - found.keys():
            self._libc.inotify_rm_watch(self._fd, watch)  # fails where the folder is gone
        self._names = found

    async def changed(self) -> None:
        """Return when a name on the way to one of the paths has changed."""
        while not self._read():
            await trio.lowlevel.wait_readable(self._fd)

    def _read(self) -> bool:
        """Take what the kernel has to say; True when any of it is about our names."""
        ours = False
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return ours
            while data:
                watch, mask, _, length = _EVENT.unpack_from(data)
                name = os.fsdecode(data[_EVENT.size : _EVENT.size + length].rstrip(b"\0"))
                ours |= bool(mask & _OVERFLOW) or name in self._names.get(watch, ())
                data = data[_EVENT.size + length :]

    def close(self) -> None:
        os.close(self._fd)

    @staticmethod
    def _require(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def steps(path: Path) -> Iterator[tuple[str, str]]:
    """Every look-up on the way to an absolute path, links followed: (folder, name)."""
    left, at, links = path.parts[:0:-1], "/", 0
    while left and links <= _LINKS:
        name, left = left[-1], left[:-1]
        if name == "..":
            at = os.path.dirname(at)
        if name in ("", ".", ".."):
            continue
        yield at, name
        here = os.path.join(at, name)
        try:
            target = os.readlink(here)
        except OSError:
            at = here  # no link, or not there
            continue
        links += 1
        at = "/" if target.startswith("/") else at
        left = (*left, *reversed(target.split("/")))
