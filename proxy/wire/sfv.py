"""Structured fields (RFC 9651), whole: what others write in items, lists and dictionaries.

    Example: a=1,  b=(x y);q=0.50,c

`structured.py` is the narrow part for fields of our own. This one is for what others write, and for
signatures, which are over the strict form; `sfv_write.py` writes that. A value is an `int`, a
`Decimal`, a `str` (a String), a `Token`, `bytes`, a `bool`, a `Date` or a `DisplayString`. The last
of two equal parameters wins, as in the RFC; of two equal keys of a dictionary none does: no honest
sender writes them, and two readers could take different ones. Base64 has to be canonical.
"""

import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeVar
from urllib.parse import unquote_to_bytes

from proxy.wire.structured import NotStructured, read_bytes


class Token(str):
    """`gzip`: a word without quotes."""

    __slots__ = ()


class DisplayString(str):
    """`%"caf%c3%a9"`: text for people, of any characters."""

    __slots__ = ()


class Date(int):
    """`@1659578233`: seconds since 1970."""


Bare = int | Decimal | str | bytes | bool
"""A value: one of these, or of the three kinds above."""
Parameters = Mapping[str, Bare]
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Item:
    """One value and what is said of it."""

    value: Bare
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InnerList:
    """`("a" "b");created=1`: items in brackets."""

    items: tuple[Item, ...]
    parameters: Parameters = field(default_factory=dict)


Member = Item | InnerList

KEY: Final = re.compile(r"[a-z*][a-z0-9_.*-]*+")
_NUMBER: Final = re.compile(r"-?([0-9]++)(?:\.([0-9]++))?+")
STRING: Final = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*+)"')
TOKEN: Final = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*+")
_BYTES: Final = re.compile(r":([A-Za-z0-9+/]*+={0,2}):")
_BOOLEAN: Final = re.compile(r"\?([01])")
_DATE: Final = re.compile(r"@(-?[0-9]{1,15})(?![0-9.])")
_DISPLAY: Final = re.compile(r'%"((?:[\x20-\x21\x23-\x24\x26-\x7e]|%[0-9a-f]{2})*+)"')
_COMMA: Final = re.compile(r"[ \t]*+,[ \t]*+")


def parse_item(values: Iterable[bytes]) -> Item:
    """A field that is one item. Raises `NotStructured`."""
    reader = _Reader(values)
    item = reader.item()
    reader.require_end()
    return item


def parse_members(values: Iterable[bytes]) -> tuple[Member, ...]:
    """A field that is a list, of one line or several. Raises `NotStructured`."""
    reader = _Reader(values)
    return tuple(reader.separated(reader.member))


def parse_dictionary(values: Iterable[bytes]) -> dict[str, Member]:
    """A field that is a dictionary, in order. Raises `NotStructured`, also for a key twice."""
    reader = _Reader(values)
    found: dict[str, Member] = {}
    for key, member in reader.separated(reader.entry):
        if key in found:
            raise NotStructured("a key came twice")
        found[key] = member
    return found


class _Reader:
    """Where we are in a field. Each method reads one thing, or raises `NotStructured`."""

    def __init__(self, values: Iterable[bytes]) -> None:
        joined = b", ".join(value for value in values if value)
        try:
            self._text = joined.decode("ascii").strip(" ")
        except UnicodeDecodeError:
            raise NotStructured("a field is not ASCII") from None
        self._at = 0

    def require_end(self) -> None:
        if self._at < len(self._text):
            raise NotStructured("something follows the value")

    def separated(self, read: Callable[[], _Read]) -> Iterator[_Read]:
        while self._at < len(self._text):
            yield read()
            if self._at < len(self._text):
                self._expect(_COMMA, "members are not separated by commas")
                if self._at == len(self._text):
                    raise NotStructured("a comma ends the field")

    def entry(self) -> tuple[str, Member]:
        key = self._expect(KEY, "a key is malformed")[0]
        if self._skip("="):
            return key, self.member()
        return key, Item(True, self._parameters())

    def member(self) -> Member:
        if not self._skip("("):
            return self.item()
        items: list[Item] = []
        while True:
            spaced = self._spaces()
            if self._skip(")"):
                return InnerList(tuple(items), self._parameters())
            if items and not spaced:
                raise NotStructured("items of an inner list are not separated by spaces")
            items.append(self.item())

    def item(self) -> Item:
        return Item(self._bare(), self._parameters())

    def _parameters(self) -> Parameters:
        found: dict[str, Bare] = {}
        while self._skip(";"):
            self._spaces()
            key = self._expect(KEY, "a parameter is malformed")[0]
            found[key] = self._bare() if self._skip("=") else True
        return found

    def _bare(self) -> Bare:
        found = _READERS.get(self._text[self._at : self._at + 1])
        if found is None:
            raise NotStructured("a value is missing, or of no type")
        pattern, read = found
        return read(self._expect(pattern, "a value is malformed"))

    def _expect(self, pattern: re.Pattern[str], otherwise: str) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise NotStructured(otherwise)
        self._at = match.end()
        return match

    def _skip(self, character: str) -> bool:
        found = self._text.startswith(character, self._at)
        self._at += found
        return found

    def _spaces(self) -> bool:
        before = self._at
        while self._skip(" "):
            pass
        return self._at > before


def _read_number(match: re.Match[str]) -> Bare:
    whole, fraction = match[1], match[2]
    if len(whole) > (15 if fraction is None else 12) or len(fraction or "") > 3:
        raise NotStructured("a number has too many digits")
    return int(match[0]) if fraction is None else Decimal(match[0])


def _read_display(match: re.Match[str]) -> Bare:
    try:
        return DisplayString(unquote_to_bytes(match[1]).decode())
    except UnicodeDecodeError:
        raise NotStructured("a display string is not UTF-8") from None


_Way = tuple[re.Pattern[str], Callable[[re.Match[str]], Bare]]
_READERS: Final[dict[str, _Way]] = {
    '"': (STRING, lambda match: re.sub(r"\\(.)", r"\1", match[1])),
    ":": (_BYTES, lambda match: read_bytes(match[1].encode())),
    "?": (_BOOLEAN, lambda match: match[1] == "1"),
    "@": (_DATE, lambda match: Date(match[1])),
    "%": (_DISPLAY, _read_display),
    **dict.fromkeys("-" + string.digits, (_NUMBER, _read_number)),
    **dict.fromkeys("*" + string.ascii_letters, (TOKEN, lambda match: Token(match[0]))),
}
"""First character -> how a value that begins with it is read."""
