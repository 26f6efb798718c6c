"""Values made coarser: a date, a number, an address, a postcode. What is not one is redacted.

    date: month   2024-02-29, 2024-02-29T23:59:60.5+01:00, "2024-02-29 12:00"   ->  2024-02
    date: year    the same, and 2024-02                                        ->  2024
    bucket: 10    37, 37.5, "37"         ->  30, as number or string; -7  ->  -10
    ip: 24/48     192.0.2.77             ->  192.0.2.0/24; 2001:db8::1  ->  2001:db8::/48
    prefix: 3     "SW1A 1AA", "sw1a-1aa", 94110   ->  "SW1", "sw1", "941"

What is as coarse already, or coarser, stays as it is, so that masking twice equals masking once.
Dates are ISO 8601 in the extended form, and of the Gregorian calendar; the month is that of the
date as written, whatever its time zone. A bucket is named by its lower end, in exact decimal
arithmetic. Of a postcode letters and digits count, and one with fewer of them is redacted.
"""

import ipaddress
import re
from collections.abc import Callable
from datetime import date
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Final

from proxy.content.values import MARK, REDACTED, Masked, Replace, Scalar
from proxy.settings.schema import Generalize, networks

_COARSER = Callable[[str], str | None]
"""The text of a string or number -> a coarser one; None for what is none of its kind."""
_DATE: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:[.,][0-9]{1,9})?)?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?)?)?",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_LONGEST_NUMBER: Final = 64
_EXACT: Final = Context(prec=400, rounding=ROUND_FLOOR)
"""A number of 64 characters, with an exponent of up to 99, over a bucket of 15 digits."""
_NETWORK: Final = re.compile(r"([0-9A-Fa-f:.]{2,45})(?:/([0-9]{1,3}))?", re.ASCII)
_POSTCODE: Final = re.compile(r"[0-9A-Za-z]+(?:[ -][0-9A-Za-z]+)?", re.ASCII)
_LONGEST_POSTCODE: Final = 12


def generalize(options: Generalize) -> Replace:
    """What replaces a value by a coarser one."""
    coarser, keeps_number = _coarser(options)

    def replace(value: Scalar) -> Masked | None:
        if value.text == MARK and value.kind == "string":
            return None
        text = value.text.decode()
        new = None if value.kind == "other" else coarser(text)
        if new is None or (value.kind == "number" and options.date is not None):
            return REDACTED
        if value.kind == "number" and keeps_number:
            return None if new == text else Masked("number", new.encode())
        return None if new == text and value.kind == "string" else Masked("string", new.encode())

    return replace


def _coarser(options: Generalize) -> tuple[_COARSER, bool]:
    """The function, and whether a number stays one."""
    if options.date is not None:
        return (_year if options.date == "year" else _month), False
    if options.bucket is not None:
        return _bucket(Decimal(repr(options.bucket))), True
    if options.ip is not None:
        return _network(*networks(options.ip)), False
    if options.prefix is not None:
        return _prefix(options.prefix), False
    raise ValueError("generalize names nothing that it could make coarser")


def _month(text: str) -> str | None:
    """`YYYY` is coarser than a month, and stays."""
    return _dated(text) and text[:7]


def _year(text: str) -> str | None:
    return _dated(text) and text[:4]


def _dated(text: str) -> str | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        return None
    return text


def _bucket(width: Decimal) -> _COARSER:
    places = max(0, -int(width.normalize().as_tuple().exponent))
    unit = Decimal(1).scaleb(-places)

    def lower_end(text: str) -> str | None:
        if len(text) > _LONGEST_NUMBER or _NUMBER.fullmatch(text) is None:
            return None
        number = Decimal(text)
        rest = _EXACT.remainder(number, width)
        low = _EXACT.subtract(number, rest)
        if rest < 0:
            low = _EXACT.subtract(low, width)
        low = _EXACT.quantize(low, unit)
        spelt = format(abs(low) if low.is_zero() else low, "f")
        return spelt if len(spelt) <= _LONGEST_NUMBER else None

    return lower_end


def _network(v4: int, v6: int) -> _COARSER:
    def network(text: str) -> str | None:
        match = _NETWORK.fullmatch(text)
        if match is None:
            return None
        try:
            given = ipaddress.ip_network(text, strict=False)
            length = min(v4 if given.version == 4 else v6, given.prefixlen)
            return str(given.supernet(new_prefix=length))
        except ValueError:
            return None

    return network


def _prefix(length: int) -> _COARSER:
    def start(text: str) -> str | None:
        if len(text) > _LONGEST_POSTCODE or _POSTCODE.fullmatch(text) is None:
            return None
        plain = text.replace(" ", "").replace("-", "")
        return plain[:length] if len(plain) >= length else None

    return start
