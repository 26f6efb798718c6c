"""Look for what no path names: first the gate, then exact patterns where the gate let something by.

`suspects` scans octets, many records at once; nearly always that is all that happens.

`examine` takes one JSON document with a suspect in it. It scans the strings and numbers, keys too,
some at a time; where the gate lets something by, each of them is judged, decoded (see judge). What
masking has put in place is no finding. `judge` takes one decoded value of any other format.
"""

import re
import sys
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from typing import Final

from proxy.content.decode import (
    BASE64_INSIDE,
    BASE64_MARKED,
    DEPTH,
    JSON_INSIDE,
    MAXIMUM,
    is_json,
    may_hold_json,
    resembles_json,
)
from proxy.content.findings import Findings
from proxy.content.gate import gate
from proxy.content.judge import Judge, Rulebook
from proxy.content.kinds import Kind, Likelihood, Span
from proxy.content.mask import spelt
from proxy.content.places import ROOT, Named, Place, Walk
from proxy.content.runs import base64_texts, wrapped
from proxy.content.strings import decoded, respelt
from proxy.content.validate import STRING
from proxy.content.watch import Watch

Suspects = frozenset[Kind]
"""What the gate let by. Nobody looks into it but this module."""

_LINES: Final = 16
"""Searched together."""
_BATCH: Final = 16
_OCTETS: Final = 1024
"""Values that are searched together, by number and by size."""
_FEW: Final = 3
"""Kinds whose every match is asked for, to see which values they are in."""
_VALUE: Final = re.compile(rb'[^"0-9-]*+(' + STRING + rb"|[0-9-][-+.0-9Ee]*+)", re.DOTALL)

_Batch = list[tuple[int, bytes]]
"""Raw strings and numbers, with where they start."""


