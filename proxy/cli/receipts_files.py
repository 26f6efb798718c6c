"""Files that the `receipts` commands are given."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from proxy.errors import CredentialError, EvidenceError


class UnreadableError(EvidenceError):
    """A file that was named is not there or may not be read. Says which."""


def read(path: Path) -> bytes:
    """A file that was named on the command line. Raises `UnreadableError`."""
    try:
        return path.read_bytes()
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
