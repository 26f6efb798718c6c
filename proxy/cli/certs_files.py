"""Files of certificates and keys: made so that nobody else ever reads a key, replaced by rename."""

import argparse
import functools
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from proxy.errors import CredentialError, TlsFailure


def write_private(path: Path, content: bytes, *, force: bool = False) -> None:
    """Create `path` with mode 0600. Raises FileExistsError unless `force`."""
    _write(path, content, 0o600, force)


def write_public(path: Path, content: bytes, *, force: bool = False) -> None:
    """Create `path` with mode 0644 (less the umask). Raises FileExistsError unless `force`."""
    _write(path, content, 0o644, force)


def sync_folder(folder: Path) -> None:
    """Have the names in it on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes, mode: int, force: bool) -> None:
    target = path.with_name(f".{path.name}.{secrets.token_hex(8)}") if force else path
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if force:
        target.replace(path)


def answering(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command that says in one line what it cannot do; its exit code is 1 then."""

    @functools.wraps(run)
    def answer(arguments: argparse.Namespace) -> int:
        try:
            return run(arguments)
        except (CredentialError, TlsFailure) as error:
            sys.stderr.write(f"{error}\n")
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            sys.stderr.write(f"{where}{error.strerror or error}\n")
        return 1

    return answer
