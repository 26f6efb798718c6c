"""Receipts in an HTTP answer: `Transfer-Receipt` and `Transfer-Receipt-Key` (RFC 9651, 3.3.5).

    Transfer-Receipt: :eyJwYXlsb2FkIjoi…:, :eyJwYXlsb2FkIjoi…:
    Transfer-Receipt-Key: :…32 octets…:

A list of byte sequences: the receipts of gateways further on come first, our own last.
"""

import base64
import binascii
from collections.abc import Iterable

from proxy.errors import EvidenceError


def item(data: bytes) -> bytes:
    """One byte sequence, `:base64:`."""
    return b":" + base64.b64encode(data) + b":"


def parse_items(value: str) -> list[bytes]:
    """The byte sequences of a list; parameters after them are ignored. Raises `EvidenceError`."""
    items = []
    for member in value.split(","):
        token = member.partition(";")[0].strip(" \t")
        if len(token) < 2 or token[0] != ":" or token[-1] != ":":
            raise EvidenceError("expected a list of :base64: items")
        try:
            items.append(base64.b64decode(token[1:-1], validate=True))
        except (binascii.Error, ValueError):
            raise EvidenceError("an item of the list is not base64") from None
    return items


def from_saved_headers(text: str) -> tuple[list[bytes], list[bytes]]:
    """(receipts, receipt keys) in a file that `curl -D` wrote. Raises `EvidenceError`."""
    receipts: list[str] = []
    keys: list[str] = []
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if line.startswith("HTTP/"):
            # An interim answer (100) or the CONNECT of a proxy came before: only the last counts.
            receipts, keys = [], []
        elif colon and name.strip().lower() == "transfer-receipt":
            receipts.append(value)
        elif colon and name.strip().lower() == "transfer-receipt-key":
            keys.append(value)
    return _all_items(receipts), _all_items(keys)


def _all_items(values: Iterable[str]) -> list[bytes]:
    return [item for value in values for item in parse_items(value)]
