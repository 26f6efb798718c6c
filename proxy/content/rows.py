"""A long array without looking at each element: where do the selectors change their mind?

Between two neighbouring edges, the bounds of indexes and slices, what is selected repeats itself
with the steps of the slices. `$[1:7:2]` on ten elements: nothing, then 1 of 2, then nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, cycle, islice
from math import lcm
from typing import Final, TypeVar

T = TypeVar("T")
Run = tuple[list[T], int | None]
"""What is repeated, and how many elements that makes; None: to the end."""

_LONGEST: Final = 1024
"""A period above it is not kept in memory."""
_SPOTS: Final = 4096
"""More are not looked at."""


def runs(
    indexes: Iterable[int], slices: Iterable[slice], length: int, element: Callable[[int], T]
) -> list[Run[T]] | None:
    """The runs of an array of `length`; None when the steps make them too long to keep."""
    slices = list(slices)
    period = lcm(*(abs(cut.step or 1) for cut in slices))
    if period > _LONGEST:
        return None
    edges = {
        edge for n in indexes for edge in ((n, n + 1) if n >= 0 else (n + length, n + length + 1))
    }
    for cut in slices:
        if chosen := range(*cut.indices(length)):
            edges |= {min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1]) + 1}
    found: list[Run[T]] = []
    start = 0
    for edge in sorted(edge for edge in edges if 0 < edge < length):
        found.append(([element(n) for n in range(start, min(edge, start + period))], edge - start))
        start = edge
    return [*found, ([element(n) for n in range(start, min(start + period, length))], None)]


def unrolled(row: Iterable[Run[T]]) -> Iterator[T]:
    """One for each element, without end."""
    return chain.from_iterable(
        cycle(again) if size is None else islice(cycle(again), size) for again, size in row
    )


def spots(indexes: Iterable[int], slices: Iterable[slice]) -> list[tuple[int, int]] | None:
    """(element, length of its array), so that every other element is selected as one of these is.

    Edges from the front and from the end change places where one meets the other, and at no other
    length; twice a period behind that nothing new is selected. None when that makes too many.
    """
    slices = list(slices)
    period = lcm(*(abs(cut.step or 1) for cut in slices))
    bounds = [*indexes, *(bound for cut in slices for bound in (cut.start, cut.stop))]
    edges = {edge for bound in bounds if bound is not None for edge in (bound, bound + 1)}
    front = {0} | {edge for edge in edges if edge >= 0}
    back = {0} | {edge for edge in edges if edge < 0}
    if 2 * len(front) * len(back) * (len(front) + len(back)) * period**2 > _SPOTS:
        return None
    lengths = {one - other + more for one in front for other in back for more in range(2 * period)}
    return sorted(
        {
            (edge + more, length)
            for length in lengths
            for edge in {*front, *(length + edge for edge in back)}
            for more in range(period)
            if 0 <= edge + more < length
        }
    )
