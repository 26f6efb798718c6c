"""Ids by which a file is known again: the same call, made again, sends nothing twice.

    id = UUIDv8 of HMAC-SHA256(secret, method, origin, target, path of the file, its SHA-256)

Ids are seen by everybody on the way and stand in receipts, so
one that could be computed from the content alone would let anyone who has the masked copy enumerate
what was masked. Therefore the secret: derived from the sender's private key (HKDF-SHA256), so that
another machine with the same key makes the same ids, or the content of `--id-key`, or, for who has
neither, 32 octets that are made once and kept in `~/.local/state/lockgate/send-ids.key`.
"""

import contextlib
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from proxy.cli.certs import write_private
from proxy.cli.send_place import UsageError
from proxy.client.ids import derived
from proxy.tls.credentials import parse_key

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
    return derived(material)


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
