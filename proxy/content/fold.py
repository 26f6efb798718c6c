"""What is written differently and read the same: made plain before the exact patterns look.

    number literals    4.111111111111111e15, 4111111111111111.0  ->  4111111111111111
    dashes, spaces     U+2010 to U+2015, U+2212, no-break, thin, wide and other spaces  ->  "-", " "
    digits             full-width ones  ->  0 to 9

In strings one character becomes one character, so that a span found in the plain text is a span of
the text that was sent; only octets differ, and `unfolded` counts them.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from proxy.content.kinds import Span

# U+00A0, U+2000-200A, U+202F, U+205F, U+3000
SPACES: Final = rb"(?:\xc2\xa0|\xe2\x80[\x80-\x8a\xaf]|\xe2\x81\x9f|\xe3\x80\x80)"
# U+2010-2015, U+2212, U+FE58, U+FE63, U+FF0D
DASHES: Final = rb"(?:\xe2\x80[\x90-\x95]|\xe2\x88\x92|\xef\xb9[\x98\xa3]|\xef\xbc\x8d)"
# U+FF10-FF19
DIGITS: Final = rb"(?:\xef\xbc[\x90-\x99])"
"""UTF-8 of what is folded, for the gate and for the search."""

_FOLDABLE: Final = re.compile(
    rb"[\xc2\xe2\xe3\xef](?:(?<=\xc2)\xa0|(?<=\xe2)(?:\x80[\x80-\x8a\x90-\x95\xaf]|\x81\x9f"
    rb"|\x88\x92)|(?<=\xe3)\x80\x80|(?<=\xef)(?:\xb9[\x98\xa3]|\xbc[\x8d\x90-\x99]))"
)
_TABLE: Final = {
    **dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " "),
    **dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63, 0xFF0D], "-"),
    **{0xFF10 + digit: str(digit) for digit in range(10)},
}


def fold(text: bytes) -> bytes:
    """The text with plain dashes, spaces and digits. The same object when there is none other."""
    if text.isascii() or not _FOLDABLE.search(text):
        return text
    return text.decode().translate(_TABLE).encode()


def unfolded(text: bytes, folded: bytes, spans: Iterable[Span]) -> Iterator[Span]:
    """Where in `text` these spans of `folded` are. They are in order and apart."""
    characters = text.decode()
    at = here = position = 0  # octets of `text`, characters, octets of `folded`: the same place
    for span in spans:
        edges = []
        for edge in span:
            passed = len(folded[position:edge].decode())
            at += len(characters[here : here + passed].encode())
            here, position = here + passed, edge
            edges.append(at)
        yield edges[0], edges[1]


# --- numbers -------------------------------------------------------------------------------------

_LONGEST: Final = 40
_LITERAL: Final = re.compile(rb"-?([0-9]++)(?:\.([0-9]++))?+(?:[eE]([+-]?)0*+([0-9]*+))?+")
_RESPELT: Final = re.compile(
    rb"[0-9](?<![0-9.].)[0-9]*+(?:\.0++(?![0-9eE])|(?:\.[0-9]++)?+[eE][+-]?[0-9])", re.DOTALL
)


_NUMBER: Final = re.compile(rb"[-+.0-9Ee]*+")


def digits_of(literal: bytes) -> bytes:
    """The digits of a JSON number that is integral, however it is spelt; b"" for any other.

    Without its sign. An integer that is written with a point or an exponent has at most 40 digits
    here: longer ones are no card and no social security number.
    """
    match = _LITERAL.fullmatch(literal)
    if match is None:
        return b""
    whole, fraction, sign, exponent = match.groups(default=b"")
    if match.lastindex == 1:
        return whole
    if len(exponent) > 9:
        return b""
    mantissa = whole + fraction
    digits = mantissa.rstrip(b"0")
    power = int(sign + (exponent or b"0")) + len(mantissa) - len(digits) - len(fraction)
    digits = digits.lstrip(b"0")
    if power < 0 or len(digits) + power > _LONGEST:
        return b""
    return digits + b"0" * power


def respelt_starts(plain: bytes) -> Iterator[int]:
    """Where numbers with a point or an exponent start that may be integral."""
    return (match.start() for match in _RESPELT.finditer(plain))


def respelt_numbers(data: bytes) -> Iterator[bytes]:
    """The digits of each of them that is integral."""
    for start in respelt_starts(data):
        match = _NUMBER.match(data, start)
        if match is not None:
            yield digits_of(match[0])
