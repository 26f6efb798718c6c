"""Judge one value at a time: find, count, and reject, replace or raise the label.

A value is a decoded string or a number. What is found in a string is replaced in its place, a
number goes whole. A find that is less likely than the threshold counts only where a word of its
context stands, above the value or beside the find. What stood beside something that was replaced
may be a finding now, so the search goes on until nothing new is found.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from proxy.content.edits import Edit, apart, edited, merged, place_of, within
from proxy.content.findings import Findings
from proxy.content.fold import digits_of, fold, unfolded
from proxy.content.gate import Gate
from proxy.content.kinds import Kind, Likelihood, Span
from proxy.content.places import Place
from proxy.content.registry import KINDS
from proxy.content.values import Masked, Scalar
from proxy.content.watch import Watch, lowered
from proxy.content.words import Vocabulary, unmarked
from proxy.errors import Refusal

FINDINGS_MAXIMUM: Final = 10_000
"""Findings in a document or NDJSON record; one more, and it is refused. Bounds time and memory."""
DIGITS_LEAST: Final = 5
"""Of fewer digits nothing is made that has a type; but of one's own there may be."""
_ROUNDS: Final = 8


class Rulebook:
    """The watches of a policy, with what is looked up for every value."""

    def __init__(self, watches: Sequence[Watch], threshold: Likelihood, gate: Gate) -> None:
        self.watches = tuple(watches)
        self.gate = gate
        self.threshold = threshold
        self.own = frozenset(kind for watch in watches for kind in watch.kinds if kind.literal)
        names = sorted({*KINDS, *(watch.name for watch in watches)})
        self._mark = re.compile(
            rb"\[REDACTED(?::(?:%b))?\]" % "|".join(map(re.escape, names)).encode()
        )
        self._order = {kind: n for n, watch in enumerate(self.watches) for kind in watch.kinds}
        self.vocabulary = Vocabulary(
            {
                kind: kind.context
                for watch in watches
                for kind in watch.kinds
                if kind.with_context >= threshold
            }
        )

    def marks(self, text: bytes) -> list[Span]:
        """What stands where something was redacted, here or by another gateway: no finding."""
        if b"[REDACTED" not in text:
            return []
        return [match.span() for match in self._mark.finditer(text)]

    def suspected(
        self, text: bytes, place: Place, kinds: Collection[Kind] | None
    ) -> Collection[Kind]:
        """What may be found in a value, all in all; `kinds` is what the gate let by, if known."""
        if kinds is None:
            return self.gate.in_value(text, lambda: place.above(self.vocabulary.in_key))
        return self.gate.spoken_for(text, kinds, lambda: place.above(self.vocabulary.in_key))

    def chosen(
        self, suspects: Iterable[Kind], above: frozenset[str]
    ) -> list[tuple[int, Watch, list[Kind]]]:
        """The watches that may find something, with their order and the rows that may."""
        rows: dict[int, list[Kind]] = {}
        for kind in suspects:
            if kind in self._order:
                rows.setdefault(self._order[kind], []).append(kind)
        order = sorted(rows) if len(rows) > 1 else rows
        watches = self.watches
        if not above:
            return [(n, watches[n], rows[n]) for n in order]
        return [(n, lowered(watches[n], above), rows[n]) for n in order]


