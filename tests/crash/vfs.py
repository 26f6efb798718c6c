"""SQLite's writes and syncs in the same record: a VFS over SQLite's own, by way of ctypes.

Every file below the recorder's root that SQLite opens while `recorded` lasts gets a copy of its
method table in which `xWrite`, `xTruncate` and `xSync` are ours: they record, and hand on all but
the sync (https://sqlite.org/c3ref/io_methods.html). The shared-memory index of a write-ahead log is
not recorded: SQLite makes it anew after a loss of power. What SQLite syncs of a folder it does on
its own, after making or deleting a log or journal, and we write it down there.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.crash.record import Recorder, Rename, Resize, Sync, SyncFolder, Write

_OPEN_CREATE, _OPEN_JOURNAL, _OPEN_WAL = 0x4, 0x800, 0x80000
_VERSION, _CLOSE, _READ, _WRITE, _TRUNCATE, _SYNC = range(6)
_METHODS = 19
_NAME = b"lockgate-recorded"

_Write = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
)
_Truncate = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_Sync = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_Open = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
)
_Delete = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)


class _Vfs(ctypes.Structure):
    """The beginning of sqlite3_vfs, as far as it is ours to change; the rest is copied."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("path_size", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", ctypes.c_void_p),
        ("delete", ctypes.c_void_p),
        ("rest", ctypes.c_void_p * 14),
    ]


def _library() -> ctypes.CDLL:
    """The very SQLite that Python's module uses."""
    import _sqlite3

    file = getattr(_sqlite3, "__file__", None)
    try:
        found = ctypes.CDLL(file)
        _ = found.sqlite3_vfs_find
    except (AttributeError, OSError, TypeError):
        pytest.skip("this Python has SQLite built in, where nothing can stand between")
    return found


@contextmanager
def recorded(recorder: Recorder) -> Iterator[None]:
    """Record what SQLite does below the recorder's root, in this process, until the end."""
    library = _library()
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    original = library.sqlite3_vfs_find(None).contents
    shim = _Vfs()
    ctypes.memmove(ctypes.byref(shim), ctypes.byref(original), ctypes.sizeof(_Vfs))
    shim.name = _NAME
    hooks = _Hooks(recorder, original)
    shim.open = ctypes.cast(hooks.open, ctypes.c_void_p)
    shim.delete = ctypes.cast(hooks.delete, ctypes.c_void_p)
    library.sqlite3_vfs_register(ctypes.byref(shim), 1)
    try:
        yield
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(shim))
        library.sqlite3_vfs_register(ctypes.byref(original), 1)


class _Hooks:
    """The functions that SQLite calls. They live as long as this does; so do the tables."""

    def __init__(self, recorder: Recorder, original: _Vfs) -> None:
        self._recorder = recorder
        self._open = _Open(original.open)
        self._delete = _Delete(original.delete)
        self._tables: list[Any] = []
        self._numbers: dict[int, int] = {}
        """Address of a sqlite3_file -> our number of the file."""
        self._fresh: dict[int, str] = {}
        """Files whose first sync settles their folder too."""
        self.open = _Open(self._on_open)
        self.delete = _Delete(self._on_delete)

    def _on_open(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        path = None if name is None else _path(name)
        new = path is not None and not path.exists()
        code = int(self._open(vfs, name, file, flags, out))
        if code or path is None or not path.is_relative_to(self._recorder.root):
            return code
        if new:
            self._recorder.made(path)
        self._numbers[file] = self._recorder.number(path)
        self._fresh.pop(file, None)
        if new and flags & _OPEN_CREATE and flags & (_OPEN_JOURNAL | _OPEN_WAL):
            self._fresh[file] = self._recorder.name(path.parent)
        self._hook(file)
        return code

    def _hook(self, file: int) -> None:
        """Give the file a method table of its own."""
        pointer = ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p))
        table = (ctypes.c_void_p * _METHODS)()
        assert pointer[0] is not None
        ctypes.memmove(table, pointer[0], ctypes.sizeof(table))
        write, truncate = _Write(table[_WRITE] or 0), _Truncate(table[_TRUNCATE] or 0)

        def on_write(this: int, data: int, size: int, offset: int) -> int:
            octets = ctypes.string_at(data, size)
            self._recorder.note(Write(self._numbers[this], offset, octets))
            return int(write(this, data, size, offset))

        def on_truncate(this: int, size: int) -> int:
            self._recorder.note(Resize(self._numbers[this], size))
            return int(truncate(this, size))

        hooks = (_Write(on_write), _Truncate(on_truncate), _Sync(self._on_sync))
        for place, hook in zip((_WRITE, _TRUNCATE, _SYNC), hooks, strict=True):
            table[place] = ctypes.cast(hook, ctypes.c_void_p).value
        self._tables.append((table, hooks, write, truncate))
        pointer[0] = ctypes.addressof(table)

    def _on_sync(self, this: int, flags: int) -> int:
        self._recorder.note(Sync(self._numbers[this], self._recorder.place))
        folder = self._fresh.pop(this, None)
        if folder is not None:
            self._recorder.note(SyncFolder(folder))
        return 0

    def _on_delete(self, vfs: int, name: int, sync: int) -> int:
        path = _path(name)
        code = int(self._delete(vfs, name, sync))
        if not code and path.is_relative_to(self._recorder.root):
            self._recorder.note(Rename(((self._recorder.name(path), None),)))
            if sync:
                self._recorder.note(SyncFolder(self._recorder.name(path.parent)))
        return code


def _path(name: int) -> Path:
    """From a C string, which SQLite keeps by its address: it is handed on as it came."""
    return Path(os.fsdecode(ctypes.string_at(name)))
