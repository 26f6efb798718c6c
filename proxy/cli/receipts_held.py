"""Receipts as somebody holds them: an envelope's file, or the saved headers of an answer."""

import base64
import binascii
from pathlib import Path

from proxy.errors import EvidenceError
from proxy.receipt import header

Held = list[tuple[bytes, bytes | None]]
"""Envelopes, the sender's own gateway first, each with the receipt key that came with it."""


def receipts(path: Path, data: bytes) -> Held:
    """The receipts in a file, one at least. Raises EvidenceError."""
    if data.lstrip().startswith(b"{"):
        return [(data, None)]
    found, keys = header.from_saved_headers(data.decode("latin-1"))
    if not found:
        raise EvidenceError(f"{path}: neither an envelope nor headers with a Transfer-Receipt")
    return list(zip(reversed(found), [*reversed(keys), *[None] * len(found)], strict=False))


def receipt_key(text: str) -> bytes:
    """The value of a Transfer-Receipt-Key. Raises EvidenceError."""
    try:
        return base64.b64decode(text.strip().strip(":"), validate=True)
    except (binascii.Error, ValueError):
        raise EvidenceError("the receipt key is not base64") from None
