"""Where in a body a value stands: the keys above it, and a path for the receipt.

    {"customer": {"notes": ["…"]}}    $.customer.notes[*]
    {"jane@example.com": {"a": "…"}}  $.*.a       a key that may itself be data is not told
    a column of CSV, a form field     $.column
    text                              $

A path never holds a value: a key is shown when it looks like a name (a letter, then letters,
digits, `_` and `-`, at most 48 characters and four digits) and nothing was found in it.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Protocol

import orjson

from proxy.content.kinds import Kind, Span
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


Spoken = frozenset[Kind]
Speaks = Callable[[str], Spoken]
"""What a key speaks for as context: see words.Vocabulary."""


class Place(Protocol):
    """Where one value stands."""

    def above(self, speaks: Speaks) -> Spoken:
        """What the keys above it speak for. `speaks` is always the same one."""

    def path(self) -> str:
        """At most 256 octets, and no data."""


class Named:
    """A place that a format names: a column, a field of a form, a document within a value."""

    def __init__(self, keys: Sequence[str], path: str) -> None:
        self._keys = keys
        self._path = path
        self._spoken: Spoken | None = None

    def above(self, speaks: Speaks) -> Spoken:
        if self._spoken is None:
            self._spoken = Spoken().union(*map(speaks, self._keys))
        return self._spoken

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
    """The places in one valid JSON document, asked for in the order of their offsets.

    Nothing is done before something is asked; what holds for a container is worked out once.
    """

    def __init__(self, data: bytes, above: Place = ROOT) -> None:
        self._nodes = _NODE.finditer(data)
        self._above = above
        self._opened: list[tuple[bytes, bool] | None] = []  # key above each open container
        self._spoken: list[Spoken] = []  # by those keys and all above, as far as anybody asked
        self._paths: list[str] = []  # the same
        self._key: tuple[bytes, bool] | None = None  # the one at hand; None among elements
        self._wanted = self._at = self._stop = -1
        self._is_key = False

    def to(self, start: int) -> None:
        """Go to the string or number that starts there."""
        self._wanted = start

    def reach(self, end: int) -> Span | None:
        """Go to the string or number that ends at `end`, one before it or later; None: no more."""
        while self._stop < end - 1:
            if not self._step():
                return None
        self._wanted = self._at
        return self._at, self._stop

    def hide(self) -> None:
        """The key at hand holds a finding, so that it is not told."""
        self._walk()
        if self._is_key and self._key is not None:
            self._key = self._key[0], True

    def above(self, speaks: Speaks) -> Spoken:
        self._walk()
        spoken = self._spoken
        for each in self._opened[len(spoken) :]:
            before = spoken[-1] if spoken else self._above.above(speaks)
            spoken.append(before if each is None else before | speaks(_decoded(each[0])))
        here = spoken[-1] if spoken else self._above.above(speaks)
        if self._is_key or self._key is None:
            return here
        return here | speaks(_decoded(self._key[0]))

    def path(self) -> str:
        self._walk()
        if not self._opened:
            return bounded(self._above.path())
        paths = self._paths
        if not paths:
            paths.append(self._above.path())
        for each in self._opened[len(paths) :]:
            paths.append(paths[-1] if len(paths[-1]) > LONGEST else paths[-1] + _shown(each))
        return bounded(paths[-1] + (".*" if self._is_key else _shown(self._key)))

    def _walk(self) -> None:
        while self._at < self._wanted and self._step():
            pass

    def _step(self) -> bool:
        """Go to the next node, if there is one."""
        match = next(self._nodes, None)
        if match is None:
            return False
        self._at = match.start()
        string, colon, opening, closing = match.groups()
        self._is_key = colon is not None
        if colon:
            self._key = string, False
        if opening:
            self._opened.append(self._key)
            self._key = None
        elif closing:
            self._key = self._opened.pop()
            del self._spoken[len(self._opened) :], self._paths[len(self._opened) :]
        else:
            self._stop = match.end() if string is None else match.end(1)
        return True


def _shown(key: tuple[bytes, bool] | None) -> str:
    if key is None:
        return "[*]"
    raw, hidden = key
    if hidden:
        return ".*"
    return step(_decoded(raw)) if len(raw) > LONGEST else _step(raw)


@lru_cache(maxsize=4096)
def _step(raw: bytes) -> str:
    return step(_decoded(raw))


def _decoded(raw: bytes) -> str:
    return str(orjson.loads(raw))
