"""RFC 9535 paths, parsed. Filters and functions need values, and are refused."""

from collections.abc import Iterable
from dataclasses import dataclass

import jsonpath_rfc9535
from jsonpath_rfc9535.segments import JSONPathRecursiveDescentSegment
from jsonpath_rfc9535.selectors import (
    IndexSelector,
    JSONPathSelector,
    NameSelector,
    SliceSelector,
    WildcardSelector,
)

from proxy.content.names import folded


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: which children it selects, and whether of every descendant."""

    descendant: bool
    wildcard: bool
    names: frozenset[str]
    indexes: tuple[int, ...]
    slices: tuple[slice, ...]

    def selects(self, index: int, length: int) -> bool:
        """Whether element `index` of an array of `length` is selected (RFC 9535, 2.3.3-2.3.4)."""
        return (
            self.wildcard
            or any(index == n or index - length == n for n in self.indexes)
            or any(index in range(*cut.indices(length)) for cut in self.slices)
        )

    @property
    def positional(self) -> bool:
        return bool(self.indexes or self.slices) and not self.wildcard

    @property
    def places(self) -> str:
        """A name for which elements are selected; "" for none or all."""
        return f"{self.indexes}{self.slices}" if self.positional else ""

    @property
    def from_the_end(self) -> bool:
        """Whether the length of the array matters."""
        bounds = [bound for cut in self.slices for bound in (cut.start, cut.stop, cut.step)]
        return any(n < 0 for n in self.indexes) or any(n is not None and n < 0 for n in bounds)


def parse(path: str, *, fold: bool = False) -> tuple[Segment, ...]:
    """Parse one path; `fold` folds the names in it (see names).

    Raises ValueError for what is not RFC 9535, and for filters.
    """
    try:
        query = jsonpath_rfc9535.compile(path)
    except (jsonpath_rfc9535.JSONPathError, RecursionError) as error:
        raise ValueError(f"not a JSONPath (RFC 9535): {error}") from None
    return tuple(
        _segment(segment.selectors, isinstance(segment, JSONPathRecursiveDescentSegment), fold)
        for segment in query.segments
    )


def normal(path: str) -> str:
    """The one way to write a valid path: `$.a["b"]` is `$['a']['b']`."""
    return str(jsonpath_rfc9535.compile(path))


def _segment(selectors: Iterable[JSONPathSelector], descendant: bool, fold: bool) -> Segment:
    names, indexes, slices, wildcard = set(), [], [], False
    for selector in selectors:
        match selector:
            case NameSelector():
                names.add(folded(selector.name) if fold else selector.name)
            case IndexSelector():
                indexes.append(selector.index)
            case SliceSelector():
                if not _empty(selector.slice):
                    slices.append(selector.slice)
            case WildcardSelector():
                wildcard = True
            case _:
                raise ValueError("filters and functions are not supported in masking paths")
    return Segment(descendant, wildcard, frozenset(names), tuple(indexes), tuple(slices))


def _empty(cut: slice) -> bool:
    """It selects nothing, however long the array is."""
    step = 1 if cut.step is None else cut.step
    if step == 0:
        return True
    first, last = (cut.start, cut.stop) if step > 0 else (cut.stop, cut.start)
    if last is None:
        return False
    if step > 0 and last == 0:
        return True
    first = 0 if first is None and step > 0 else first
    return first is not None and (first < 0) is (last < 0) and first >= last
