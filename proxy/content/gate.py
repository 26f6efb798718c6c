"""hyperscan as a gate: which kinds of findings *may* be in these octets, in one fast scan.

Each gate pattern matches wherever the exact pattern of its kind (see kinds) can match, and more.
What is spelt otherwise is scanned a second time, made plain: strings of JSON with an escape,
numbers with a point or an exponent, and what folds (see fold); at no cost where there is none.

Of a kind that nothing but its context makes likely, a context word must stand in the octets too.

Traps of the library, and why they cannot happen here: a database is made once and never closed; it
is compiled without UTF8 or SOM flags; every thread has its own scratch.
"""

import functools
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

import hyperscan

from proxy.content import fold
from proxy.content.kinds import Kind, Likelihood
from proxy.content.outline import RESPELT, outline
from proxy.content.strings import decoded
from proxy.content.words import expressions

_KEPT: Final = 16
_WORD: Final = 2**16
"""Added to the number of a kind: one of its context words."""
_FOLDS: Final = 2**17
_RESPELT: Final = _FOLDS + 1
_FOLDABLE: Final = (
    (b"[0-9](?:%b|%b)" % (fold.SPACES, fold.DASHES), _FOLDS),
    (b"(?:%b|%b)[0-9]" % (fold.SPACES, fold.DASHES), _FOLDS),
    (fold.DIGITS, _FOLDS),
)
_ENDS_MAXIMUM: Final = 10_000
_ESCAPE: Final = re.compile(rb"\\.", re.DOTALL)
_ESCAPED: Final = re.compile(rb'"[^"\\]*+\\.[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


class _Scanner:
    """One database of numbered expressions. Use from any thread."""

    def __init__(
        self, pairs: Sequence[tuple[bytes, int]], flags: int = hyperscan.HS_FLAG_SINGLEMATCH
    ) -> None:
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            expressions=[pattern for pattern, _ in pairs],
            ids=[number for _, number in pairs],
            flags=flags,
        )
        self._local = threading.local()

    def scan(self, text: bytes, found: set[int] | list[int]) -> None:
        """Add to a set the numbers of those that match, or to a list where each match ends."""
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        self._database.scan(text, _note, context=found, scratch=scratch)


class Gate:
    """What may be found of some kinds. Use from any thread."""

    def __init__(self, kinds: Collection[Kind], threshold: Likelihood) -> None:
        self._kinds = tuple(kinds)
        numbered = list(enumerate(self._kinds))
        self._contextual = {n for n, kind in numbered if kind.context and kind.alone < threshold}
        words = [pair for n, kind in numbered for pair in _words(n, kind)]
        cheap = [(p, n) for n, kind in numbered if not kind.outlines for p in kind.gates]
        self._first = _Scanner([*cheap, *words, *_FOLDABLE])
        outlines = [(p, n) for n, kind in numbered for p in kind.outlines]
        self._outlines = _Scanner([*outlines, *((p, _RESPELT) for p in RESPELT)])
        dear = [(p, n) for n, kind in numbered if kind.outlines for p in kind.gates]
        self._second = _Scanner(dear) if dear else None

    def in_json(self, data: bytes, *, context: bool = False) -> frozenset[Kind]:
        """What may be found in valid JSON, or in several lines of it.

        `context`: words of context stand somewhere, whether in these octets or not.
        """
        copies = [data]
        if b"\\" in data:
            copies.append(b"".join(map(_quoted, _ESCAPED.finditer(data))))
        found = self._scan(*copies)
        if _RESPELT in found:
            copies.append(b'"'.join(fold.respelt_numbers(data)))
            found |= self._scan(copies[-1])
        return self._known(found, copies, context=context)

    def ends(self, data: bytes, kinds: Iterable[Kind]) -> list[int] | None:
        """Where something of these kinds may end in lines of JSON, or an escape is; in order.

        None: it may be anywhere, since it is spelt otherwise, or in more than 10,000 places.
        """
        seen: set[int] = set()
        self._first.scan(data, seen)
        self._outlines.scan(outline(data), seen)
        if not seen.isdisjoint((_FOLDS, _RESPELT)):
            return None
        found = [match.end() for match in _ESCAPE.finditer(data)] if b"\\" in data else []
        for kind in kinds:
            try:
                _every(kind).scan(data, found)
            except hyperscan.ScanTerminated:
                return None
        return sorted(found)

    def in_text(self, text: bytes, *, context: bool = False) -> frozenset[Kind]:
        """What may be found in other octets."""
        return self._known(self._scan(text), [text], context=context)

    def in_value(self, text: bytes, above: Callable[[], Collection[Kind]]) -> list[Kind]:
        """What may be found in one decoded value; `above` is what the keys above it speak for."""
        found = self._scan(text)
        if not found:
            return []
        if _FOLDS in found:
            found |= self._scan(fold.fold(text))
        kinds: list[Kind] = []
        lacking: list[Kind] = []
        for n in found:
            if n < _WORD:
                said = n not in self._contextual or n + _WORD in found
                (kinds if said else lacking).append(self._kinds[n])
        if lacking:
            spoken = above()
            kinds += [kind for kind in lacking if kind in spoken]
        return kinds

    def _known(
        self, found: set[int], copies: Sequence[bytes], *, context: bool = False
    ) -> frozenset[Kind]:
        if not found:
            return frozenset()
        if _FOLDS in found:
            found |= self._scan(*map(fold.fold, copies))
        return frozenset(
            self._kinds[n]
            for n in found
            if n < _WORD and (context or n not in self._contextual or n + _WORD in found)
        )

    def _scan(self, *texts: bytes) -> set[int]:
        found: set[int] = set()
        for text in texts:
            self._first.scan(text, found)
            seen: set[int] = set()
            self._outlines.scan(outline(text), seen)
            if _RESPELT in seen:
                found.add(_RESPELT)
                seen.remove(_RESPELT)
            if self._second is not None and seen:
                self._second.scan(text, found)
        return found


def _words(number: int, kind: Kind) -> Iterator[tuple[bytes, int]]:
    """Expressions of the context words of a kind, with what they are known by."""
    if kind.context:
        for pattern in expressions(kind.context):
            yield pattern, number + _WORD


def _quoted(match: re.Match[bytes]) -> bytes:
    return b'"' + decoded(match[0]) + b'"'


def _note(number: int, start: int, end: int, flags: int, found: object) -> bool | None:
    if isinstance(found, set):
        found.add(number)
    elif isinstance(found, list):
        found.append(end)
        return len(found) > _ENDS_MAXIMUM or None
    return None


@functools.lru_cache(maxsize=128)
def _every(kind: Kind) -> _Scanner:
    """What tells every match of the gate of one kind."""
    return _Scanner([(pattern, 0) for pattern in kind.gates], flags=0)


@functools.lru_cache(maxsize=_KEPT)
def gate(kinds: tuple[Kind, ...], threshold: Likelihood) -> Gate:
    """The gate for some kinds, made once a process."""
    return Gate(kinds, threshold)
