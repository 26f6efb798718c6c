"""A policy's paths where a record is flat: the columns of a row, the pairs of a form.

A flat record is an object of strings (or, without names, an array of them), so a path reaches it
with one segment: `$.ssn`, `$['a column']`, `$[0]`, `$.*`, `$..ssn`, which is the same as `$.ssn`
here. `$` is every field. When several rules match a field the first one in the file wins.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from proxy.content.names import folded
from proxy.content.paths import Segment, parse

UNTOUCHED: Final = -1
WITHHELD: Final = -2
"""Instead of the number of a rule: a field that no rule matches; one that `allow_only` drops."""


class Fields:
    """Which rule each field of a flat record belongs to. Holds no state of a body."""

    def __init__(
        self, mask: Sequence[str], allow_only: Sequence[str], *, named: bool, fold: bool = False
    ) -> None:
        """`named` says whether fields have names or are counted, `fold` how names are compared.

        Raises ValueError for a path that is not RFC 9535, and for one that could never match.
        """
        self._rules = [_segment(path, named=named, fold=fold) for path in mask]
        self._fold = fold
        self._paths = mask
        only = [parse(path, fold=fold) for path in allow_only]
        self._only = [segments[0] if segments else None for segments in only if len(segments) < 2]
        self._limited = bool(allow_only)

    def named(self, name: str) -> int:
        """The number of the rule of a field with this name; UNTOUCHED or WITHHELD."""
        name = folded(name) if self._fold else name
        if self._limited and not any(_has_name(segment, name) for segment in self._only):
            return WITHHELD
        matches = (n for n, segment in enumerate(self._rules) if _has_name(segment, name))
        return next(matches, UNTOUCHED)

    def counted(self, index: int, length: int) -> int:
        """The same of the field at `index` of `length`."""
        if self._limited and not any(_has_index(segment, index, length) for segment in self._only):
            return WITHHELD
        matches = (n for n, segment in enumerate(self._rules) if _has_index(segment, index, length))
        return next(matches, UNTOUCHED)

    def missing(self, names: Iterable[str]) -> str | None:
        """The path of a rule that names a field that is not among `names`; None: all are there."""
        there = {folded(name) if self._fold else name for name in names}
        for path, segment in zip(self._paths, self._rules, strict=True):
            if segment and not segment.wildcard and not segment.names <= there:
                return path
        return None

    def beyond(self, length: int) -> str | None:
        """The path of a rule that selects none of `length` fields that are counted."""
        for path, segment in zip(self._paths, self._rules, strict=True):
            if not any(_has_index(segment, index, length) for index in range(length)):
                return path
        return None


def _segment(path: str, *, named: bool, fold: bool) -> Segment | None:
    segments = parse(path, fold=fold)
    if not segments:
        return None
    (segment, *deeper) = segments
    if deeper or not (segment.wildcard or (segment.names if named else segment.positional)):
        kind = "names ($.name)" if named else "numbers ($[0]), since `header` is false"
        raise ValueError(f"{path}: could never match: fields of a flat format have {kind}")
    return segment


def _has_name(segment: Segment | None, name: str) -> bool:
    return segment is None or segment.wildcard or name in segment.names


def _has_index(segment: Segment | None, index: int, length: int) -> bool:
    return segment is None or segment.selects(index, length)
