"""What Python and C spell differently: copies, and words of 64 bits. octets.pxd has the same in C.

Nothing checks an index: whoever calls has made room.
"""

import re
from typing import Final

_PLAIN: Final = re.compile(rb'[^\x00-\x1f"\\\x80-\xff]*+')
_WORD: Final = 2**64 - 1


def copy(target: bytearray, place: int, source: bytes | bytearray, start: int, end: int) -> None:
    """Put `source[start:end]` into the target at `place`."""
    target[place : place + end - start] = source[start:end]


def clear(target: bytearray, start: int, end: int) -> None:
    """Make octets of the target zero."""
    target[start:end] = bytes(end - start)


def eight(source: bytes | bytearray, at: int) -> int:
    """Eight octets, the lowest first."""
    return int.from_bytes(source[at : at + 8], "little")


def store(target: bytearray, at: int, value: int) -> None:
    """Put a word into the target, the lowest octet first."""
    target[at : at + 8] = value.to_bytes(8, "little")


def big(target: bytearray, at: int, value: int) -> None:
    """The same, the highest octet first."""
    target[at : at + 8] = value.to_bytes(8, "big")


def plus(one: int, other: int) -> int:
    """The sum modulo 2**64."""
    return (one + other) & _WORD


def turned(value: int, count: int) -> int:
    """The word rotated to the right."""
    return (value >> count | value << (64 - count)) & _WORD


def inverted(value: int) -> int:
    """The word with every bit the other way."""
    return value ^ _WORD


def plain(source: bytes, at: int, size: int) -> int:
    """Where the ASCII ends that a string of JSON may hold as it is; maybe a few octets earlier."""
    match = _PLAIN.match(source, at, size)
    return match.end() if match else at
