"""Ids that say the same of the same transfer, to nobody but its sender.

id = UUIDv8 of HMAC-SHA256(secret, part, part ...), each part with its length before it
"""

import hmac
import uuid
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_INFO: Final = b"lockgate send: transfer ids, 1"


def derived(material: bytes) -> bytes:
    """The secret for ids, 32 octets, from one that is for something else (HKDF-SHA256)."""
    return HKDF(hashes.SHA256(), 32, salt=None, info=_INFO).derive(material)


def transfer_id(secret: bytes, *parts: bytes) -> str:
    """The id of what these parts say, for whoever has the secret."""
    message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    number = int.from_bytes(hmac.digest(secret, message, "sha256")[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76  # version 8 (RFC 9562, section 5.8)
    number = number & ~(0x3 << 62) | 2 << 62  # variant
    return str(uuid.UUID(int=number))
