"""What jsonscan.Machine does, with the parts that need no compiler: validate judges, scan finds.

This is what runs where nothing could be compiled, and under rules with indexes and slices. It
raises for itself what the other one has as `error`.
"""

from array import array
from collections.abc import Iterator
from itertools import islice

from proxy.content.jsonscan import ESCAPED, NUMBER, OTHER, PLAIN, ROOM, WIDTH
from proxy.content.paths import Automaton
from proxy.content.scan import Hit, find
from proxy.content.validate import require_json
from proxy.errors import Refusal


class PlainMachine:
    """Goes through one block after another: see jsonscan.Machine."""

    def __init__(self, automaton: Automaton, depth: int, record: int, lines: bool) -> None:
        self._root = automaton.root
        self._rules = bool(automaton.rules)
        self._depth, self._record, self._lines = depth, record, lines
        self.hits = array("q")
        self.records = self.ended = self.line = self.error = 0
        self.done = True
        self._block = b""
        self._found: Iterator[Hit] = iter(())

    def load(self, block: bytes) -> None:
        """Begin with whole lines, or with a document and a NUL."""
        self._block = block
        self._found = self._all()
        self.done = False

    def run(self) -> int:
        """How many hits there are now; fewer than there is room for: it is done.

        Raises Refusal: unparseable, content-too-large.
        """
        self.hits = array("q")
        for hit in islice(self._found, ROOM):
            self.hits.extend(hit)
            self.hits.append(self._kind(*hit[2:]))
        count = len(self.hits) // WIDTH
        self.done = count < ROOM
        return count

    def _kind(self, start: int, end: int) -> int:
        octet = self._block[start]
        if octet == 0x22:
            return PLAIN if self._block.find(b"\\", start, end) < 0 else ESCAPED
        return NUMBER if octet in b"-0123456789" else OTHER

    def _all(self) -> Iterator[Hit]:
        if not self._lines:
            self.records = 1
            yield from self._hits(self._block[:-1], 0, "the document")
            return
        self.line = 0
        for line in self._block[:-1].split(b"\n"):
            where = f"line {self.ended + 1}"
            if len(line) > self._record and len(line.removesuffix(b"\r")) > self._record:
                raise Refusal("content-too-large", f"{where} is over limits.record")
            if line.strip(b" \t\r"):
                self.records += 1
                yield from self._hits(line, self.line, where)
            self.ended += 1
            self.line += len(line) + 1

    def _hits(self, data: bytes, base: int, where: str) -> Iterator[Hit]:
        require_json(data, self._depth, where)
        if self._rules:
            for rule, member, start, end in find(data, self._root):
                yield rule, base + member, base + start, base + end
