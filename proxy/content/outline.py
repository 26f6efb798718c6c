"""The outline of octets: digits, letters and what stands between, so that digits become words.

    "due":"2026-11-23","card":"4111 1111 1111 1111","at":4.1e3
    "aae":"0000-00-00":"aaaa":"0000:0000:0000:0000":"aa":0.0e0

A class of characters is dear to search for, and a word is cheap: one table, then one search for
words of `0`, `a` and `A` costs a third of the searches for what they stand for. Nearly always there
is none.

    0 digits    a lower-case letters and _    A upper-case letters    e e and E
    : space, tab, line ends, comma, colon and [    - . as they are    " everything else
"""

from typing import Final


def _stands_for(octet: int) -> bytes:
    one = bytes([octet])
    if one.isdigit():
        return b"0"
    if one.isalpha():
        return b"e" if one in b"eE" else b"A" if one.isupper() else b"a"
    if one in b"-.":
        return one
    return b"a" if one == b"_" else b":" if one in b" \t\r\n,:[" else b'"'


_TABLE: Final = b"".join(map(_stands_for, range(256)))

BEFORE: Final = b"(?:^|[^0aAe])"
BEHIND: Final = b"(?:[^0aAe]|$)"
_EXPONENTS: Final = (b"e0", b"e-0", b'e"0')
_LONG: Final = 20
RESPELT: Final = (
    *(
        b"%b%b%b" % (before, b"0" * digits, exponent)
        for before in (b":-?", b"^-?", rb"\.")
        for digits in range(1, _LONG)
        for exponent in _EXPONENTS
    ),
    *(b"0" * _LONG + exponent for exponent in _EXPONENTS),
)
"""Numbers with an exponent, which may be integral: in JSON, a delimiter stands before a number."""


def outline(octets: bytes) -> bytes:
    """As long as what it is of."""
    return octets.translate(_TABLE)
