"""A long array without looking at each element: where do the selectors change their mind?

Between two neighbouring edges, the bounds of indexes and slices, what is selected repeats itself
with the steps of the slices. `$[1:7:2]` on ten elements: nothing, then 1 of 2, then nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count, cycle, islice
from math import lcm
from typing import Final, TypeVar

T = TypeVar("T")
Run = tuple[list[T], int | None]
"""What is repeated, and how many elements that makes; None: to the end."""

_LONGEST: Final = 1024
"""A period above it is not kept in memory."""


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
    return [*found, ([element(n) for n in islice(count(start), period)], None)]


def unrolled(row: Iterable[Run[T]]) -> Iterator[T]:
    """One for each element, without end."""
    return chain.from_iterable(
        cycle(again) if size is None else islice(cycle(again), size) for again, size in row
    )
