"""What JSON is made of, token by token: escapes, UTF-8, numbers, words. For jsonscan alone.

Each function takes the octets and where in them something begins, and gives where it ends, or -1
where it is not as it must be. It looks at an octet only when the one before it was legal there, so
that what is legal nowhere, at the very end, stops it: see jsonscan, of which this is a part when it
is compiled, so that C can inline it.
"""

from typing import Final


def _class_of(octet: int) -> int:
    if octet in (0x22, 0x5C):
        return 1 if octet == 0x22 else 2
    if octet < 0x20 or 0x80 <= octet < 0xC2 or octet > 0xF4:
        return 3
    return 4 if octet >= 0x80 else 0


CLASSES: Final = bytes(map(_class_of, range(256)))
"""In a string: 0 goes on, 1 ends it, 2 escapes, 3 is never there, 4 leads a UTF-8 sequence."""
_HEX: Final = bytes(
    int(chr(n), 16) if chr(n) in "0123456789abcdefABCDEF" else 16 for n in range(256)
)
_ESCAPABLE: Final = bytes(chr(n) in '"\\/bfnrt' for n in range(256))


def space(p: bytes, at: int, feed: int) -> int:
    while p[at] <= 0x20 and (p[at] in b" \t\r" or p[at] == feed):
        at += 1
    return at


def escape(p: bytes, at: int) -> int:
    """The end of the escape of which `at` is behind the backslash. Surrogates come in pairs."""
    if p[at] != 0x75:
        return at + 1 if _ESCAPABLE[p[at]] else -1
    unit = _unit(p, at + 1)
    if unit < 0xD800 or unit > 0xDFFF:
        return -1 if unit < 0 else at + 5
    if unit > 0xDBFF or p[at + 5] != 0x5C or p[at + 6] != 0x75:
        return -1
    unit = _unit(p, at + 7)
    return at + 11 if 0xDC00 <= unit <= 0xDFFF else -1


def _unit(p: bytes, at: int) -> int:
    """What four hexadecimal digits say; -1 where they are not there."""
    unit = 0
    for n in range(4):
        digit = _HEX[p[at + n]]
        if digit > 15:
            return -1
        unit = unit * 16 + digit
    return unit


def sequence(p: bytes, at: int) -> int:
    """The end of the UTF-8 sequence that begins at `at`: neither overlong, nor a surrogate."""
    lead, second = p[at], p[at + 1]
    if second & 0xC0 != 0x80:
        return -1
    if lead < 0xE0:
        return at + 2
    if p[at + 2] & 0xC0 != 0x80:
        return -1
    if lead < 0xF0:
        wrong = (lead == 0xE0 and second < 0xA0) or (lead == 0xED and second > 0x9F)
        return -1 if wrong else at + 3
    wrong = (lead == 0xF0 and second < 0x90) or (lead == 0xF4 and second > 0x8F)
    return -1 if wrong or p[at + 3] & 0xC0 != 0x80 else at + 4


def number(p: bytes, at: int) -> int:
    if p[at] == 0x2D:
        at += 1
    at = at + 1 if p[at] == 0x30 else _digits(p, at)
    if at > 0 and p[at] == 0x2E:
        at = _digits(p, at + 1)
    if at > 0 and p[at] | 0x20 == 0x65:
        at += 2 if p[at + 1] in b"+-" else 1
        at = _digits(p, at)
    return at


def _digits(p: bytes, at: int) -> int:
    """The end of one digit or more."""
    start = at
    while 0x30 <= p[at] <= 0x39:
        at += 1
    return at if at > start else -1


def word(p: bytes, at: int) -> int:
    """The end of true, false or null."""
    if p[at] == 0x74:
        good = p[at + 1] == 0x72 and p[at + 2] == 0x75 and p[at + 3] == 0x65
        return at + 4 if good else -1
    if p[at] == 0x6E:
        good = p[at + 1] == 0x75 and p[at + 2] == 0x6C and p[at + 3] == 0x6C
        return at + 4 if good else -1
    if p[at] != 0x66 or p[at + 1] != 0x61 or p[at + 2] != 0x6C:
        return -1
    return at + 5 if p[at + 3] == 0x73 and p[at + 4] == 0x65 else -1
