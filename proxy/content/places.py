"""Where in a body a value stands: the keys above it, and a path for the receipt.

    {"customer": {"notes": ["…"]}}    $.customer.notes[*]
    {"jane@example.com": {"a": "…"}}  $.*.a       a key that may itself be data is not told
    a column of CSV, a form field     $.column
    text                              $

A path never holds a value: a key is shown when it looks like a name (a letter, then letters,
digits, `_` and `-`, at most 48 characters and four digits) and nothing was found in it.
"""

import re
from collections.abc import Sequence
from typing import Final, Protocol

import orjson

from proxy.content.validate import STRING

OTHERS: Final = "…"
"""Stands for every path that is too long, or one too many."""
LONGEST: Final = 256
"""Octets of a path."""
_ORDINARY: Final = re.compile(r"[^\W\d][\w-]{0,47}")
_DIGIT: Final = re.compile(r"\d")
_DIGITS: Final = 4
_NODE: Final = re.compile(
    b"(" + STRING + rb")([ \t\n\r]*+:)?+|([\[{])|([\]}])|-?[0-9][-+.0-9Ee]*+", re.DOTALL
)


class Place(Protocol):
    """Where one value stands."""

    def keys(self) -> Sequence[str]:
        """The keys above it, decoded, from the root: its context."""

    def path(self) -> str:
        """At most 256 octets, and no data."""


class Named:
    """A place that a format names: a column, a field of a form, a document within a value."""

    def __init__(self, keys: Sequence[str], path: str) -> None:
        self._keys = keys
        self._path = path

    def keys(self) -> Sequence[str]:
        return self._keys

    def path(self) -> str:
        return bounded(self._path)


ROOT: Final = Named((), "$")


def bounded(path: str) -> str:
    return path if len(path) * 4 <= LONGEST or len(path.encode()) <= LONGEST else OTHERS


def step(key: str) -> str:
    """What a path says of a key."""
    if _ORDINARY.fullmatch(key) and len(_DIGIT.findall(key)) <= _DIGITS:
        return f"['{key}']" if "-" in key else f".{key}"
    return ".*"


class Walk:
    """The places in one valid JSON document, asked for in the order of their offsets."""

    def __init__(self, data: bytes, above: Place = ROOT) -> None:
        self._nodes = _NODE.finditer(data)
        self._above = above
        self._opened: list[tuple[bytes, bool] | None] = []  # key above each open container
        self._key: tuple[bytes, bool] | None = None  # the one at hand; None among elements
        self._hidden = False
        self._at = -1
        self._is_key = False

    def to(self, start: int) -> None:
        """Go to the string or number that starts there."""
        while self._at < start:
            match = next(self._nodes)
            self._at = match.start()
            string, colon, opening, closing = match.groups()
            self._is_key = colon is not None
            if colon:
                self._key = string, False
            elif opening:
                self._opened.append(self._key)
                self._key = None
            elif closing:
                self._key = self._opened.pop()

    def hide(self) -> None:
        """The key at hand holds a finding, so that it is not told."""
        if self._is_key and self._key is not None:
            self._key = self._key[0], True

    def keys(self) -> Sequence[str]:
        return [*self._above.keys(), *(orjson.loads(key) for key, _ in self._keyed())]

    def path(self) -> str:
        steps = [] if not self._opened else [*self._opened[1:], self._key]
        if self._is_key:
            steps[-1] = b"", True
        shown = "".join("[*]" if each is None else _shown(*each) for each in steps)
        return bounded(self._above.path() + shown)

    def _keyed(self) -> list[tuple[bytes, bool]]:
        own = [] if self._is_key else [self._key]
        return [each for each in (*self._opened, *own) if each is not None]


def _shown(key: bytes, hidden: bool) -> str:
    return ".*" if hidden else step(orjson.loads(key))
