"""From where the gate saw something to the lines of a block and the values of a document.

{"id":7,"mail":"a@b.example"}    an end behind `a@b`, in the second value; see gate.Located
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from proxy.content.gate import Located
from proxy.content.kinds import Kind
from proxy.content.places import Walk
from proxy.content.validate import STRING

_TOGETHER: Final = 128
_OCTETS: Final = 4096
"""Values that are searched together, by number and by size."""
_VALUE: Final = re.compile(rb'[^"0-9-]*+(' + STRING + rb"|[0-9-][-+.0-9Ee]*+)", re.DOTALL)

Batch = list[tuple[int, bytes]]
"""Raw strings and numbers, with where they start."""
Chosen = tuple[int, bytes, Collection[Kind] | None]
"""The same, and what may be in it; None: anything."""


def by_line(block: bytes, ends: Sequence[Located]) -> Iterator[tuple[int, int, list[Located]]]:
    """What ends in each line in which something does: its number, where it starts, and that."""
    number = start = at = 0
    while at < len(ends):
        first = ends[at][0] - 1
        number += block.count(b"\n", start, first)
        start = block.rfind(b"\n", 0, first) + 1
        stop = block.find(b"\n", first)
        here = at
        while at < len(ends) and (stop < 0 or ends[at][0] - 1 <= stop):
            at += 1
        yield number, start, list(ends[here:at])


def reached(
    data: bytes, masked: Collection[int], located: Sequence[Located], walk: Walk
) -> Iterator[Chosen]:
    """The values that something may be in, gone to, each with what may be."""
    at = 0
    while at < len(located):
        span = walk.reach(located[at][0])
        if span is None:
            return
        kinds: dict[int, set[Kind] | None] = {}
        start, stop = span
        while at < len(located) and located[at][0] <= stop + 1:
            add(kinds, 0, located[at][1])
            at += 1
        if start not in masked:
            yield start, data[start:stop], kinds[0]


def suspected(located: Sequence[Located], kinds: frozenset[Kind]) -> frozenset[Kind]:
    """Which of these kinds may be somewhere: all of them, where one thing is spelt otherwise."""
    seen: set[Kind] = set()
    for _, kind in located:
        if kind is None:
            return kinds
        seen.add(kind)
    return kinds & seen


def add(kinds: dict[int, set[Kind] | None], n: int, kind: Kind | None) -> None:
    """Note what may be in one of some values."""
    if kind is None:
        kinds[n] = None
    elif (some := kinds.setdefault(n, set())) is not None:
        some.add(kind)


def batches(data: bytes, masked: Sequence[int]) -> Iterator[Batch]:
    """The strings and numbers of valid JSON, with where they start, some at a time."""
    left = frozenset(masked)
    batch: Batch = []
    size = 0
    for match in _VALUE.finditer(data):
        raw, start = match[1], match.start(1)
        if raw == b'""' or start in left:
            continue
        batch.append((start, raw))
        size += len(raw)
        if len(batch) == _TOGETHER or size > _OCTETS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
