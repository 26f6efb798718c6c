"""Where digits stand as they do in what the outline is searched for. digits.pxd has the same in C.

of 9 or more, one that eight others precede     card, social security number
the fourth of four, behind four and one or two other octets        0000-0000, 0000: 0000
the fourth of four, behind two, behind one more                    000-00-0000
the second of two behind two letters                               iban
an E behind a digit                                                a number with an exponent
"""

import re
from typing import Final

_LETTER: Final = rb"[A-Z_a-z{|}~\x7f]"
_PLACE: Final = re.compile(
    rb"[0-9](?:(?<=[0-9]{9})|(?<=[0-9]{4}[^0-9][0-9]{4})|(?<=[0-9]{4}[^0-9]{2}[0-9]{4})"
    rb"|(?<=[0-9][^0-9][0-9]{2}[^0-9][0-9]{4})|(?<=%b{2}[0-9]{2}))|[eE](?<=[0-9].)" % _LETTER,
    re.DOTALL,
)


def place(text: bytes, at: int, size: int) -> int:
    """The first such place in `text[:size]` that is not before `at`; -1 for none."""
    match = _PLACE.search(text, at, size)
    return match.start() if match else -1
