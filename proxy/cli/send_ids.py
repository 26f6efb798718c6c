"""Ids by which a file is known again: the same call, made again, sends nothing twice.

    id = UUIDv8 of HMAC-SHA256(secret, method, origin, target, path of the file, its SHA-256)

each part with its length before it. Ids are seen by everybody on the way and stand in receipts, so
one that could be computed from the content alone would let anyone who has the masked copy enumerate
what was masked. Therefore the secret: derived from the sender's private key (HKDF-SHA256), so that
another machine with the same key makes the same ids, or the content of `--id-key`, or, for who has
neither, 32 octets that are made once and kept in `~/.local/state/lockgate/send-ids.key`.
"""

import contextlib
import hmac
import os
import secrets
import uuid
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proxy.cli.certs import write_private
from proxy.cli.send_place import UsageError
from proxy.tls.credentials import parse_key

_INFO = b"lockgate send: transfer ids, 1"
_LEAST = 16
"""Octets that a secret must have."""


def secret(private_key: bytes | None, id_key: Path | None) -> bytes:
    """32 octets that only this sender has. Raises UsageError and CredentialError."""
    if id_key is not None:
        material = _read(id_key)
    elif private_key is not None:
        material = parse_key(private_key).private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    else:
        material = _kept()
    return HKDF(hashes.SHA256(), 32, salt=None, info=_INFO).derive(material)


def transfer_id(secret: bytes, *parts: bytes) -> str:
    """The id of what these parts say, for whoever has the secret."""
    message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    number = int.from_bytes(hmac.digest(secret, message, "sha256")[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76  # version 8 (RFC 9562, section 5.8)
    number = number & ~(0x3 << 62) | 2 << 62  # variant
    return str(uuid.UUID(int=number))


def _read(path: Path) -> bytes:
    try:
        material = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if len(material) < _LEAST:
        raise UsageError(f"{path}: a secret of at least {_LEAST} octets is needed")
    return material


def _kept() -> bytes:
    """The secret of this user, made at the first call; two first calls at once agree on one."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    path = Path(state).expanduser() / "lockgate" / "send-ids.key"
    if path.exists():
        return _read(path)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(fresh, secrets.token_bytes(32))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)  # whole or not at all
        fresh.unlink()
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "there is no such place"
        raise UsageError(f"{path}: {why}; name a secret with --id-key, or use --new") from None
    return _read(path)
