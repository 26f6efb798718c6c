"""What the demo sends: made here, the same every time. No person, card or number in it is real."""

import json
from collections.abc import Iterator

_FIRST = ("Ada", "Blaise", "Chien", "Dorothy", "Emmy", "Fritz", "Grace", "Hedy", "Ibn", "Joan")
_LAST = ("Alvarez", "Brandt", "Curie", "Dubois", "Eriksen", "Fermat", "Gauss", "Hopper", "Ito")
_PLANS = ("basic", "plus", "pro")

CUSTOMERS = 10_000
CARD = " ".join(("4111", "1111", "1111", "1111"))
"""The test number of a card that nobody owns. Numbers are put together here, so that no scanner of
source code takes this file for a leak."""
SSN = "-".join(("078", "05", "1120"))
SSN_IN_NOTE = "-".join(("219", "09", "9999"))
EMAIL = "zoe@customer.example"


def order(note: str) -> bytes:
    """A JSON order with all that a careless rewriting would spoil: order of keys, `1.10`, a number
    beyond 64 bits signed, escapes, white space."""
    return f"""{{
  "order": "A-1001",
  "customer": {{
    "name": "Zo\\u00eb \\u00c5ngstr\\u00f6m",
    "email": "{EMAIL}",
    "ssn": "{SSN}"
  }},
  "payment": {{
    "card": "{CARD.replace(" ", "")}",
    "amount":  1.10,
    "batch": 18446744073709551616
  }},
  "items": [ {{"sku": "lock-7", "n": 2}},
             {{"sku": "gate\\/4", "n": 1e0}} ],
  "note": "{note}"
}}
""".encode()


def good_order() -> bytes:
    """Its note holds a social security number that no path names."""
    return order(f"Give it to Max (SSN {SSN_IN_NOTE})")


def order_with_card() -> bytes:
    """Its note holds a card number."""
    return order(f"Please charge {CARD} instead, thanks!")


def truncated_order() -> bytes:
    """No JSON: it was cut off in the middle."""
    whole = good_order()
    return whole[: len(whole) // 2]


def report() -> bytes:
    """Harmless to look at; it is the label that its sender gives it that matters."""
    return b'{"report": "Q3 forecast", "revenue": 1250000.00}\n'


def customers(count: int = CUSTOMERS) -> bytes:
    """NDJSON, one customer a line. Every seventh has a social security number in a note."""
    return b"".join(_customers(count))


def notes_with_ssn(count: int = CUSTOMERS) -> int:
    """How many of `customers` have one."""
    return len(range(7, count + 1, 7))


def _customers(count: int) -> Iterator[bytes]:
    for n in range(1, count + 1):
        first, last = _FIRST[n % len(_FIRST)], _LAST[n % len(_LAST)]
        note = f"verified by phone, SSN {_ssn(n + 1)}" if n % 7 == 0 else "prefers letters"
        record = {
            "id": n,
            "name": f"{first} {last}",
            "email": f"{first}.{last}.{n}@customer.example".lower(),
            "ssn": _ssn(n),
            "iban": _iban(n),
            "balance": n * 37 % 100_000 / 100,
            "plan": _PLANS[n % len(_PLANS)],
            "note": note,
        }
        yield json.dumps(record).encode() + b"\n"


def _ssn(n: int) -> str:
    return f"{100 + n % 500:03}-{1 + n % 99:02}-{1 + n % 9999:04}"


def _iban(n: int) -> str:
    account = f"{37040044:08}{n:010}"
    check = 98 - int(account + "131400") % 97  # D is 13, E is 14 (ISO 13616)
    return f"DE{check:02}{account}"
