"""One of every action and of its options, for laws that hold for all of them."""

from typing import Any

from tests.content.policies import HMAC, KEYS

ENCRYPT = {"encrypt": {"key": "vault", "tenant": "acme"}}
PERSONAL = KEYS | {"vault": [("v2", b"2" * 32), ("v1", b"1" * 32)]}

ACTIONS: list[Any] = [
    "redact",
    {"redact": {"with": "***"}},
    {"redact": {"with": 7}},
    {"redact": {"as": "number"}},
    {"redact": {"as": "null"}},
    {"redact": {"as": "kind"}},
    {"partial": {}},
    {"partial": {"keep_first": 2, "keep_last": 1}},
    {"partial": {"keep_first": 1, "preserve_class": True}},
    {"partial": {"keep_last": 3, "preserve_class": True}},
    {"generalize": {"date": "month"}},
    {"generalize": {"date": "year"}},
    {"generalize": {"bucket": 10}},
    {"generalize": {"bucket": 0.25}},
    {"generalize": {"ip": "24/48"}},
    {"generalize": {"ip": "0/128"}},
    {"generalize": {"prefix": 3}},
    HMAC,
    ENCRYPT,
]
