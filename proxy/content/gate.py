"""hyperscan as a gate: which kinds of findings *may* be in these octets, in one fast scan.

Each gate pattern matches wherever the exact pattern of its kind (see kinds) can match, and more.
It has no boundary but "no digit beside it", because in raw JSON the `n` of an escaped `\\n` stands
before what follows; the only escapes that can hide a character of a pattern are `\\u....`, and a
document with one is scanned a second time with its strings decoded (see detect).

Of a kind that nothing but its context makes likely, a context word must stand in the octets too.

Traps of the library, and why they cannot happen here: a database is made once and never closed; it
is compiled without UTF8 or SOM flags; every thread has its own scratch.
"""

import functools
import re
import threading
from collections.abc import Iterator
from typing import Final

import hyperscan

from proxy.content.kinds import Kind, Likelihood

_KEPT: Final = 16
_WORDS: Final = 2**16


class Gate:
    """One compiled database for some kinds. Use from any thread."""

    def __init__(self, kinds: frozenset[Kind], threshold: Likelihood) -> None:
        self._kinds = sorted(kinds, key=lambda kind: (kind.name, kind.gates))
        pairs = [pair for n, kind in enumerate(self._kinds) for pair in _numbered(n, kind)]
        self._contextual = {
            n for n, kind in enumerate(self._kinds) if kind.context and kind.alone < threshold
        }
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            expressions=[pattern for pattern, _ in pairs],
            ids=[number for _, number in pairs],
            flags=hyperscan.HS_FLAG_SINGLEMATCH,
        )
        self._local = threading.local()

    def scan(self, data: bytes) -> frozenset[Kind]:
        """The kinds that may be found in these octets."""
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        found: set[int] = set()
        self._database.scan(data, _note, context=found, scratch=scratch)
        return frozenset(
            self._kinds[number]
            for number in found
            if number < _WORDS and (number not in self._contextual or _word(number) in found)
        )


def _numbered(number: int, kind: Kind) -> Iterator[tuple[bytes, int]]:
    """The expressions of a kind, each with what it is known by."""
    for pattern in kind.gates:
        yield pattern, number
    if kind.context:
        words = sorted({max(context.split(), key=len) for context in kind.context})
        yield b"(?i)(?:%b)" % b"|".join(re.escape(word).encode() for word in words), _word(number)


def _word(number: int) -> int:
    return number + _WORDS


def _note(number: int, start: int, end: int, flags: int, found: object) -> None:
    if isinstance(found, set):
        found.add(number)


@functools.lru_cache(maxsize=_KEPT)
def gate(kinds: frozenset[Kind], threshold: Likelihood) -> Gate:
    """The gate for some kinds, made once a process."""
    return Gate(kinds, threshold)
