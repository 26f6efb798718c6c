"""How much may come in how long: `100/s`, `50GiB/day`, `50GiB/day burst 5GiB`.

A pace is a bucket that holds `burst` and is refilled evenly, `amount` in `seconds`. Whoever has
been quiet may take the whole burst at once; where none is written it is the amount itself.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from proxy.settings.values import parse_size

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "day": 86400}
_WRITTEN: Final = re.compile(r"(.{1,40}?) ?/ ?(s|m|h|d|day)(?: burst (.{1,40}))?")
_NUMBER: Final = r"[1-9][0-9]{0,8}"
_SIZE: Final = r"(?!0+ ?[A-Za-z]*( |/|$))[0-9]{1,12} ?(B|[kMGT]B|[KMGT]iB)?"


@dataclass(frozen=True, slots=True)
class Pace:
    """So many in so many seconds, and so many at once."""

    amount: int
    """Transfers, or octets."""
    seconds: int
    burst: int
    text: str
    """As it is written."""

    @property
    def per_second(self) -> float:
        return self.amount / self.seconds

    def __str__(self) -> str:
        return self.text


def _rate(value: object) -> object:
    return _pace(value, _count, "expected a rate such as 100/s, 600/m or 10/h burst 50")


def _volume(value: object) -> object:
    wrong = "expected a volume such as 1MiB/s, 50GiB/day or 50GiB/day burst 5GiB"
    return _pace(value, parse_size, wrong)


def _count(text: str) -> int:
    if not re.fullmatch(_NUMBER, text):
        raise ValueError
    return int(text)


def _pace(value: object, read: Callable[[str], int], wrong: str) -> object:
    match = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(wrong)
    try:
        amount = read(match[1])
        burst = amount if match[3] is None else read(match[3])
    except ValueError:
        raise ValueError(wrong) from None
    return Pace(amount, _UNITS[match[2]], burst, match[0])


def _schema(amount: str) -> WithJsonSchema:
    pattern = f"^{amount} ?/ ?(s|m|h|d|day)( burst {amount})?$"
    return WithJsonSchema({"type": "string", "pattern": pattern})


Rate = Annotated[Pace, BeforeValidator(_rate), _schema(_NUMBER)]
"""Transfers in a time."""
Volume = Annotated[Pace, BeforeValidator(_volume), _schema(_SIZE)]
"""Octets in a time."""
