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
from operator import itemgetter
from typing import Final

import hyperscan

from proxy.content import fold
from proxy.content.kinds import Kind, Likelihood
from proxy.content.native import NATIVE
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
_RESPELTS: Final = tuple((pattern, _RESPELT) for pattern in RESPELT)
_ENDS_MAXIMUM: Final = 10_000
_END: Final = itemgetter(0)
_ESCAPE: Final = re.compile(rb"\\.", re.DOTALL)
_ESCAPED: Final = re.compile(rb'"[^"\\]*+\\.[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)

_Ends = list[tuple[int, int]]
Located = tuple[int, Kind | None]
"""Where something may end, and of what kind. None: it is spelt otherwise, and may be of any."""


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

    def scan(self, text: bytes, found: "set[int] | _Ends") -> None:
        """Add to a set the numbers of those that match, or to a list each number and end.

        Raises hyperscan.ScanTerminated where there are more than 10,000 ends.
        """
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        self._database.scan(text, _note, context=found, scratch=scratch)

    def ends(self, text: bytes) -> "_Ends":
        """Each number and end, as `scan` adds them."""
        found: _Ends = []
        self.scan(text, found)
        return found


class Gate:
    """What may be found of some kinds. Use from any thread."""

    def __init__(self, kinds: Collection[Kind], threshold: Likelihood) -> None:
        self._kinds = tuple(kinds)
        numbered = list(enumerate(self._kinds))
        self._contextual = {n for n, kind in numbered if kind.context and kind.alone < threshold}
        self._lacking = frozenset(self._kinds[n] for n in self._contextual)
        words = [pair for n, kind in numbered for pair in _words(n, kind)]
        self._words = _Scanner(words, flags=0) if words else None
        plain = [(n, kind) for n, kind in numbered if not kind.outlines]
        cheap = [(p, n) for n, kind in plain if n not in self._contextual for p in kind.gates]
        self._first = _Scanner([*cheap, *words, *_FOLDABLE])
        outlines = [(p, n) for n, kind in numbered for p in kind.outlines]
        self._outlines = _Scanner([*outlines, *_RESPELTS])
        dear = [(p, n) for n, kind in numbered if kind.outlines for p in kind.gates]
        self._second = _Scanner(dear) if dear else None
        said = [(p, n) for n, kind in plain if n in self._contextual for p in kind.gates]
        self._third = _Scanner(said) if said else None

    def in_json(self, data: bytes, *, context: bool = False) -> frozenset[Kind]:
        """What may be found in valid JSON, or in several lines of it.

        `context`: words of context stand somewhere, whether in these octets or not.
        """
        copies = [data]
        if b"\\" in data:
            copies.append(b"".join(map(_quoted, _ESCAPED.finditer(data))))
        found = self._scan(copies, context)
        if _RESPELT in found:
            copies.append(b'"'.join(fold.respelt_numbers(data)))
            found |= self._scan(copies[-1:], context or self._spoken(found))
        return self._known(found, copies, context=context)

    def located(self, data: bytes, kinds: Iterable[Kind]) -> list[Located] | None:
        """Where something of these kinds may end in lines of JSON, in order; see `Located`.

        None: in more than 10,000 places.
        """
        found: list[Located] = []
        if b"\\" in data:
            found += [(match.end(), None) for match in _ESCAPE.finditer(data)]
        try:
            if not data.isascii():
                found += [(end, None) for _, end in _folds_at().ends(data)]
            found += [(end, None) for _, end in _respelt_at().ends(outline(data))]
            for kind in kinds:
                found += [(end, kind) for _, end in _every(kind).ends(data)]
        except hyperscan.ScanTerminated:
            return None
        found.sort(key=_END)
        return found if len(found) <= _ENDS_MAXIMUM else None

    def words(self, data: bytes) -> list[Located] | None:
        """Where words of context may end, and for which kinds; in order, but for escapes.

        None: in more than 10,000 places.
        """
        try:
            ends = self._words.ends(data) if self._words else []
        except hyperscan.ScanTerminated:
            return None
        return [(end, self._kinds[n - _WORD]) for n, end in ends]

    def in_text(self, text: bytes, *, context: bool = False) -> frozenset[Kind]:
        """What may be found in other octets."""
        return self._known(self._scan([text], context), [text], context=context)

    def in_value(self, text: bytes, above: Callable[[], Collection[Kind]]) -> list[Kind]:
        """What may be found in one decoded value; `above` is what the keys above it speak for."""
        found = self._scan([text], True)
        if not found:
            return []
        if _FOLDS in found:
            found |= self._scan([fold.fold(text)], True)
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

    def spoken_for(
        self, text: bytes, kinds: Collection[Kind], above: Callable[[], frozenset[Kind]]
    ) -> list[Kind]:
        """Those of these kinds, which may be found in a value, that need no context or have it."""
        if self._lacking.isdisjoint(kinds):
            return list(kinds)
        spoken = above()
        if self._words and not spoken >= self._lacking.intersection(kinds):
            found: set[int] = set()
            self._words.scan(text, found)
            spoken |= {self._kinds[n - _WORD] for n in found}
        return [kind for kind in kinds if kind not in self._lacking or kind in spoken]

    def lacks(self, kinds: Iterable[Kind]) -> frozenset[Kind]:
        """Those of these kinds that need context."""
        return self._lacking.intersection(kinds)

    def _known(
        self, found: set[int], copies: Sequence[bytes], *, context: bool = False
    ) -> frozenset[Kind]:
        if not found:
            return frozenset()
        if _FOLDS in found:
            found |= self._scan(list(map(fold.fold, copies)), context or self._spoken(found))
        return frozenset(
            self._kinds[n]
            for n in found
            if n < _WORD and (context or n not in self._contextual or n + _WORD in found)
        )

    def _spoken(self, found: set[int]) -> bool:
        """Whether a word of context is among what was found."""
        return any(_WORD <= n < _FOLDS for n in found)

    def _scan(self, texts: Sequence[bytes], context: bool) -> set[int]:
        """What is in one of these; of what needs context nothing where there is none in any."""
        found: set[int] = set()
        for text in texts:
            self._first.scan(text, found)
            seen: set[int] = set()
            if part := NATIVE.near(text):
                self._outlines.scan(outline(part), seen)
            if _RESPELT in seen:
                found.add(_RESPELT)
                seen.remove(_RESPELT)
            if self._second is not None and seen:
                self._second.scan(text, found)
        if self._third is not None and (context or self._spoken(found)):
            for text in texts:
                self._third.scan(text, found)
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
        found.append((number, end))
        return len(found) > _ENDS_MAXIMUM or None
    return None


@functools.lru_cache(maxsize=128)
def _every(kind: Kind) -> _Scanner:
    """What tells every match of the gate of one kind."""
    return _Scanner([(pattern, 0) for pattern in kind.gates], flags=0)


@functools.lru_cache(maxsize=1)
def _folds_at() -> _Scanner:
    return _Scanner(_FOLDABLE, flags=0)


@functools.lru_cache(maxsize=1)
def _respelt_at() -> _Scanner:
    """Over an outline."""
    return _Scanner(_RESPELTS, flags=0)


@functools.lru_cache(maxsize=_KEPT)
def gate(kinds: tuple[Kind, ...], threshold: Likelihood) -> Gate:
    """The gate for some kinds, made once a process."""
    return Gate(kinds, threshold)
