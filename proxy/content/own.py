"""Types of a configuration's own: a pattern, and what speaks for or against what it matches.

    hyperscan   where matches end: an automaton, so that no pattern and no text can make it slow;
                the gate is the same, and lets by no less
    RE2         where each of them starts, from its end backwards

hyperscan could tell starts too, and must not be asked: with that flag it ends the process on
ordinary text (`a+b` is enough). What either does not compile is refused: back-references,
assertions about what stands around, what may match nothing, patterns that are too large. Anchors
are refused too, since there is no line and no end in a value that they could mean.
"""

import functools
import re
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import hyperscan
import re2  # type: ignore[import-untyped]

from proxy.content.checksums import CHECKSUMS
from proxy.content.kinds import Found, Kind, Likelihood, Span
from proxy.settings.schema import OwnType

LONGEST: Final = 1024
"""Octets of a match that are looked for first."""
LONG_MAXIMUM: Final = 64
"""Longer matches in one value; with more it is taken for a finding as a whole."""
_TOKEN: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|.", re.DOTALL)
_ANCHORS: Final = frozenset({"^", "$", r"\A", r"\z", r"\Z", r"\G"})


class _Scanner:
    """Every match of one pattern. Use from any thread."""

    def __init__(self, pattern: bytes) -> None:
        """Raises ValueError with what is wrong with the pattern."""
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        try:
            self._database.compile(expressions=[pattern], ids=[0])
        except hyperscan.error as error:
            if "empty buffer" in str(error):
                raise ValueError("it may match nothing at all, which is everywhere") from None
            raise ValueError(str(error)) from None
        self._local = threading.local()
        self._backwards = _backwards(pattern)

    def longest(self, text: bytes) -> list[Span] | None:
        """The longest match from each place, in order; None: more than can be told apart."""
        marks, ends = bytearray(len(text) + 1), array("I", bytes(4 * len(text)))

        def note(number: int, start: int, end: int, flags: int, context: object) -> None:
            marks[end] = 1

        self._scan(text, note)
        end, long = marks.find(1), 0
        while end >= 0:
            start = self._start(text, max(0, end - LONGEST), end)
            if start is None:
                long += 1
                start = self._start(text, 0, end) if long <= LONG_MAXIMUM else None
            if start is None:  # too many, or the two do not agree
                return None
            ends[start] = end
            end = marks.find(1, end + 1)
        return [(start, end) for start, end in enumerate(ends) if end]

    def _start(self, text: bytes, least: int, end: int) -> int | None:
        """The leftmost start of a match with this end; None: it may be before `least`."""
        begin = max(0, least - 1)  # what stands before a match may count, as for a word boundary
        match = self._backwards.search(text[begin:end])
        if match is None:
            return None
        start = begin + int(match.start())
        return start if start >= least else None

    def _scan(self, text: bytes, note: Callable[[int, int, int, int, object], None]) -> None:
        """Tell every match: at most one for each octet that one may end with."""
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        self._database.scan(text, note, scratch=scratch)


def _backwards(pattern: bytes) -> Any:
    """A search for it at the end of a text, which RE2 does from there.

    Octets, as hyperscan has them. Raises ValueError with what is wrong with the pattern.
    """
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.longest_match = True
    options.log_errors = False
    try:
        return re2.compile(rb"(?:%b)\z" % pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else b""
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        raise ValueError(f"RE2 does not read it: {said}") from None


def own_kinds(types: Mapping[str, OwnType]) -> dict[str, tuple[Kind, ...]]:
    """Type -> its one row. Raises ValueError for a pattern that cannot be searched for."""
    return {name: (_kind(name, own.model_dump_json()),) for name, own in types.items()}


@functools.lru_cache(maxsize=256)
def _kind(name: str, written: str) -> Kind:
    """The same object for the same words, so that routes and reloads share a gate."""
    own = OwnType.model_validate_json(written)
    try:
        scanner = _Scanner(_pattern(own.pattern))
    except ValueError as error:
        raise ValueError(f"detectors.{name}: {error}") from None
    check = None if own.checksum is None else CHECKSUMS[own.checksum]
    allowed = frozenset(value.encode() for value in own.allow)
    likelihood = Likelihood[own.likelihood.upper()]

    def find(text: bytes) -> Iterator[Found]:
        longest = scanner.longest(text)
        if longest is None:
            yield 0, len(text), likelihood
            return
        for start, end in _spans(text, longest):
            value = text[start:end]
            if value in allowed or (check is not None and not check(_characters(value))):
                continue
            yield start, end, likelihood

    return Kind(
        name,
        find,
        (own.pattern.encode(),),
        context=frozenset(own.context),
        alone=likelihood,
        runs_on=True,
        literal=True,
        group="",
    )


def require_pattern(text: str) -> None:
    """Raises ValueError with what is wrong with a pattern."""
    _Scanner(_pattern(text))


def _pattern(text: str) -> bytes:
    if not text.isascii():
        raise ValueError("a pattern is of ASCII characters")
    if any(token in _ANCHORS for token in _TOKEN.findall(text)):
        raise ValueError(r"no anchor: ^ and $ mean nothing within a value; \b is a word boundary")
    return text.encode()


def _spans(text: bytes, longest: Iterable[Span]) -> Iterator[Span]:
    """From the left, the longest from each place, apart, and no character cut in two."""
    position = 0
    for start, end in longest:
        if start < position:
            continue
        while start and text[start] & 0xC0 == 0x80:
            start -= 1
        while end < len(text) and text[end] & 0xC0 == 0x80:
            end += 1
        yield start, end
        position = end


def _characters(value: bytes) -> bytes:
    """What a checksum is taken of: no separators."""
    return value.translate(None, b" .-/").upper()
