"""Structured fields (RFC 9651, section 4.1) in the one strict form, which signatures are over.

a=1,  b=(x y);q=0.50,c     ->     a=1, b=(x y);q=0.5, c
"""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, Literal
from urllib.parse import quote

from proxy.wire.sfv import (
    KEY,
    STRING,
    TOKEN,
    Bare,
    Date,
    DisplayString,
    Item,
    Member,
    Parameters,
    Token,
    parse_dictionary,
    parse_item,
    parse_members,
)
from proxy.wire.structured import NotStructured, format_bytes

Kind = Literal["item", "list", "dictionary"]
_SAFE_DISPLAY: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "").replace('"', "")
_LARGEST: Final = 999_999_999_999_999


def format_member(member: Member) -> str:
    """An item or an inner list with its parameters. Raises `NotStructured` if it cannot be."""
    if isinstance(member, Item):
        return format_bare(member.value) + format_parameters(member.parameters)
    inside = " ".join(map(format_member, member.items))
    return f"({inside})" + format_parameters(member.parameters)


def format_members(members: Iterable[Member]) -> str:
    """A list."""
    return ", ".join(map(format_member, members))


def format_dictionary(members: Mapping[str, Member]) -> str:
    """A dictionary: a member that is true alone is written by its key."""
    return ", ".join(_entry(_key(key), member) for key, member in members.items())


def format_parameters(parameters: Parameters) -> str:
    """`;a=1;b`: what follows a value."""
    return "".join(
        f";{_key(key)}" + ("" if value is True else f"={format_bare(value)}")
        for key, value in parameters.items()
    )


def format_bare(value: Bare) -> str:
    """One value. Raises `NotStructured` where it has no form, as a string with umlauts."""
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    raise NotStructured("a value of no type that can be written")


def reserialize(kind: Kind, values: Iterable[bytes]) -> str:
    """A field in its strict form. Raises `NotStructured`."""
    if kind == "item":
        return format_member(parse_item(values))
    if kind == "list":
        return format_members(parse_members(values))
    return format_dictionary(parse_dictionary(values))


def _entry(key: str, member: Member) -> str:
    if isinstance(member, Item) and member.value is True:
        return key + format_parameters(member.parameters)
    return f"{key}={format_member(member)}"


def _key(text: str) -> str:
    return _whole(KEY, text, "a key has no form")


def _whole(pattern: re.Pattern[str], text: str, otherwise: str) -> str:
    if not pattern.fullmatch(text):
        raise NotStructured(otherwise)
    return text


def _integer(value: int) -> str:
    if not -_LARGEST <= value <= _LARGEST:
        raise NotStructured("a number has too many digits")
    return str(int(value))


def _decimal(value: Decimal) -> str:
    rounded = value.quantize(Decimal("0.001"), ROUND_HALF_EVEN)
    if abs(rounded) >= 10**12:
        raise NotStructured("a number has too many digits")
    text = f"{rounded:f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def _string(value: str) -> str:
    return _whole(STRING, '"' + re.sub(r'(["\\])', r"\\\1", value) + '"', "a string has no form")


def _display(value: str) -> str:
    escaped = re.sub("%..", lambda match: match[0].lower(), quote(value, safe=_SAFE_DISPLAY))
    return f'%"{escaped}"'


_WRITERS: Final[tuple[tuple[type, Callable[..., str]], ...]] = (
    (bool, lambda value: "?1" if value else "?0"),
    (Date, lambda value: "@" + _integer(value)),
    (int, _integer),
    (Decimal, _decimal),
    (Token, lambda value: _whole(TOKEN, str(value), "a token has no form")),
    (DisplayString, _display),
    (str, _string),
    (bytes, lambda value: format_bytes(value).decode("ascii")),
)
