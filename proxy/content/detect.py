"""Look for what no path names: first the gate, then exact patterns where the gate let something by.

`suspects` scans octets, many records at once; nearly always that is all that happens. `\\u` escapes
can hide a character from it, so octets that hold one are scanned again with those strings decoded.
`examine` goes through one document with a suspect in it, string by string (keys too) and number by
number, decoded, and edits what it finds. What masking has put in place is no finding.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from proxy.content.gate import NINE_DIGITS, SSN_WORD, gate
from proxy.content.mask import Edit, apply
from proxy.content.patterns import FINDERS, find_bare_ssns, says_ssn
from proxy.content.validate import STRING
from proxy.errors import Refusal
from proxy.settings.schema import DetectRule

_ESCAPED: Final = re.compile(rb'"[^"\\]*+\\.[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_TOKEN: Final = re.compile(
    b"(" + STRING + rb")([ \t\n\r]*+:)?+|([\[{])|([\]}])|-?[0-9][-+.0-9Ee]*+", re.DOTALL
)
_ROUNDS: Final = 8
_SHORTEST: Final = len(b"a@b.co")


@dataclass(slots=True)
class Findings:
    """What was found in one body: type -> occurrences, and the labels that flags ask for."""

    counts: dict[str, int] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)


class Detector:
    """The detection rules of one policy. Safe to use from several threads."""

    def __init__(self, rules: Sequence[DetectRule], highest_label: str) -> None:
        # The first rule of a type wins.
        self._rules: dict[str, DetectRule] = {rule.type: rule for rule in reversed(rules)}
        self._highest = highest_label
        self._gate = gate(frozenset(self._rules))

    def suspects(self, data: bytes) -> frozenset[str]:
        """The types that may be in these octets: valid JSON, or several of it."""
        kinds = self._gate.scan(data)
        if b"\\u" in data:
            kinds |= self._gate.scan(_ESCAPED.sub(_decoded, data))
        found = frozenset(kinds & self._rules.keys())
        bare = NINE_DIGITS in kinds and SSN_WORD in kinds
        return found | {"us_ssn"} if bare else found

    def examine(
        self,
        data: bytes,
        suspects: frozenset[str],
        masked: Collection[int],
        findings: Findings,
        where: str,
    ) -> bytes:
        """Return the document with findings redacted, counted in `findings`.

        `masked` are the offsets at which masking has put a value in place. Raises
        Refusal("finding-rejected") that names the type and `where`, nothing else.
        """
        found = _Findings(self._rules, self._highest, suspects, findings, where)
        edits: list[Edit] = []
        opened: list[bool] = []
        here = under = False  # whether a key above this container, or this value, says SSN
        for match in _TOKEN.finditer(data):
            string, colon, opening, closing = match.groups()
            if opening:
                opened.append(here)
                here = under
            elif closing:
                here = under = opened.pop()
            elif match.start() not in masked:
                raw = string or match[0]
                new = found.edit(raw, under and not colon)
                if new != raw:
                    edits.append(Edit(match.start(), match.start() + len(raw), new))
            if colon:
                under = here or says_ssn(_text(string).decode())
        return apply(data, edits) if edits else data


class _Findings:
    """Finds, counts and edits in one document."""

    def __init__(
        self,
        rules: Mapping[str, DetectRule],
        highest: str,
        suspects: Collection[str],
        findings: Findings,
        where: str,
    ) -> None:
        self._rules = [(rules[kind], FINDERS[kind]) for kind in rules if kind in suspects]
        self._highest = highest
        self._findings = findings
        self._where = where

    def edit(self, raw: bytes, under_ssn: bool) -> bytes:
        """One string with its quotes, or one number, with its findings redacted."""
        if len(raw) < _SHORTEST:
            return raw
        quoted = raw[0] == 0x22
        text = original = _text(raw) if quoted else raw
        for turn in range(_ROUNDS):
            spans = self._look(text, under_ssn, first=turn == 0)
            if not spans:
                break
            # What stood beside a finding may be one now, so look again.
            marks = [Edit(a, b, b"[REDACTED:%b]" % kind.encode()) for a, b, kind in spans]
            text = apply(text, marks) if quoted else marks[0].octets
        else:
            raise Refusal("finding-rejected", f"findings without end in {self._where}")
        if text == original:
            return raw
        return orjson.dumps(text.decode()) if b"\\" in raw else b'"' + text + b'"'

    def _look(self, text: bytes, under_ssn: bool, *, first: bool) -> list[tuple[int, int, str]]:
        """The spans to redact, in order and apart. Counts, rejects and flags on the way."""
        spans = []
        for rule, finder in self._rules:
            if rule.action == "flag" and not first:
                continue
            kind = rule.type
            finder = find_bare_ssns if kind == "us_ssn" and under_ssn else finder
            found = list(finder(text))
            if not found:
                continue
            counts = self._findings.counts
            counts[kind] = counts.get(kind, 0) + len(found)
            if rule.action == "reject":
                raise Refusal("finding-rejected", f"{kind} in {self._where}")
            if rule.action == "flag":
                self._findings.labels.add(rule.label or self._highest)
            else:
                spans += [(start, end, str(kind)) for start, end in found]
        return _apart(spans)


def _apart(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Sorted, with overlapping spans made one."""
    merged: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(spans):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            merged[-1] = (before[0], max(before[1], end), before[2])
        else:
            merged.append((start, end, kind))
    return merged


def _text(raw: bytes) -> bytes:
    """UTF-8 of what a raw string says."""
    return str(orjson.loads(raw)).encode() if b"\\" in raw else raw[1:-1]


def _decoded(match: re.Match[bytes]) -> bytes:
    return b'"' + _text(match[0]) + b'"'
