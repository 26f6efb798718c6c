"""A policy's paths where a record is flat: the columns of a row, the pairs of a form.

A flat record is an object of strings (or, without names, an array of them), so a path reaches it
with one segment: `$.ssn`, `$['a column']`, `$[0]`, `$.*`, `$..ssn`, which is the same as `$.ssn`
here. `$` is every field. When several rules match a field the first one in the file wins.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from proxy.content.names import folded
from proxy.content.segments import Segment, parse

UNTOUCHED: Final = -1
WITHHELD: Final = -2
"""Instead of the number of a rule: a field that no rule matches; one that `allow_only` drops."""

_NOWHERE: Final = Segment(False, False, frozenset(), (), ())
"""Of a path that no flat record has: its field is always missing."""


class Fields:
    """Which rule each field of a flat record belongs to. Holds no state of a body."""

    def __init__(
        self,
        mask: Sequence[str],
        allow_only: Sequence[str],
        *,
        named: bool,
        fold: bool = False,
        beside_json: bool = False,
    ) -> None:
        """`named` says whether fields have names or are counted, `fold` how names are compared.

        Raises ValueError for a path that is not RFC 9535, and for one that could never match; with
        `beside_json` such a path is meant for JSON, and here its field is missing in every record.
        """
        self._rules: list[Segment | None] = []
        for path in mask:
            segments = parse(path, fold=fold)
            if not _reaches(segments, named=named):
                if not beside_json:
                    kind = "names ($.name)" if named else "numbers ($[0]): `header` is false"
                    raise ValueError(f"{path}: could never match: flat fields have {kind}")
                segments = (_NOWHERE,)
            self._rules.append(segments[0] if segments else None)
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
            if segment is None or segment.wildcard:
                continue
            if segment is _NOWHERE or not segment.names <= there:
                return path
        return None

    def beyond(self, length: int) -> str | None:
        """The path of a rule that selects none of `length` fields that are counted."""
        for path, segment in zip(self._paths, self._rules, strict=True):
            if not any(_has_index(segment, index, length) for index in range(length)):
                return path
        return None


def _reaches(segments: Sequence[Segment], *, named: bool) -> bool:
    if len(segments) != 1:
        return not segments
    (segment,) = segments
    return segment.wildcard or bool(segment.names if named else segment.positional)


def _has_name(segment: Segment | None, name: str) -> bool:
    return segment is None or segment.wildcard or name in segment.names


def _has_index(segment: Segment | None, index: int, length: int) -> bool:
    return segment is None or segment.selects(index, length)
