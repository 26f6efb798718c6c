"""What is asked of a masking key before anything is made with it."""

import re
from collections.abc import Sequence
from typing import Final

from proxy.errors import CredentialError

_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
"""What has room in a token."""


def require_keys(key: str, keys: Sequence[tuple[str, bytes]], minimum: int) -> None:
    """`keys` are (key id, secret octets), newest first; `minimum` octets are in each secret.

    Raises CredentialError that begins with `key`, which says whose they are.
    """
    if not keys:
        raise CredentialError(f"{key} has no secret")
    if any(len(secret) < minimum for _, secret in keys):
        raise CredentialError(f"{key} has under {minimum} octets")
    if len({key_id for key_id, _ in keys}) < len(keys):
        raise CredentialError(f"{key} has two secrets with the same id")
    if not all(_ID.fullmatch(key_id) for key_id, _ in keys):
        raise CredentialError(f"{key} has an id that does not fit in a token")
