"""Reads what a secret reference refers to. What is read never shows up in a message.

file:certs/gateway.key    the octets of that file, relative to the configuration's folder
env:LOCKGATE_KEY          the octets of that environment variable
"""

import os
import re
from pathlib import Path

from proxy.errors import CredentialError
from proxy.settings.values import SECRET_REF, looks_like_key_material

MAX_OCTETS = 2**20
MAX_LISTS = 64 * 2**20
"""Of revocation lists, which grow with every certificate that an authority takes back."""
MAX_TOGETHER = 320 * 2**20
"""Of all that a configuration refers to, which has to fit into a frame (`proxy.app.control`)."""


def resolve_path(text: str, directory: Path) -> Path:
    """The path that `file:PATH`, `unix:PATH` or a plain path means, relative to `directory`.

    Absolute, without `..` and symbolic links, as people are told of it.
    """
    return Path(os.path.realpath(_join(text, directory)))


def _join(text: str, directory: Path) -> Path:
    return directory / text.removeprefix("file:").removeprefix("unix:")


def at_once(name: str, flags: int) -> int:
    """For `open`: a pipe without a writer is an empty file and not a wait for ever."""
    return os.open(name, flags | os.O_NONBLOCK)


def read_secret(ref: str, directory: Path, *, at_most: int = MAX_OCTETS) -> bytes:
    """Read a reference. Raises CredentialError when there is nothing, or too much, to be read."""
    if looks_like_key_material(ref) or re.fullmatch(SECRET_REF, ref) is None:
        raise CredentialError("not a reference; expected file:PATH or env:NAME")
    octets = _variable(ref) if ref.startswith("env:") else _file(ref, directory, at_most)
    if not octets:
        raise CredentialError(f"{ref} is empty")
    if len(octets) > at_most:
        raise CredentialError(f"{ref} is larger than {at_most} octets")
    return octets


def _variable(ref: str) -> bytes:
    value = os.environb.get(ref.removeprefix("env:").encode())
    if value is None:
        raise CredentialError(f"{ref} is not set")
    return value


def _file(ref: str, directory: Path, at_most: int) -> bytes:
    try:
        # Links are left to the kernel: who resolves them first may find the old target gone.
        with open(_join(ref, directory), "rb", opener=at_once) as file:
            return file.read(at_most + 1) or b""
    except OSError as error:
        raise CredentialError(f"{ref} cannot be read: {error.strerror or 'error'}") from None