class Judge:
    """Judges the values of one document or record."""

    def __init__(self, book: Rulebook, findings: Findings, where: str) -> None:
        self._book = book
        self.findings = findings
        self._where = where
        self._left = FINDINGS_MAXIMUM

    @property
    def left(self) -> int:
        """How many more findings there may be."""
        return self._left

    def number(
        self, literal: bytes, place: Place, kinds: Collection[Kind] | None = None
    ) -> Masked | None:
        """What becomes of a number; None: it stays. `kinds` as in `text`.

        Raises Refusal("finding-rejected").
        """
        digits = literal if literal.isdigit() else digits_of(literal)
        if digits != literal:
            kinds = None
        before = self.findings.counts.copy() if self._book.own else {}
        edits = self._look(digits, place, (), kinds=kinds) if digits else []
        if literal != digits and self._book.own:
            edits += self._look(literal, place, (), before=before)
        for edit in sorted(edits, key=place_of):
            replace = edit.watch.replace
            if replace is not None:
                return replace(Scalar("number", literal))
        return None

    def text(self, text: bytes, place: Place, kinds: Collection[Kind] | None = None) -> bytes:
        """A decoded string with its findings replaced; the same object when nothing was.

        `kinds` are what may be found in it, if that is known. Raises Refusal("finding-rejected").
        """
        done = self._book.marks(text)
        for turn in range(_ROUNDS):
            edits = self._look(text, place, done, first=turn == 0, kinds=kinds)
            kinds = None
            if not edits:
                return text
            edits = apart(edits)
            whole = edits[0].end - edits[0].start == len(text)
            text, done = edited(text, edits, done)
            if whole:
                return text
        raise Refusal("finding-rejected", f"findings without end in {self._where}")

    def _look(
        self,
        text: bytes,
        place: Place,
        done: Sequence[Span],
        *,
        first: bool = True,
        before: Mapping[str, int] | None = None,
        kinds: Collection[Kind] | None = None,
    ) -> list[Edit]:
        """What is to be replaced. Counts, rejects and raises on the way.

        `before` is what had been counted before the value of a number was looked at: of types of
        one's own, those that were not found there are looked for, and nothing else.
        """
        book = self._book
        if len(text) < DIGITS_LEAST and text.isdigit() and not book.own:
            return []
        suspects = book.suspected(text, place, kinds)
        if before is not None:
            counts = self.findings.counts
            suspects = [
                kind
                for kind in suspects
                if kind.literal and counts.get(kind.name) == before.get(kind.name)
            ]
        if not suspects:
            return []
        edits: list[Edit] = []
        search = _Search(book, text, place)
        for order, watch, rows in book.chosen(suspects, self.findings.above):
            if not first and watch.replace is None and not watch.reject:
                continue  # counted in the first round
            self.findings.require_wanted()
            spans = search.all(rows, self._left + 1)
            if done:
                spans = [span for span in spans if not within(span, done)]
            if spans:
                self._note(watch, len(spans), place)
                if watch.replace is not None:
                    edits += [Edit(start, end, order, watch) for start, end in spans]
        return edits

    def _note(self, watch: Watch, count: int, place: Place) -> None:
        self.findings.note(watch.name, place.path(), count, lowered=watch.lowered)
        if watch.reject:
            raise Refusal("finding-rejected", f"{watch.name} in {self._where}")
        if watch.raises is not None:
            self.findings.labels.add(watch.raises)
        if count > self._left:
            raise Refusal("finding-rejected", f"over {FINDINGS_MAXIMUM} findings in {self._where}")
        self._left -= count


class _Search:
    """One text in one place."""

    def __init__(self, book: Rulebook, text: bytes, place: Place) -> None:
        self._book = book
        self._text = text
        self._folded = fold(text)
        self._place = place
        self._above: frozenset[Kind] | None = None
        self._near: dict[tuple[int, int, bool], frozenset[Kind]] = {}
        self._said: dict[bool, bytes] = {}

    def all(self, kinds: Sequence[Kind], most: int) -> Sequence[Span]:
        """What `finds` finds of several rows, in order and apart."""
        if len(kinds) == 1:
            return list(self.finds(kinds[0], most))
        return merged([span for kind in kinds for span in self.finds(kind, most)])

    def finds(self, kind: Kind, most: int) -> Iterable[Span]:
        """Spans of the text as it was sent that are likely enough, in order."""
        subject = self._folded if kind.folds else self._text
        if kind.needed not in subject:
            return ()
        spans = islice(self._likely(kind, subject), most)
        if subject is self._text:
            return spans
        return unfolded(self._text, subject, spans)

    def _likely(self, kind: Kind, subject: bytes) -> Iterator[Span]:
        threshold = self._book.threshold
        for start, end, likelihood in kind.find(subject):
            if likelihood >= threshold or self._is_said(kind, start, end):
                yield start, end

    def _is_said(self, kind: Kind, start: int, end: int) -> bool:
        """Whether context stands above the value, or beside the span."""
        vocabulary = self._book.vocabulary
        if self._above is None:
            self._above = self._place.above(vocabulary.in_key)
        if kind in self._above:
            return True
        at = start, end, kind.folds
        if at not in self._near:
            self._near[at] = vocabulary.near(self._unmarked(kind.folds), start, end)
        return kind in self._near[at]

    def _unmarked(self, folded: bool) -> bytes:
        if folded not in self._said:
            self._said[folded] = unmarked(self._folded if folded else self._text)
        return self._said[folded]
