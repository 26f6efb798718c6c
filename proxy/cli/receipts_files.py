"""What the `receipts` commands share: the files that they are given, and how they fail."""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from proxy.errors import (
    ConfigError,
    CredentialError,
    EvidenceError,
    LockgateError,
    OutOfReachError,
)
from proxy.receipt.words import printable

Command = Callable[[argparse.Namespace], int]
Group: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What `register` adds a command to."""

_PIECE = 2**20


class UnreadableError(EvidenceError):
    """A file that was named is not there or may not be read. Says which."""


def read(path: Path) -> bytes:
    """A file that was named on the command line. Raises `UnreadableError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None


def pieces(path: Path) -> Iterator[bytes]:
    """A file of any size, in pieces. Raises `UnreadableError`."""
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None


def read_public_key(path: Path) -> Ed25519PublicKey:
    """A receipt key, PEM. Raises `CredentialError` and `UnreadableError`."""
    try:
        key = load_pem_public_key(read(path))
    except ValueError:
        raise CredentialError(f"{path}: this is not a PEM public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise CredentialError(f"{path}: this is not an Ed25519 public key")
    return key


def telling(command: Command) -> Command:
    """The command, with what is wrong on standard error: 1, or 2 where nothing could be checked,
    for a file cannot be used or a server does not answer.
    """

    def run(arguments: argparse.Namespace) -> int:
        try:
            return command(arguments)
        except ConfigError:
            raise
        except LockgateError as error:
            sys.stderr.write(f"{printable(str(error))}\n")
            return 2 if isinstance(error, (UnreadableError, OutOfReachError)) else 1

    return run
