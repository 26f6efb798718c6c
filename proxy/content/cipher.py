"""Reversible pseudonyms: whoever has the key, and knows whose value it is and where it stood, gets
it back; the same value in the same place gives the same token.

    K         = HKDF-SHA-512(secret, no salt, "lockgate/encrypt/v1"), 64 octets (RFC 5869)
    plaintext = "s" and the UTF-8 of the string, or "n" and the number as it was sent
    sealed    = AES-256-SIV(K, associated data: tenant, path; plaintext)         (RFC 5297)
    token     = "enc:" key-id ":" base64url(sealed), no padding

    secret = 32 times 0x6b, key id "k1", tenant "acme", path $['ssn'], the string "078-05-1120":
    enc:k1:cXTf6rq7v_VSB7IeWs-BtWfYqA3WF2sBUcMIQA

The tenant is empty where none is named. The path is that of the rule in the normal form of RFC 9535
(section 2.7), not that of the value, so that the elements of an array can be compared; a header is
`header x-user`, a query parameter `query email`, what was found by its type `type email`.

A token opens with its own key, tenant and path only, and that is how it is recognised when it comes
again. What merely looks like one is encrypted like anything else.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proxy.content.keyring import require_keys
from proxy.content.values import Masked, Scalar

MINIMUM_SECRET: Final = 32
"""Octets: what is encrypted can be no harder to guess than its key."""
_LABEL: Final = b"lockgate/encrypt/v1"
_TOKEN: Final = re.compile(rb"enc:([A-Za-z0-9._-]{1,32}):([A-Za-z0-9_-]{23,})")
_KINDS: Final[dict[bytes, Literal["string", "number"]]] = {b"s": "string", b"n": "number"}


class Sealed(ValueError):
    """A token that does not open here. Says why, never what is in it."""


class Cipher:
    """The tokens of one named key, through its rotations, of one tenant in one place."""

    def __init__(
        self, name: str, keys: Sequence[tuple[str, bytes]], tenant: str | None, place: str
    ) -> None:
        """`keys` are (key id, secret octets), newest first. Raises CredentialError."""
        require_keys(f"masking key {name} encrypts, and", keys, MINIMUM_SECRET)
        self._keys = {key_id.encode(): AESSIV(_derived(secret)) for key_id, secret in keys}
        self._newest = keys[0][0].encode()
        self._bound = [(tenant or "").encode(), place.encode()]

    def seal(self, value: Scalar) -> bytes:
        """The token of a string or a number."""
        plaintext = (b"s" if value.kind == "string" else b"n") + value.text
        sealed = self._keys[self._newest].encrypt(plaintext, self._bound)
        body = base64.urlsafe_b64encode(sealed).rstrip(b"=")
        return b"enc:%b:%b" % (self._newest, body)

    def made(self, text: bytes) -> bool:
        """True only for a token that one of these keys made, for this tenant and place."""
        try:
            return self.open(text) is not None
        except Sealed:
            return False

    def open(self, text: bytes) -> Masked | None:
        """What is in a token; None for what does not look like one. Raises Sealed."""
        match = _TOKEN.fullmatch(text) if text.startswith(b"enc:") else None
        if match is None:
            return None
        key = self._keys.get(match[1])
        if key is None:
            raise Sealed(f"its key {match[1].decode()} is not listed")
        try:
            sealed = base64.urlsafe_b64decode(match[2] + b"=" * (-len(match[2]) % 4))
            plaintext = key.decrypt(sealed, self._bound)
        except (InvalidTag, binascii.Error, ValueError):
            raise Sealed("it was made with another key, for another tenant or path") from None
        if base64.urlsafe_b64encode(sealed).rstrip(b"=") != match[2]:
            raise Sealed("its base64url is not the one way to write it")
        return Masked(_KINDS[plaintext[:1]], plaintext[1:])


def _derived(secret: bytes) -> bytes:
    """So that one secret in two places is two keys: HKDF as RFC 5869 has it."""
    return HKDF(algorithm=SHA512(), length=64, salt=None, info=_LABEL).derive(secret)
