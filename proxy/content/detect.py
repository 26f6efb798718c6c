"""Look for what no path names: first the gate, then exact patterns where the gate let something by.

`suspects` scans octets, many records at once; nearly always that is all that happens.

`examine` takes one JSON document with a suspect in it. It blanks escapes in a copy of equal length,
so that every quote left in it is a delimiter, and runs the exact patterns over that copy. What they
find only says which strings and numbers to look at; those, and every string with an escape, are
judged one by one, decoded (see judge). Keys are strings too. What masking has put in place is no
finding. `judge` takes one decoded value of any other format.
"""

import re
import sys
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from heapq import merge
from operator import itemgetter
from typing import Final

from proxy.content.findings import Findings
from proxy.content.fold import respelt_starts, strings_to_fold
from proxy.content.gate import gate
from proxy.content.judge import Judge, Rulebook
from proxy.content.kinds import Kind, Likelihood, Span
from proxy.content.mask import spelt
from proxy.content.places import Named, Walk
from proxy.content.strings import decoded, respelt
from proxy.content.watch import Watch

Suspects = frozenset[Kind]
"""What the gate let by. Nobody looks into it but this module."""

_START: Final = itemgetter(0)
_ESCAPE: Final = re.compile(rb"\\.", re.DOTALL)
_ESCAPED: Final = re.compile(rb'"[^"\\]*+\\', re.DOTALL)
_NUMBER: Final = re.compile(rb"[-+.0-9Ee]*+")


class Detector:
    """What one policy detects. Safe to use from several threads."""

    def __init__(self, watches: Sequence[Watch], threshold: Likelihood) -> None:
        kinds = tuple(kind for watch in watches for kind in watch.kinds)
        self._gate = gate(kinds, threshold)
        self._book = Rulebook(watches, threshold, self._gate)

    def suspects(self, data: bytes) -> Suspects:
        """What may be in these octets: valid JSON, or several lines of it."""
        return self._gate.in_json(data)

    def suspects_in_text(self, data: bytes) -> Suspects:
        """The same of any other octets: lines of a table, a form, text."""
        return self._gate.in_text(data)

    def spans(self, text: bytes, suspects: Suspects) -> list[Span]:
        """Where something may be, however likely, in a text that is about to be divided.

        What is found folded only is not among them. A find that may run on, and does so to the end
        of the text, has no end.
        """
        size = len(text)
        return [
            (start, sys.maxsize if kind.starts is not None and end == size else end)
            for kind in suspects
            for start, end, _ in kind.find(text)
        ]

    def judge(
        self,
        text: bytes,
        context: Sequence[str],
        path: str,
        suspects: Suspects,
        findings: Findings,
        where: str,
    ) -> bytes:
        """One decoded value with its findings replaced; the same object when nothing was.

        `context` is what names it, such as its column; `path` is what the receipt is told. Raises
        Refusal("finding-rejected") that names the type and `where`, nothing else; what it refuses
        has been counted by then.
        """
        findings.require_wanted()
        return Judge(self._book, findings, where).text(text, Named(context, path), suspects)

    def examine(
        self,
        data: bytes,
        suspects: Suspects,
        masked: Sequence[int],
        findings: Findings,
        where: str,
    ) -> bytes:
        """The document with its findings replaced, counted in `findings`.

        `masked` are the offsets, in order, at which masking has put a value in place. Raises as
        `judge` does.
        """
        judge = Judge(self._book, findings, where)
        walk = Walk(data)
        out = bytearray()
        position = 0
        for start, end in _values(data, suspects):
            findings.require_wanted()
            at = bisect_left(masked, start)
            if at < len(masked) and masked[at] == start:
                continue
            raw = data[start:end]
            walk.to(start)
            new = _judged(raw, walk, judge, suspects)
            if new is not raw:
                out += data[position:start]
                out += new
                position = end
        return bytes(out) + data[position:] if position else data


def _judged(raw: bytes, walk: Walk, judge: Judge, suspects: Suspects) -> bytes:
    """One raw string or number; the same object when nothing was replaced."""
    if raw[0] != 0x22:
        number = judge.number(raw, walk, suspects)
        return raw if number is None else spelt(number)
    text, left = decoded(raw), judge.left
    new = judge.text(text, walk, suspects)
    if judge.left != left:
        walk.hide()
    return raw if new is text else respelt(raw, new)


def _values(data: bytes, suspects: Collection[Kind]) -> Iterator[tuple[int, int]]:
    """Spans of the strings and numbers to look at, in order."""
    plain = _ESCAPE.sub(b"\0\0", data) if b"\\" in data else data
    end = counted = quotes = 0
    for start in merge(*_candidates(data, plain, suspects)):
        if start < end:
            continue
        quotes += plain.count(b'"', counted, start)
        counted = start
        if quotes % 2:
            begin, end = plain.rfind(b'"', 0, start), plain.find(b'"', start) + 1
        elif plain[start] == 0x22:
            begin, end = start, plain.find(b'"', start + 1) + 1
        else:
            begin = start
            while begin and plain[begin - 1] in b"-+.0123456789eE":
                begin -= 1
            match = _NUMBER.match(plain, start)
            end = match.end() if match else start
        yield begin, end


def _candidates(data: bytes, plain: bytes, suspects: Collection[Kind]) -> Iterator[Iterable[int]]:
    """Where something may be: octets inside a value, or its first. Each of them in order."""
    for kind in suspects:
        yield map(_START, kind.find(plain)) if kind.starts is None else sorted(kind.starts(plain))
    yield respelt_starts(plain)
    if any(kind.folds for kind in suspects):
        yield strings_to_fold(plain)
    if plain is not data:
        yield (match.start() for match in _ESCAPED.finditer(data))
