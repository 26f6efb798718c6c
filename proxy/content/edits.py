"""What is to be replaced in a text: spans made one where they overlap, and put in place."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from proxy.content.kinds import Span
from proxy.content.values import Scalar
from proxy.content.watch import Watch, marker

_START: Final = itemgetter(0)


class Edit(NamedTuple):
    start: int
    end: int
    order: int
    watch: Watch


def place_of(edit: Edit) -> tuple[int, int, int]:
    return edit.start, -edit.end, edit.order


def within(span: Span, done: Sequence[Span]) -> bool:
    """Whether a span lies in one of these, which are in order and apart."""
    at = bisect_right(done, span[0], key=_START) - 1
    return at >= 0 and span[1] <= done[at][1]


def merged(spans: Iterable[Span]) -> list[Span]:
    """Sorted, with overlapping ones made one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def apart(edits: Iterable[Edit]) -> list[Edit]:
    """In order. Of those that overlap, one of them all that hides everything."""
    merged: list[Edit] = []
    for edit in sorted(edits, key=place_of):
        if not merged or edit.start >= merged[-1].end:
            merged.append(edit)
            continue
        last = merged[-1]
        watch = last.watch
        if not watch.whole:
            watch = Watch(watch.name, watch.kinds, replace=marker(watch.name), whole=True)
        merged[-1] = Edit(last.start, max(last.end, edit.end), last.order, watch)
    return merged


def edited(text: bytes, edits: Sequence[Edit], done: Sequence[Span]) -> tuple[bytes, list[Span]]:
    """The text with every edit made, and the spans in it that are replacements, old and new."""
    parts: list[bytes] = []
    placed: list[Span] = []
    position = size = at = 0
    for start, end, _, watch in edits:
        while at < len(done) and done[at][0] < start:
            if done[at][1] <= start and done[at][0] >= position:
                placed.append((done[at][0] - position + size, done[at][1] - position + size))
            at += 1
        made = None if watch.replace is None else watch.replace(Scalar("string", text[start:end]))
        new = text[start:end] if made is None else made.text
        parts += (text[position:start], new)
        size += start - position
        placed.append((size, size + len(new)))
        size += len(new)
        position = end
    placed += ((s - position + size, e - position + size) for s, e in done[at:] if s >= position)
    return b"".join([*parts, text[position:]]), placed
