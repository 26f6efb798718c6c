"""Keyed pseudonyms: the same value under the same key gives the same token, and back leads no way.

    canonical = UTF-8 of the decoded string, or the literal text of a number as it was sent
    value     = HMAC-SHA256(K, "lockgate/token/v1/value" 0x00 canonical)[:16]            hmac-sha256
              = BLAKE2b("lockgate/token/v1/value" 0x00 canonical), 16 octets, keyed (RFC
                7693) with HMAC-SHA256(K, "lockgate/token/v1/blake2b")                   blake2b
    check     = AES-256(HMAC-SHA256(K, "lockgate/token/v1/check" 0x00 key-id), value)[:8]
    token     = "tok:" key-id ":" base64url(value check), no padding: 32 characters

    K = 32 times 0x6b, key id "k1", the string "078-05-1120":
    tok:k1:ER-1oiT0LnZznNSv-N0U-mJCVoLBiwzN   hmac-sha256
    tok:k1:gWopFWmWiITsm-TNR1CvGgcQZ3ihiGo7   blake2b

The check proves that a text is a token that this key made: it is left as it is when it comes again,
so that masking twice equals masking once, and a sender cannot have plain data pass by giving it the
look of a token. Every listed key recognises its own; the first one writes. One AES block under a
key of its own is a MAC of 16 octets, as good as HMAC where all messages are that long (a block
cipher is a pseudorandom function, FIPS 197, SP 800-38B), and a thousand of them take one call.
"""

import base64
import hashlib
import hmac
import re
import threading
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from struct import iter_unpack
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

from proxy.content.keyring import require_keys

_LABEL: Final = b"lockgate/token/v1/"
VALUE: Final = _LABEL + b"value\0"
"""What every text that is hashed begins with."""
_TOKEN: Final = re.compile(rb"tok:([A-Za-z0-9._-]{1,32}):([A-Za-z0-9_-]{32})")
_URL: Final = bytes.maketrans(b"+/", b"-_")
MINIMUM_SECRET: Final = 16
"""Octets."""


def _hmac_sha256(secret: bytes) -> "Macs":
    """RFC 2104 with both pads hashed beforehand: half of the cost of a token."""
    padded = (secret if len(secret) <= 64 else hashlib.sha256(secret).digest()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in padded) + VALUE).copy
    outer = hashlib.sha256(bytes(octet ^ 0x5C for octet in padded)).copy

    def macs(texts: Sequence[bytes]) -> bytes:
        values = []
        for text in texts:
            first, second = inner(), outer()
            first.update(text)
            second.update(first.digest())
            values.append(second.digest()[:16])
        return b"".join(values)

    return macs


def _blake2b(secret: bytes) -> "Macs":
    # With octets behind it, the block of the key is hashed once for all.
    begin = hashlib.blake2b(VALUE, digest_size=16, key=_blake2b_key(secret)).copy

    def macs(texts: Sequence[bytes]) -> bytes:
        values = []
        for text in texts:
            state = begin()
            state.update(text)
            values.append(state.digest())
        return b"".join(values)

    return macs


def _blake2b_key(secret: bytes) -> bytes:
    return hmac.digest(secret, _LABEL + b"blake2b", "sha256")


Macs = Callable[[Sequence[bytes]], bytes]
"""The values of some texts, 16 octets each."""
_ALGORITHMS: Final = {"hmac-sha256": _hmac_sha256, "blake2b": _blake2b}


class _Key(threading.local):
    """A key, with a cipher of its own in each thread."""

    def __init__(self, key_id: str, secret: bytes, algorithm: str) -> None:
        self.macs = _ALGORITHMS[algorithm](secret)
        key = hmac.digest(secret, _LABEL + b"check\0" + key_id.encode(), "sha256")
        self.checks = Cipher(AES256(key), ECB()).encryptor().update  # noqa: S305 (single blocks)
        """For each 16 octets 16, of which the first 8 are the check."""


class Tokenizer:
    """The tokens of one named key, through its rotations. Use from any thread."""

    def __init__(
        self, name: str, keys: Sequence[tuple[str, bytes]], algorithm: str = "hmac-sha256"
    ) -> None:
        """`keys` are (key id, secret octets), newest first. Raises CredentialError."""
        require_keys(f"masking key {name}", keys, MINIMUM_SECRET)
        self._keys = {key_id.encode(): _Key(key_id, secret, algorithm) for key_id, secret in keys}
        self._newest = self._keys[keys[0][0].encode()]
        self.prefix = f"tok:{keys[0][0]}:".encode()
        """What each token begins with."""
        self.algorithm = algorithm
        self.key = _blake2b_key(keys[0][1]) if algorithm == "blake2b" else keys[0][1]
        """For whoever makes values by other means: what the algorithm is keyed with."""

    def token(self, canonical: bytes) -> str:
        return self.tokens([canonical])[0].decode()

    def tokens(self, texts: Sequence[bytes], around: bytes = b"") -> list[bytes]:
        """A token for each canonical text, between two of `around`."""
        values = self.values(texts)
        checks = self.checks(values)
        parts: list[bytes] = []
        for (value,), (check,) in zip(
            iter_unpack("16s", values), iter_unpack("8s8x", checks), strict=True
        ):
            parts += (value, check)
        letters = b2a_base64(b"".join(parts), newline=False).translate(_URL)
        before = around + self.prefix
        return [before + body + around for (body,) in iter_unpack("32s", letters)]

    def values(self, texts: Sequence[bytes]) -> bytes:
        """16 octets for each canonical text."""
        return self._newest.macs(texts)

    def checks(self, values: bytes) -> bytes:
        """For each value 16 octets, of which the first 8 are its check."""
        return self._newest.checks(values)

    def recognises(self, text: str) -> bool:
        """True only for a token that one of these keys made."""
        match = _TOKEN.fullmatch(text.encode()) if text.startswith("tok:") else None
        key = self._keys.get(match[1]) if match else None
        if match is None or key is None:
            return False
        octets = base64.urlsafe_b64decode(match[2])
        return hmac.compare_digest(key.checks(octets[:16])[:8], octets[16:])
