"""Verifier keys of signed notes, in the text form that people exchange (c2sp.org/signed-note).

receipts.acme.example/gateway-a+7f190f8d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4
name                            key id   base64(type ‖ public key)
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from proxy.errors import EvidenceError

ED25519: Final = 0x01
ED25519_COSIGNATURE: Final = 0x04
MLDSA44_COSIGNATURE: Final = 0x06
_KEY_SIZES: Final = {ED25519: 32, ED25519_COSIGNATURE: 32, MLDSA44_COSIGNATURE: 1312}
NAME: Final = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True, slots=True)
class Vkey:
    """A public key that may sign notes under `name`."""

    name: str
    kind: int
    """0x01, 0x04 or 0x06."""
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four octets."""
        message = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(message).digest()[:4]

    def __str__(self) -> str:
        encoded = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"


def parse_vkey(text: str) -> Vkey:
    """Raises `EvidenceError` unless `text` is a vkey of a known type whose key id agrees."""
    name, _, rest = text.strip().partition("+")
    hexadecimal, _, encoded = rest.partition("+")
    blob = decode(encoded, "the vkey")
    if not NAME.fullmatch(name) or not blob or _KEY_SIZES.get(blob[0]) != len(blob) - 1:
        raise EvidenceError("this is not a vkey of type 0x01, 0x04 or 0x06")
    vkey = Vkey(name, blob[0], blob[1:])
    if vkey.key_id.hex() != hexadecimal:
        raise EvidenceError("the key id in the vkey is not that of its key")
    return vkey


def ed25519_vkey(name: str, key: Ed25519PrivateKey) -> Vkey:
    """The vkey under which `note.sign` signs."""
    return Vkey(name, ED25519, key.public_key().public_bytes_raw())


def ed25519_cosignature_vkey(name: str, key: Ed25519PrivateKey) -> Vkey:
    """The vkey under which `note.witness` signs."""
    return Vkey(name, ED25519_COSIGNATURE, key.public_key().public_bytes_raw())


def mldsa44_vkey(name: str, key: MLDSA44PrivateKey) -> Vkey:
    """The vkey under which `note.cosign` signs."""
    return Vkey(name, MLDSA44_COSIGNATURE, key.public_key().public_bytes_raw())


def decode(text: str, what: str) -> bytes:
    """Canonical standard base64 and nothing else: one value has one spelling."""
    try:
        blob = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        blob = b""
    if not blob or base64.b64encode(blob).decode() != text:
        raise EvidenceError(f"{what} is not base64")
    return blob
