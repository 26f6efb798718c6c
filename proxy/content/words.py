"""Context: the words around a value that say what it is. Whole words, never parts of them.

    customerSsn, SSN_NO, "ssn no"      customer ssn, ssn no, ssn no
    public-lic, publicLicence          public lic, public licence; neither is `licence` `lic`
    driver's license                   driver s license

A phrase of several words is also found written as one: `social security` in `socialsecurity_no`.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

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
    return [run] if run.isupper() else _HUMP.split(run)  # also where capitals have accents


_key_words: Final = lru_cache(maxsize=4096)(words)


class Context:
    """The context words of one kind."""

    def __init__(self, phrases: Iterable[str]) -> None:
        spaced = {words(phrase) for phrase in phrases}
        joined = {f" {phrase.replace(' ', '')} " for phrase in spaced}
        self._phrases = tuple(sorted(spaced | joined))

    def in_key(self, key: str) -> bool:
        """Whether a key or the name of a column says it. What was redacted in it says nothing."""
        if len(key) > _LONGEST_KEY:
            return False
        if "[" in key:
            key = unmarked(key.encode()).decode()
        return self._said(_key_words(key))

    def near(self, text: bytes, start: int, end: int) -> bool:
        """Whether it is said within 30 characters of a span. `text` has been through `unmarked`."""
        before = text[max(0, start - _REACH) : start].decode(errors="ignore")[-WINDOW - 1 :]
        after = text[end : end + _REACH].decode(errors="ignore")[: WINDOW + 1]
        if len(before) > WINDOW:  # a word that is cut off is none
            match = _RUN.match(before)
            before = before[match.end() if match else 1 :]
        if len(after) > WINDOW:
            after = _LAST.sub("", after) if after[-1].isalpha() else after[:-1]
        return self._said(words(before)) or self._said(words(after))

    def expressions(self) -> Iterator[bytes]:
        """hyperscan expressions, one of which matches wherever one of the words stands."""
        longest = {max(_ASCII.findall(each), key=len, default=each) for each in self._phrases}
        for word in sorted(longest):
            low, high = word.encode(), word.upper().encode()
            if not word.isascii():  # (?i) is of ASCII
                yield b"|".join(
                    re.escape(form.strip()) for form in (low, high, word.title().encode())
                )
            elif len(word) > _SHORT:
                yield b"(?i)" + low
            else:  # too much would hold it as part of a word
                end = b"(?:[^a-z]|$)"
                yield b"(?:^|[^A-Za-z])%b%b|%b%b%b|%b" % (low, end, high[:1], low[1:], end, high)

    def _said(self, said: str) -> bool:
        return any(phrase in said for phrase in self._phrases)


def unmarked(text: bytes) -> bytes:
    """The text with spaces for what was redacted in it: the name of a type there is no context."""
    return _MARK.sub(_blank, text) if b"[REDACTED" in text else text


def _blank(match: re.Match[bytes]) -> bytes:
    return b" " * len(match[0])
