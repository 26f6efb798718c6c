"""Judge one string or number: find, count, and redact, reject or flag."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import orjson

from proxy.content.fold import digits_of, fold, unfolded
from proxy.content.kinds import Found, Span
from proxy.content.registry import KINDS
from proxy.errors import Refusal
from proxy.settings.schema import DetectRule

FINDINGS_MAXIMUM: Final = 10_000
"""Findings in a document or NDJSON record; one more, and it is refused. Bounds time and memory."""
_ROUNDS: Final = 8


@dataclass(slots=True)
class Findings:
    """What was found in one body: type -> occurrences, and the labels that flags ask for."""

    counts: dict[str, int] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    abandoned: bool = False
    """Set from another thread when nobody waits for the body any more."""

    def require_wanted(self) -> None:
        """Raise Refusal("unparseable") when the body was abandoned. Called between values."""
        if self.abandoned:
            raise Refusal("unparseable", "abandoned before it was judged")


def decoded(raw: bytes) -> bytes:
    """UTF-8 of what a raw JSON string says."""
    return str(orjson.loads(raw)).encode() if b"\\" in raw else raw[1:-1]


class Search:
    """The rules that may find something in one document."""

    def __init__(
        self, rules: Sequence[DetectRule], highest: str, findings: Findings, where: str
    ) -> None:
        self._rules = rules
        self._highest = highest
        self._findings = findings
        self._where = where
        self._left = FINDINGS_MAXIMUM

    def edit(self, raw: bytes, *, bare: bool) -> bytes:
        """One string with its quotes, or one number, with its findings redacted.

        A finding in a string is replaced in its place, one in a number replaces the number. `bare`
        admits a social security number without dashes.
        """
        if raw[0] != 0x22:
            found = self._look(digits_of(raw), bare, first=True)
            return b'"[REDACTED:%b]"' % found[0][2] if found else raw
        text = original = decoded(raw)
        for turn in range(_ROUNDS):
            spans = self._look(text, bare, first=turn == 0)
            if not spans:
                break
            text = _marked(text, spans)
            if spans[0][1] - spans[0][0] == len(original):
                break
            # What stood beside a finding may be one now, so look again.
        else:
            raise Refusal("finding-rejected", f"findings without end in {self._where}")
        if text == original:
            return raw
        return orjson.dumps(text.decode()) if b"\\" in raw else b'"' + text + b'"'

    def _look(self, text: bytes, bare: bool, *, first: bool) -> list[tuple[int, int, bytes]]:
        """The spans to redact, in order and apart. Counts, rejects and flags on the way."""
        spans: list[tuple[int, int, bytes]] = []
        folded = fold(text)
        for rule in self._rules:
            if rule.action == "flag" and not first:
                continue
            kind = KINDS[rule.type][-1 if bare and rule.type == "us_ssn" else 0]
            if kind.needed not in folded:
                continue
            found = self._counted(rule, kind.find(folded if kind.folds else text))
            if folded is not text and kind.folds:
                found = list(unfolded(text, folded, found))
            if not found:
                continue
            if rule.action == "flag":
                self._findings.labels.add(rule.label or self._highest)
            else:
                spans += [(start, end, rule.type.encode()) for start, end in found]
        return _apart(spans)

    def _counted(self, rule: DetectRule, finds: Iterator[Found]) -> list[Span]:
        """What was found, counted. Raises Refusal("finding-rejected")."""
        self._findings.require_wanted()
        found = [(start, end) for start, end, _ in islice(finds, self._left + 1)]
        if found:
            counts = self._findings.counts
            counts[rule.type] = counts.get(rule.type, 0) + len(found)
            if rule.action == "reject":
                raise Refusal("finding-rejected", f"{rule.type} in {self._where}")
        if len(found) > self._left:
            raise Refusal("finding-rejected", f"over {FINDINGS_MAXIMUM} findings in {self._where}")
        self._left -= len(found)
        return found


def _apart(spans: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """Sorted, with overlapping spans made one."""
    merged: list[tuple[int, int, bytes]] = []
    for start, end, kind in sorted(spans):
        if merged and start < merged[-1][1]:
            first, last, name = merged[-1]
            merged[-1] = (first, max(last, end), name)
        else:
            merged.append((start, end, kind))
    return merged


def _marked(text: bytes, spans: list[tuple[int, int, bytes]]) -> bytes:
    parts: list[bytes] = []
    position = 0
    for start, end, kind in spans:
        parts += (text[position:start], b"[REDACTED:%b]" % kind)
        position = end
    return b"".join([*parts, text[position:]])