class Detector:
    """What one policy detects. Safe to use from several threads."""

    def __init__(
        self, watches: Sequence[Watch], threshold: Likelihood, decode: Collection[str] = ()
    ) -> None:
        """`decode` is what is looked into inside strings: `json`, `base64`."""
        kinds = [kind for watch in watches for kind in watch.kinds]
        self._base64 = BASE64_INSIDE if "base64" in decode else BASE64_MARKED
        self._gate = gate((*kinds, JSON_INSIDE, self._base64), threshold)
        self._book = Rulebook(watches, threshold, self._gate)
        self._decode = frozenset(decode)
        self.raises = frozenset(
            watch.raises for watch in watches if watch.raises is not None and not watch.reject
        )
        """The labels that findings may raise content to."""

    def suspects(self, data: bytes) -> Suspects:
        """What may be in these octets: valid JSON, or several lines of it."""
        return self._gate.in_json(data)

    def lines(self, block: bytes, suspects: Suspects) -> set[int]:
        """The numbers, from 0, of the lines of NDJSON that may hold something."""
        ends = self._gate.ends(block, suspects)
        if ends is None:
            return set(self._some_lines(block.split(b"\n")))
        found: set[int] = set()
        number = position = 0
        for end in ends:
            number += block.count(b"\n", position, end - 1)
            position = end - 1
            found.add(number)
        return found

    def _some_lines(self, lines: Sequence[bytes]) -> Iterator[int]:
        for first in range(0, len(lines), _LINES):
            if self.suspects(b"\n".join(lines[first : first + _LINES])):
                yield from range(first, min(first + _LINES, len(lines)))

    def suspects_in_text(self, data: bytes) -> Suspects:
        """The same of any other octets: lines of a table, a form, text."""
        return self._in_text(data, context=False)

    def spans(self, text: bytes, suspects: Suspects) -> list[Span]:
        """Where something may be, however likely, in a text that is about to be divided.

        What is found folded only is not among them. A find that may run on, and does so to the end
        of the text, has no end.
        """
        size = len(text)
        return [
            (start, sys.maxsize if kind.runs_on and end == size else end)
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
        judge = Judge(self._book, findings, where)
        return self._text(text, Named(context, path), judge, suspects, DEPTH)

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
        return self._document(data, ROOT, judge, suspects, DEPTH, masked)

    def _document(
        self,
        data: bytes,
        above: Place,
        judge: Judge,
        suspects: Suspects,
        depth: int,
        masked: Sequence[int] = (),
    ) -> bytes:
        walk = Walk(data, above)
        out = bytearray()
        position = 0
        for batch in _batches(data, masked):
            judge.findings.require_wanted()
            chosen, found = self._chosen(batch, suspects)
            for start, raw in chosen:
                walk.to(start)
                new = self._value(raw, walk, judge, found, depth)
                if new is not raw:
                    out += data[position:start]
                    out += new
                    position = start + len(raw)
        return bytes(out) + data[position:] if position else data

    def _chosen(self, batch: _Batch, suspects: Suspects) -> tuple[_Batch, Suspects]:
        """Those that something may be in, and what may be in any of them."""
        together = b",".join([raw for _, raw in batch])
        if len(suspects) > _FEW:
            suspects &= self._gate.in_json(together, context=True)
        if not suspects or len(batch) == 1:
            return batch if suspects else [], suspects
        ends = self._gate.ends(together, suspects) if len(suspects) <= _FEW else None
        if ends is None:
            return batch, suspects
        behind = list(accumulate(len(raw) + 1 for _, raw in batch))
        return [batch[n] for n in sorted({bisect_left(behind, end) for end in ends})], suspects

    def _value(self, raw: bytes, walk: Walk, judge: Judge, suspects: Suspects, depth: int) -> bytes:
        """One raw string or number; the same object when nothing was replaced."""
        if raw[0] != 0x22:
            number = judge.number(raw, walk)
            return raw if number is None else spelt(number)
        text, left = decoded(raw), judge.left
        new = self._text(text, walk, judge, suspects, depth)
        if judge.left != left:
            walk.hide()
        return raw if new is text else respelt(raw, new)

    def _text(
        self, text: bytes, place: Place, judge: Judge, suspects: Suspects, depth: int
    ) -> bytes:
        """One decoded string, and what is inside it."""
        if JSON_INSIDE in suspects and is_json(text):
            if self._looks_into("json", text, depth):
                found = self._gate.in_json(text, context=True)
                return self._document(text, place, judge, found, depth - 1) if found else text
            judge.findings.unscanned += 1
        elif JSON_INSIDE in suspects and resembles_json(text):
            judge.findings.unscanned += 1
        text = judge.text(text, place)
        if self._base64 not in suspects:
            return text
        parts: list[bytes] = []
        position = 0
        for start, end, inner in base64_texts(text):
            if inner is None or not self._looks_into("base64", inner, depth):
                judge.findings.unscanned += 1
                continue
            found = self._in_text(inner, context=True)
            new = self._text(inner, place, judge, found, depth - 1) if found else inner
            if new is not inner:
                parts += (text[position:start], wrapped(new, text[start:end]))
                position = end
        return b"".join([*parts, text[position:]]) if parts else text

    def _looks_into(self, what: str, text: bytes, depth: int) -> bool:
        return what in self._decode and depth > 0 and len(text) <= MAXIMUM

    def _in_text(self, text: bytes, *, context: bool) -> Suspects:
        found = self._gate.in_text(text, context=context)
        return found | {JSON_INSIDE} if may_hold_json(text) else found


def _batches(data: bytes, masked: Sequence[int]) -> Iterator[_Batch]:
    """The strings and numbers of valid JSON, with where they start, some at a time."""
    left = frozenset(masked)
    batch: _Batch = []
    size = 0
    for match in _VALUE.finditer(data):
        raw, start = match[1], match.start(1)
        if raw == b'""' or start in left:
            continue
        batch.append((start, raw))
        size += len(raw)
        if len(batch) == _BATCH or size > _OCTETS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
