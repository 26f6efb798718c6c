"""What a kind of finding is: a row of one of the tables `kinds_*`. `registry` has them all.

A kind answers with how likely each find is when nothing around it speaks for it. Where one of its
context words stands, in a key above the value, in a column's name or within 30 characters in the
same text, the find becomes `with_context`. What is below the threshold of the route is none.

A type may have several rows: one that can be trusted alone and one that needs context (`us_ssn`:
dashed, and nine bare digits). The gate of a row that needs context costs next to nothing, because
one of its words must stand in the block as well.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

Span = tuple[int, int]
"""First octet, and the one behind the last."""


class Likelihood(IntEnum):
    VERY_UNLIKELY = 1
    UNLIKELY = 2
    POSSIBLE = 3
    LIKELY = 4
    VERY_LIKELY = 5


Found = tuple[int, int, Likelihood]
"""A span in the UTF-8 of one decoded value, and how likely it is without context."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One way to find one type. Several rows of one name are looked for one after another."""

    name: str
    """As in the configuration. Listed in `proxy/settings/detected.py` too."""
    find: Callable[[bytes], Iterator[Found]]
    """Spans in order and apart, in linear time, in the UTF-8 of one decoded string or the digits of
    a number; folded where `folds` (see fold). It is also given windows of a text, to see where they
    may end: no pattern may ask for the end of the text."""
    gates: tuple[bytes, ...]
    """hyperscan expressions that match wherever `find` finds something. What is folded, escaped or
    a number with an exponent is scanned a second time, made plain."""
    outlines: tuple[bytes, ...] = ()
    """Expressions over the outline (see outline), one of which matches wherever one of `gates`
    does: for those that are made of digits, which stand as near says, and would be dear."""
    needed: bytes = b""
    """A literal that the text must hold, folded where `folds`."""
    folds: bool = False
    context: frozenset[str] = frozenset()
    """Whole words in lower case, or several with one space between: `ssn`, `social security`."""
    with_context: Likelihood = Likelihood.VERY_LIKELY
    """What a find becomes where context stands."""
    alone: Likelihood = Likelihood.VERY_LIKELY
    """The most that `find` answers. Below the threshold, the gate asks for a context word too."""
    runs_on: bool = False
    """A find may run on to the end of the text, and further where there is more."""
    literal: bool = False
    """Looks at a number as it is written as well."""
    default: bool = False
    """In the group `default`."""
    group: str = "personal"
    """`personal`, `financial`, `secret` or `network`."""


def sure(find: Callable[[bytes], Iterator[Span]]) -> Callable[[bytes], Iterator[Found]]:
    """`find` with every span very likely: what a checksum, a prefix or a format proves."""
    return rated(find, Likelihood.VERY_LIKELY)


def rated(
    find: Callable[[bytes], Iterator[Span]], likelihood: Likelihood
) -> Callable[[bytes], Iterator[Found]]:
    """`find` with one likelihood for every span."""

    def found(text: bytes) -> Iterator[Found]:
        return ((start, end, likelihood) for start, end in find(text))

    return found
