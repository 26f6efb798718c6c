"""Keyed pseudonyms: the same value under the same key gives the same token, and back leads no way.

    canonical = UTF-8 of the decoded string, or the literal text of a number as it was sent
    value     = HMAC-SHA256(K, "lockgate/token/v1/value" 0x00 canonical)[:16]
    check     = HMAC-SHA256(K, "lockgate/token/v1/check" 0x00 key-id 0x00 value)[:8]
    token     = "tok:" key-id ":" base64url(value check), no padding: 32 characters

    K = 32 times 0x6b, key id "k1", the string "078-05-1120":
    tok:k1:ER-1oiT0LnZznNSv-N0U-sVklOHG6p5m

The check proves that a text is a token that this key made: it is left as it is when it comes again,
so that masking twice equals masking once, and a sender cannot have plain data pass by giving it the
look of a token. Every listed key recognises its own; the first one writes.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

from proxy.errors import CredentialError

_VALUE: Final = b"lockgate/token/v1/value\x00"
_CHECK: Final = b"lockgate/token/v1/check\x00"
_TOKEN: Final = re.compile(r"tok:([A-Za-z0-9._-]{1,32}):([A-Za-z0-9_-]{32})", re.ASCII)
MINIMUM_SECRET: Final = 16
"""Octets."""


class _Key:
    """HMAC-SHA256 (RFC 2104) with both pads hashed beforehand: a third of the cost per token."""

    def __init__(self, key_id: str, secret: bytes) -> None:
        padded = (secret if len(secret) <= 64 else hashlib.sha256(secret).digest()).ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in padded))
        self._outer = hashlib.sha256(bytes(octet ^ 0x5C for octet in padded))
        self._prefix = f"tok:{key_id}:"
        self._id = key_id.encode() + b"\x00"

    def mac(self, message: bytes) -> bytes:
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def token(self, canonical: bytes) -> str:
        value = self.mac(_VALUE + canonical)[:16]
        check = self.mac(_CHECK + self._id + value)[:8]
        return self._prefix + base64.urlsafe_b64encode(value + check).decode()

    def made(self, body: str) -> bool:
        octets = base64.urlsafe_b64decode(body)
        check = self.mac(_CHECK + self._id + octets[:16])[:8]
        return hmac.compare_digest(check, octets[16:])


class Tokenizer:
    """The tokens of one named key, through its rotations."""

    def __init__(self, name: str, keys: Sequence[tuple[str, bytes]]) -> None:
        """`keys` are (key id, secret octets), newest first. Raises CredentialError."""
        if not keys:
            raise CredentialError(f"masking key {name} has no secret")
        if any(len(secret) < MINIMUM_SECRET for _, secret in keys):
            raise CredentialError(f"masking key {name} has under {MINIMUM_SECRET} octets")
        if len({key_id for key_id, _ in keys}) < len(keys):
            raise CredentialError(f"masking key {name} has two secrets with the same id")
        if not all(re.fullmatch(r"[A-Za-z0-9._-]{1,32}", key_id) for key_id, _ in keys):
            raise CredentialError(f"masking key {name} has an id that does not fit in a token")
        self._keys = {key_id: _Key(key_id, secret) for key_id, secret in keys}
        self.token = self._keys[keys[0][0]].token

    def recognises(self, text: str) -> bool:
        """True only for a token that one of these keys made."""
        match = _TOKEN.fullmatch(text) if text.startswith("tok:") else None
        if match is None or match[1] not in self._keys:
            return False
        return self._keys[match[1]].made(match[2])
