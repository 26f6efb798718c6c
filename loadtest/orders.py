"""NDJSON orders for a load test: some 290 octets each, with two fields that are masked by path.

{"id":"ord-00000001",…,"customer":{"name":…,"email":…,"ssn":…},"items":[…],…}

`ssn` is redacted and `email` becomes a token, by whatever proxy: so all deliver the same octets but
for the tokens, and as many.
"""

import json
from typing import Final

_RECORDS: Final = 450
_REDACTED: Final = len("[REDACTED]")
_TOKEN: Final = len("tok:k1:") + 32


def _order(number: int) -> dict[str, object]:
    return {
        "id": f"ord-{number:08d}",
        "created": f"2026-11-23T16:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "customer": {
            "name": "Ada Mustermann",
            "email": f"ada.mustermann{number}@example.com",
            "ssn": f"078-05-{1 + number % 9998:04d}",
            "city": "Utrecht",
        },
        "items": [
            {"sku": "A-1001", "quantity": 2, "price": 19.95},
            {"sku": "B-2002", "quantity": 1, "price": 5.25},
        ],
        "total": 45.15,
        "currency": "EUR",
        "note": "gate",
    }


def _line(order: dict[str, object]) -> bytes:
    return json.dumps(order, separators=(",", ":")).encode() + b"\n"


PIECE: Final = b"".join(_line(_order(number)) for number in range(_RECORDS))
"""Whole lines."""


def _masked(order: dict[str, object]) -> dict[str, object]:
    customer = order["customer"]
    assert isinstance(customer, dict)
    return {**order, "customer": {**customer, "email": "t" * _TOKEN, "ssn": "r" * _REDACTED}}


DELIVERED: Final = sum(len(_line(_masked(_order(number)))) for number in range(_RECORDS))
"""Octets of a piece once it is masked."""
