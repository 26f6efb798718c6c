"""Context: the words around a value that say what it is. Whole words, never parts of them.

    customerSsn, SSN_NO, "ssn no"      customer ssn, ssn no, ssn no
    public-lic, publicLicence          public lic, public licence; neither is `licence` `lic`
    driver's license                   driver s license

A phrase of several words is also found written as one: `social security` in `socialsecurity_no`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, Generic, TypeVar

T = TypeVar("T")
WINDOW: Final = 30
"""Characters before and after a find in which a word counts."""
_REACH: Final = (WINDOW + 1) * 4
"""Octets of UTF-8 that they and one more take at most."""
_LONGEST_KEY: Final = 256
_SHORT: Final = 4

_RUN: Final = re.compile(r"[^\W\d_]+")
_HUMP: Final = re.compile(r"(?<=[^\WA-Z\d_])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][^\WA-Z\d_])")
_LAST: Final = re.compile(r"[^\W\d_]+\Z")
_MARK: Final = re.compile(rb"\[REDACTED(?::[0-9A-Za-z._-]{1,64}+)?\]")
_ASCII: Final = re.compile(r"[a-z]+")


def words(text: str) -> str:
    """The words of a text in lower case, with one space before, between and after."""
    runs = (part for run in _RUN.findall(text) for part in _parts(run))
    return f" {' '.join(runs).lower()} "


def _parts(run: str) -> list[str]:
    return [run] if run.islower() or run.isupper() else _HUMP.split(run)


def spellings(phrases: Iterable[str]) -> frozenset[str]:
    """Context words in lower case, with one space between; phrases written as one word too."""
    spaced = {words(phrase).strip() for phrase in phrases} - {""}
    return frozenset(spaced | {phrase.replace(" ", "") for phrase in spaced})


def expressions(phrases: Iterable[str]) -> Iterator[bytes]:
    """hyperscan expressions, one of which matches wherever one of the phrases stands."""
    spelt = spellings(phrases)
    longest = {max(_ASCII.findall(each), key=len, default=each) for each in spelt}
    for word in sorted(longest):
        low, high = word.encode(), word.upper().encode()
        if not word.isascii():  # (?i) is of ASCII
            yield b"|".join(re.escape(form) for form in (low, high, word.title().encode()))
        elif len(word) > _SHORT:
            yield b"(?i)" + low
        else:  # too much would hold it as part of a word
            end = b"(?:[^a-z]|$)"
            yield b"(?:^|[^A-Za-z])%b%b|%b%b%b|%b" % (low, end, high[:1], low[1:], end, high)


class Vocabulary(Generic[T]):
    """What context words speak for: all of them looked up at once."""

    def __init__(self, contexts: Mapping[T, Iterable[str]]) -> None:
        self._speaks: dict[str, frozenset[T]] = {}
        for each, phrases in contexts.items():
            for phrase in spellings(phrases):
                self._speaks[phrase] = self._speaks.get(phrase, frozenset()) | {each}
        self._longest: dict[str, int] = {}
        for phrase in self._speaks:
            first, count = phrase.split()[0], len(phrase.split())
            self._longest[first] = max(count, self._longest.get(first, 0))
        self._remembered = lru_cache(maxsize=4096)(self._in_key)

    def in_key(self, key: str) -> frozenset[T]:
        """What a key or the name of a column speaks for. What was redacted in it says nothing."""
        return frozenset() if len(key) > _LONGEST_KEY else self._remembered(key)

    def near(self, text: bytes, start: int, end: int) -> frozenset[T]:
        """What is said within 30 characters of a span. `text` has been through `unmarked`."""
        before = text[max(0, start - _REACH) : start].decode(errors="ignore")[-WINDOW - 1 :]
        after = text[end : end + _REACH].decode(errors="ignore")[: WINDOW + 1]
        if len(before) > WINDOW:  # a word that is cut off is none
            match = _RUN.match(before)
            before = before[match.end() if match else 1 :]
        if len(after) > WINDOW:
            after = _LAST.sub("", after) if after[-1].isalpha() else after[:-1]
        return self._said(words(before)) | self._said(words(after))

    def _in_key(self, key: str) -> frozenset[T]:
        return self._said(words(unmarked(key.encode()).decode() if "[" in key else key))

    def _said(self, said: str) -> frozenset[T]:
        found: frozenset[T] = frozenset()
        spoken = said.split()
        for start, word in enumerate(spoken):
            for count in range(self._longest.get(word, 0)):
                phrase = " ".join(spoken[start : start + count + 1])
                found |= self._speaks.get(phrase, frozenset())
        return found


def unmarked(text: bytes) -> bytes:
    """The text with spaces for what was redacted in it: the name of a type there is no context."""
    return _MARK.sub(_blank, text) if b"[REDACTED" in text else text


def _blank(match: re.Match[bytes]) -> bytes:
    return b" " * len(match[0])
