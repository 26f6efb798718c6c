"""Types of a configuration's own: a pattern, and what speaks for or against what it matches.

hyperscan finds the spans as it is the gate: an automaton, so that no pattern and no text can make
it slow, and the gate lets by no less than the search finds. What it does not compile, with the
start of each match, is refused: back-references, assertions about what stands around, what may
match nothing, and patterns that are too large. Anchors are refused too, since there is no line and
no end in a value that they could mean.
"""

import functools
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import hyperscan

from proxy.content.checksums import CHECKSUMS
from proxy.content.kinds import Found, Kind, Likelihood
from proxy.settings.schema import OwnType

MATCHES_MAXIMUM: Final = 20_000
"""In one value; with more it is taken for a finding as a whole."""
_TOKEN: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|.", re.DOTALL)
_ANCHORS: Final = frozenset({"^", "$", r"\A", r"\z", r"\Z", r"\G"})


class _Scanner:
    """Every match of one pattern. Use from any thread."""

    def __init__(self, pattern: bytes) -> None:
        """Raises ValueError with what is wrong with the pattern."""
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        try:
            self._database.compile(
                expressions=[pattern], ids=[0], flags=hyperscan.HS_FLAG_SOM_LEFTMOST
            )
        except hyperscan.error as error:
            raise ValueError(str(error)) from None
        self._local = threading.local()

    def matches(self, text: bytes) -> list[tuple[int, int]]:
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        found: list[tuple[int, int]] = []
        try:
            self._database.scan(text, _note, context=found, scratch=scratch)
        except hyperscan.ScanTerminated:
            return [(0, len(text))]
        return found


def _note(number: int, start: int, end: int, flags: int, found: object) -> bool | None:
    if isinstance(found, list):
        found.append((start, end))
        return len(found) > MATCHES_MAXIMUM or None
    return None


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
        for start, end in _spans(text, scanner.matches(text)):
            value = text[start:end]
            if value in allowed or (check is not None and not check(_characters(value))):
                continue
            yield start, end, likelihood

    def starts(plain: bytes) -> Iterable[int]:
        return {end - 1 for _, end in scanner.matches(plain)}

    return Kind(
        name,
        find,
        (own.pattern.encode(),),
        context=frozenset(own.context),
        alone=likelihood,
        starts=starts,
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


def _spans(text: bytes, matches: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """From the left, the longest from each place, apart, and no character cut in two."""
    longest: dict[int, int] = {}
    for start, end in matches:
        longest[start] = max(end, longest.get(start, 0))
    position = 0
    for start in sorted(longest):
        end = longest[start]
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
