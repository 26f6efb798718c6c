"""Which scanner and splice run: compiled where the installation could compile them.

LOCKGATE_ENGINE=interpreted does without them, for comparison; any other value is as if unset.
"""

import hashlib
import hmac
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, Final, Protocol

from proxy.content import jsonsplice, jsontaken
from proxy.content.jsontokens import Tokens
from proxy.content.paths import Automaton
from proxy.content.plainscan import PlainMachine
from proxy.content.tables import Tables, fits

VARIABLE: Final = "LOCKGATE_ENGINE"


class Machine(Protocol):
    """A scanner of blocks: see jsonscan.Machine."""

    @property
    def hits(self) -> "array[int]": ...
    @property
    def records(self) -> int: ...
    @property
    def ended(self) -> int: ...
    @property
    def line(self) -> int: ...
    @property
    def error(self) -> int: ...
    @property
    def done(self) -> bool: ...
    def load(self, block: bytes) -> None: ...
    def run(self) -> int: ...


Made = bytes | Iterator[bytes | None] | Tokens | None
"""What is put in place of what a rule found: see jsonsplice.Splice.add."""


class Splice(Protocol):
    """The output of a block in the making: see jsonsplice.Splice."""

    def add(
        self,
        hits: "array[int]",
        count: int,
        made: Sequence[Made],
    ) -> None: ...
    def finish(self, end: int) -> bytes: ...
    def placed(self) -> "array[int]": ...
    def rest(self) -> bytes: ...


class Side(Protocol):
    """The digest of one side of a body: see sides."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


Opener = Callable[[bool], Machine]
"""Makes the machine of one body: of lines, or of a document."""


class Native:
    """One of the two ways. `name` is `compiled` or `interpreted`."""

    def __init__(self, *, compiled: bool) -> None:
        """Raises ImportError where nothing has been compiled."""
        self.name = "compiled" if compiled else "interpreted"
        self._scan: Any = import_module("proxy.content._jsonscan") if compiled else None
        work: Any = import_module("proxy.content._jsonsplice") if compiled else None
        self.near: Callable[[bytes], bytes] = _all
        """What of a text has to be searched for digits: see near."""
        if compiled:
            self.near = import_module("proxy.content._near").near
        sides: Any = import_module("proxy.content._sides") if compiled else None
        self._sides = sides if compiled and sides.QUICK else None
        self.splice: Callable[[bytes], Splice] = (work or jsonsplice).Splice
        taken = work or jsontaken
        self.texts: Callable[[bytes, array[int], int, int, list[int]], list[bytes]] = taken.texts
        self.raws: Callable[[bytes, array[int], int, int], list[bytes]] = taken.raws
        self.tally: Callable[[array[int], int, array[int]], None] = taken.tally
        self.tokens: Any = work
        """What makes tokens in C (see jsontokens): its Macs, values and Tokens. Or None."""

    def sides(self, key: bytes) -> tuple[Side, Side]:
        """HMAC-SHA256 of what is received, under a key of 32 octets, and SHA-256 of what of that is
        delivered: octets are to be received before what comes of them is delivered."""
        if self._sides is None:
            return hmac.new(key, digestmod="sha256"), hashlib.sha256()
        received = self._sides.Received(key)
        return received, self._sides.Delivered(received)

    def opener(self, automaton: Automaton, depth: int, record: int) -> Opener:
        """For bodies under one policy. Indexes, slices, folded names: no tables."""
        if self._scan is None or not fits(automaton):
            return lambda lines: PlainMachine(automaton, depth, record, lines)
        machine, tables = self._scan.Machine, Tables(automaton)
        return lambda lines: machine(tables, depth, record, lines)


def _all(text: bytes) -> bytes:
    return text


def _chosen() -> Native:
    if os.environ.get(VARIABLE) != "interpreted":
        try:
            return Native(compiled=True)
        except ImportError:
            pass  # no compiler when it was installed; `lockgate --version` tells
    return Native(compiled=False)


NATIVE: Final = _chosen()
"""What runs in this process."""
