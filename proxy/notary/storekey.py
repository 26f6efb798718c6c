"""The store key: 32 random octets in `<store>/store.key`, made once, readable by the notary alone.

What the table of ids keeps of names, ids and content is keyed with it. Without it the table says
nothing, to us as to anybody else: so it is never made anew where a table exists.
"""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from proxy.errors import EvidenceError, LogFailure

STORE_KEY: Final = "store.key"
_SCRATCH: Final = ".store.key"
_SIZE: Final = 32
_MODE: Final = 0o600


def store_key(folder: Path, *, make: bool) -> bytes:
    """The key; made where there is none and `make` says so.

    Raises `EvidenceError` where it is missing, malformed or open to everybody, `LogFailure` where
    the disk fails.
    """
    path = folder / STORE_KEY
    try:
        if make and not path.exists():
            _make(path)
        return _read(path)
    except FileNotFoundError:
        raise EvidenceError(f"{path} is missing, but the store has a table of ids") from None
    except OSError as error:
        raise LogFailure(f"{path}: {error.strerror}") from None


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        if os.fstat(fd).st_mode & stat.S_IRWXO:
            raise EvidenceError(f"{path} is open to every user of this machine")
        data = file.read(_SIZE + 1)
    if len(data) != _SIZE:
        raise EvidenceError(f"{path} does not hold {_SIZE} octets")
    return data


def _make(path: Path) -> None:
    """Whole or not at all: a scratch file, synced, gets the name."""
    scratch = path.with_name(_SCRATCH)
    scratch.unlink(missing_ok=True)
    fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        os.write(fd, secrets.token_bytes(_SIZE))
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(scratch, path)
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
