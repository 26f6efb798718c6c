"""What the tables of kinds are made of: finders from patterns, and gates for numbers.

A pattern starts with the set of its first octets and looks at what stands before only after that
(see identifiers). It has bounded or possessive repeats, and never crosses a quote or a line end, so
that what it finds in a whole document is what it finds in each string of it.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from proxy.content.kinds import Found, Likelihood

LEFT: Final = rb"(?<![0-9A-Za-z_].)(?<![0-9]\..)"
END: Final = rb"(?![0-9A-Za-z_])"
"""For patterns, behind their first octet and behind their last: no word, and no fraction before."""
BEHIND: Final = b"(?:[^0-9A-Za-z_]|$)"
"""What END asks for, in a gate."""

SEPARATORS: Final = b" .-()/"


def digits_gate(count: int, joint: bytes = b"[ -]?") -> tuple[bytes, ...]:
    """The gate for numbers of at least `count` digits; `joint` may stand between two of them.

    It asks for the end of the digits too, so that each matches once and not digit after digit.
    """
    return (b"[0-9](?:%b[0-9]){%d}(?:[^0-9]|$)" % (joint, count - 1),)


def compiled(pattern: bytes) -> re.Pattern[bytes]:
    """DOTALL, because what looks behind has `.` for the first octet, whatever it is."""
    return re.compile(pattern, re.DOTALL)


def found(
    pattern: bytes,
    likelihood: Likelihood,
    holds: Callable[[bytes], bool] | None = None,
    *,
    any_case: bool = False,
) -> Callable[[bytes], Iterator[Found]]:
    """A finder of what matches and, with its separators taken out, passes the check.

    Where the check fails, the search goes on one octet later: what was matched may hide another.
    The pattern must have bounded repeats then. With `any_case`, both see upper case, and what is
    written in lower case throughout is found too.
    """
    search = compiled(pattern).search

    def find(text: bytes) -> Iterator[Found]:
        shown = text.upper() if any_case else text
        position = 0
        while match := search(shown, position):
            whole = match[0]
            if (holds is None or holds(whole.translate(None, SEPARATORS))) and (
                shown is text or text[match.start() : match.end()] in (whole, whole.lower())
            ):
                position = match.end()
                yield match.start(), position, likelihood
            else:
                position = match.start() + 1

    return find


def words(listed: str) -> frozenset[str]:
    """Context words, given with commas between."""
    return frozenset(word.strip() for word in listed.split(","))
