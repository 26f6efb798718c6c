"""hyperscan as a gate: which kinds of findings *may* be in these octets, in one fast scan.

Each gate pattern matches wherever the exact pattern of its kind (see patterns) can match, and more.
It has no boundary but "no digit beside it", because in raw JSON the `n` of an escaped `\\n` stands
before what follows; the only escapes that can hide a character of a pattern are `\\u....`, and a
document with one is scanned a second time with its strings decoded (see detect).

Traps of the library, and why they cannot happen here: a database is made once and never closed; it
is compiled without UTF8 or SOM flags; every thread has its own scratch.
"""

import functools
import threading
from typing import Final

import hyperscan

from proxy.content import fold
from proxy.content.identifiers import IBAN_LENGTHS

NINE_DIGITS: Final = "nine_digits"
SSN_WORD: Final = "ssn_word"

_D: Final = b"(?:[0-9]|" + fold.DIGITS + b")"
_DASH: Final = b"(?:-|" + fold.DASHES + b")"
_SPACE: Final = b"(?: |" + fold.SPACES + b")"
# A card in folded characters has a wide digit, or such a dash or space behind its first four.
# One pattern for all its spellings would cost five times as much as these.
# Numbers that may be integral and have an exponent: in JSON, a delimiter stands before a number.
_EXPONENT: Final = (
    rb"(?:^|[ \t\n\r:,\[])-?[0-9]+(?:\.[0-9]+)?[eE]\+?[0-9]",
    rb"[0-9]{9}(?:\.0+)?[eE]-[0-9]",
)

_PATTERNS: Final[dict[str, tuple[bytes, ...]]] = {
    "credit_card": (
        rb"(?:^|[^0-9])(?:[2-6]|1800)(?:[ -]?[0-9]){11}",
        b"[0-9]{4}(?:  | ?(?:" + fold.SPACES + b"|" + fold.DASHES + b"))",
        rb"[0-9]{4}\.[0-9]{4,6}\.[0-9]{4}",
        fold.DIGITS,
        *_EXPONENT,
    ),
    "iban": (
        b"(?:%b)%b{2}(?:%b?(?:[A-Z]|%b)){11}" % ("|".join(IBAN_LENGTHS).encode(), _D, _SPACE, _D),
    ),
    "us_ssn": (b"%b{3}%b%b{2}%b%b{4}" % (_D, _DASH, _D, _DASH, _D),),
    NINE_DIGITS: (
        b"(?:^|[^0-9])%b{3}%b?%b{2}%b?%b{4}(?:[^0-9]|$)" % (_D, _SPACE, _D, _SPACE, _D),
        *_EXPONENT,
    ),
    SSN_WORD: (rb"(?i)ssn|social",),
    "email": (rb"[0-9A-Za-z.!#$%&'*+/=?^_`{|}~\x80-\xff-]@[0-9A-Za-z\x80-\xff]",),
    "private_key": (rb"-----BEGIN ", rb"PuTTY-User-Key-File-"),
    "aws_key": (rb"(?:AKIA|ASIA)[2-7A-Z]{16}",),
    "jwt": (rb"e[yw][0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{2,}\.",),
}


class Gate:
    """One compiled database for some kinds. Use from any thread."""

    def __init__(self, kinds: frozenset[str]) -> None:
        wanted = kinds | ({NINE_DIGITS, SSN_WORD} if "us_ssn" in kinds else set())
        self._kinds = sorted(wanted)
        pairs = [(p, n) for n, kind in enumerate(self._kinds) for p in _PATTERNS[kind]]
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            expressions=[pattern for pattern, _ in pairs],
            ids=[number for _, number in pairs],
            flags=hyperscan.HS_FLAG_SINGLEMATCH,
        )
        self._local = threading.local()

    def scan(self, data: bytes) -> set[str]:
        """The kinds, and the two helpers above, whose gate pattern matches somewhere."""
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        found: set[int] = set()
        self._database.scan(data, _note, context=found, scratch=scratch)
        return {self._kinds[number] for number in found}


def _note(number: int, start: int, end: int, flags: int, found: object) -> None:
    if isinstance(found, set):
        found.add(number)


@functools.cache
def gate(kinds: frozenset[str]) -> Gate:
    """The gate for some kinds, made once a process."""
    return Gate(kinds)
