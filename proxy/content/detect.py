"""Look for what no path names: first the gate, then exact patterns where the gate let something by.

`suspects` scans octets, many records at once; nearly always that is all that happens. `\\u` escapes
can hide a character from it, so octets that hold one are scanned again with those strings decoded.

`examine` takes one document with a suspect in it. It blanks escapes in a copy of equal length, so
that every quote left in it is a delimiter, and runs the exact patterns over that copy. What they
find only says which strings and numbers to look at; those, and every string with an escape that
stands for a printable character, are judged one by one, decoded (see findings). Keys are strings
too. What masking has put in place is no finding.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from operator import itemgetter
from typing import Final

from proxy.content.findings import Findings, Search, decoded
from proxy.content.fold import respelt_numbers, strings_to_fold
from proxy.content.gate import gate
from proxy.content.identifiers import says_ssn
from proxy.content.kinds import Kind, Likelihood
from proxy.content.patterns import find_key_starts
from proxy.content.registry import KINDS
from proxy.content.validate import STRING
from proxy.settings.schema import DetectRule

BARE: Final = KINDS["us_ssn"][1]
"""Nine digits, under a key that says what they are."""
_START: Final = itemgetter(0)
_ESCAPE: Final = re.compile(rb"\\.", re.DOTALL)
_ESCAPED: Final = re.compile(rb'"[^"\\]*+\\.[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_PRINTABLE: Final = re.compile(rb'"[^"\\]*+(?:\\[^u/][^"\\]*+)*+\\[u/]', re.DOTALL)
_NUMBER: Final = re.compile(rb"[-+.0-9Ee]*+")
_NODE: Final = re.compile(
    b"(" + STRING + rb")([ \t\n\r]*+:)?+|([\[{])|([\]}])|-?[0-9][-+.0-9Ee]*+", re.DOTALL
)


class Detector:
    """The detection rules of one policy. Safe to use from several threads."""

    def __init__(self, rules: Sequence[DetectRule], highest_label: str) -> None:
        # The first rule of a type wins.
        self._rules: dict[str, DetectRule] = {rule.type: rule for rule in reversed(rules)}
        self._highest = highest_label
        kinds = frozenset(kind for name in self._rules for kind in KINDS[name])
        self._gate = gate(kinds, Likelihood.LIKELY)

    def suspects(self, data: bytes) -> frozenset[Kind]:
        """What may be in these octets: valid JSON, or several lines of it."""
        kinds = self._gate.scan(data)
        if b"\\u" in data:
            kinds |= self._gate.scan(_ESCAPED.sub(_quoted, data))
        return kinds

    def examine(
        self,
        data: bytes,
        suspects: frozenset[Kind],
        masked: Sequence[int],
        findings: Findings,
        where: str,
    ) -> bytes:
        """Return the document with its findings redacted, counted in `findings`.

        `masked` are the offsets, in order, at which masking has put a value in place. Raises
        Refusal("finding-rejected") that names the type and `where`, nothing else; what it refuses
        has been counted by then.
        """
        plain = _ESCAPE.sub(b"\0\0", data) if b"\\" in data else data
        bare = _under_ssn(data) if BARE in suspects else frozenset()
        search = Search(list(self._rules.values()), self._highest, findings, where)
        out = bytearray()
        position = 0
        for start, end in _values(data, plain, suspects):
            findings.require_wanted()
            at = bisect_left(masked, start)
            if at < len(masked) and masked[at] == start:
                continue
            raw = data[start:end]
            new = search.edit(raw, bare=start in bare)
            if new != raw:
                out += data[position:start]
                out += new
                position = end
        return bytes(out) + data[position:] if position else data


def _quoted(match: re.Match[bytes]) -> bytes:
    return b'"' + decoded(match[0]) + b'"'


def _values(data: bytes, plain: bytes, suspects: frozenset[Kind]) -> Iterator[tuple[int, int]]:
    """Spans of the strings and numbers to look at, in order."""
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


def _candidates(data: bytes, plain: bytes, suspects: frozenset[Kind]) -> Iterator[Iterable[int]]:
    """Where something may be: octets inside a value, or its first. Each of them in order."""
    for kind in suspects:
        if kind.name == "private_key":
            yield sorted(find_key_starts(plain))
        else:
            yield map(_START, kind.find(plain))
    if any(kind.folds for kind in suspects):
        yield strings_to_fold(plain)
        yield respelt_numbers(plain)
    if b"\\u" in data or b"\\/" in data:
        yield (match.start() for match in _PRINTABLE.finditer(data))


def _under_ssn(data: bytes) -> frozenset[int]:
    """Offsets of the strings and numbers with a key above them that says SSN."""
    found: list[int] = []
    opened: list[bool] = []
    here = under = False  # a key above this container says so; or above the next value
    for match in _NODE.finditer(data):
        string, colon, opening, closing = match.groups()
        if colon:
            under = here or says_ssn(decoded(string).decode())
        elif opening:
            opened.append(here)
            here = under
        elif closing:
            here = under = opened.pop()
        elif under:
            found.append(match.start())
    return frozenset(found)
