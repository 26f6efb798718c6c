"""What of a text the outline has to be made of: the octets around digits that may mean something.

    "due":"2026-11-23","card":"4111 1111 1111 1111",…      due":"2026-11-23","card":"4111 1111 1111…

Whatever the outline of a text is searched for (see outline, and the outlines of kinds), its digits
make it one of the places of `digits`, and nothing of it is 48 octets away from there. Nearly always
there is no such place, and no outline to be made or searched.

Compiled as `_near`; where it is not, all of a text is taken.
"""

from typing import Final

from proxy.content.digits import place

REACH: Final = 48
"""Octets before and behind a place."""
_STRIDE: Final = 32


def near(text: bytes) -> bytes:
    """The octets around every place, with a quote between those that are apart. b"" for none."""
    size = len(text)
    at = place(text, 0, size)
    if at < 0:
        return b""
    parts = []
    start = end = max(at - REACH, 0)
    while at >= 0:
        if at - REACH > end:
            parts.append(text[start:end])
            start = at - REACH
        end = min(at + _STRIDE + REACH, size)
        at = place(text, at + _STRIDE, size)
    parts.append(text[start:end])
    return b'"'.join(parts)
