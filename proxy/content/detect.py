"""Look for what no path names: first the gate, then exact patterns where the gate let something by.

`suspects` scans octets, many records at once; nearly always that is all that happens.

`examine` takes one JSON document with a suspect in it. It scans the strings and numbers, keys too,
some at a time; where the gate lets something by, each of them is judged, decoded (see judge). What
masking has put in place is no finding. `judge` takes one decoded value of any other format.
"""

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
from proxy.content.gate import Located, gate
from proxy.content.judge import Judge, Rulebook
from proxy.content.kinds import Kind, Likelihood, Span
from proxy.content.located import Chosen, add, batches, by_line, reached, suspected
from proxy.content.mask import spelt
from proxy.content.places import ROOT, Named, Place, Walk
from proxy.content.runs import base64_texts, wrapped
from proxy.content.strings import decoded, respelt
from proxy.content.watch import Watch

Suspects = frozenset[Kind]
"""What the gate let by. Nobody looks into it but this module."""

_LINES: Final = 16
"""Searched together."""
_SMALL: Final = 4096
"""Octets of a document that is searched as a whole."""
_LONG: Final = 512
"""Octets of values, on average, that are searched one by one: each of them may be dense."""
_FEW: Final = 3
"""Kinds whose every match is asked for without a look whether there is any."""


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
        self._inside = frozenset({JSON_INSIDE, self._base64})
        self.raises = frozenset(
            watch.raises for watch in watches if watch.raises is not None and not watch.reject
        )
        """The labels that findings may raise content to."""

    def suspects(self, data: bytes) -> Suspects:
        """What may be in these octets: valid JSON, or several lines of it."""
        return self._gate.in_json(data)

    def lines(self, block: bytes, suspects: Suspects) -> dict[int, list[Located] | None]:
        """Which lines of NDJSON, from 0, may hold something, and where: see `examine`."""
        located = self._gate.located(block, suspects)
        if located is None:
            return dict.fromkeys(self._some_lines(block.split(b"\n")))
        found: dict[int, list[Located] | None] = {}
        lacking = self._gate.lacks(suspects)
        words = self._gate.words(block) if lacking else None
        said = None
        if words is not None:
            said = {n: {kind for _, kind in each} for n, _, each in by_line(block, words)}
        for number, start, here in by_line(block, located):
            some = here
            if said is not None and all(kind is not None for _, kind in here):
                spoken = said.get(number, set())
                some = [each for each in here if each[1] not in lacking or each[1] in spoken]
            if some:
                found[number] = [(end - start, kind) for end, kind in some]
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
        located: Sequence[Located] | None = None,
    ) -> bytes:
        """The document with its findings replaced, counted in `findings`.

        `masked` are the offsets, in order, at which masking has put a value in place; `located` is
        where in it something may be, if that is known. Raises as `judge` does.
        """
        judge = Judge(self._book, findings, where)
        return self._document(data, ROOT, judge, suspects, DEPTH, masked, located)

    def _document(
        self,
        data: bytes,
        above: Place,
        judge: Judge,
        suspects: Suspects,
        depth: int,
        masked: Sequence[int] = (),
        located: Sequence[Located] | None = None,
    ) -> bytes:
        walk = Walk(data, above)
        if located is None and len(data) <= _SMALL:
            located = self._gate.located(data, suspects)
        if located is None:
            chosen = self._searched(data, masked, suspects, walk, judge)
        else:
            chosen = reached(data, frozenset(masked), located, walk)
            suspects = suspected(located, suspects)
        out = bytearray()
        position = 0
        inside = suspects & self._inside
        for start, raw, kinds in chosen:
            judge.findings.require_wanted()
            new = self._value(raw, walk, judge, inside if kinds else suspects, kinds, depth)
            if new is not raw:
                out += data[position:start]
                out += new
                position = start + len(raw)
        return bytes(out) + data[position:] if position else data

    def _searched(
        self, data: bytes, masked: Sequence[int], suspects: Suspects, walk: Walk, judge: Judge
    ) -> Iterator[Chosen]:
        """The values of a large document that something may be in, with what may be."""
        for batch in batches(data, masked):
            judge.findings.require_wanted()
            together = b",".join([raw for _, raw in batch])
            found = suspects
            if len(found) > _FEW:
                found &= self._gate.in_json(together, context=True)
            if not found:
                continue
            long = len(together) > _LONG * len(batch)
            located = None if long else self._gate.located(together, found)
            kinds: dict[int, set[Kind] | None] = dict.fromkeys(range(len(batch)))
            if located is not None:
                kinds = {}
                behind = list(accumulate(len(raw) + 1 for _, raw in batch))
                for end, kind in located:
                    add(kinds, bisect_left(behind, end), kind)
            for n, some in kinds.items():
                start, raw = batch[n]
                walk.to(start)
                yield start, raw, some

    def _value(
        self,
        raw: bytes,
        walk: Walk,
        judge: Judge,
        suspects: Suspects,
        kinds: Collection[Kind] | None,
        depth: int,
    ) -> bytes:
        """One raw string or number; the same object when nothing was replaced."""
        if raw[0] != 0x22:
            number = judge.number(raw, walk, kinds)
            return raw if number is None else spelt(number)
        text, left = decoded(raw), judge.left
        new = self._text(text, walk, judge, suspects, depth, kinds)
        if judge.left != left:
            walk.hide()
        return raw if new is text else respelt(raw, new)

    def _text(
        self,
        text: bytes,
        place: Place,
        judge: Judge,
        suspects: Suspects,
        depth: int,
        kinds: Collection[Kind] | None = None,
    ) -> bytes:
        """One decoded string, and what is inside it. `kinds` may be found in it, if known."""
        if JSON_INSIDE in suspects and is_json(text):
            if self._looks_into("json", text, depth):
                found = self._gate.in_json(text, context=True)
                return self._document(text, place, judge, found, depth - 1) if found else text
            judge.findings.unscanned += 1
        elif JSON_INSIDE in suspects and resembles_json(text):
            judge.findings.unscanned += 1
        text = judge.text(text, place, kinds)
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
