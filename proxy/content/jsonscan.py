"""Is it JSON, exactly, and where in it is what rules name? One pass over octets answers both.

    data  {"id":7,"customer":{"ssn":"A"}} LF {"id":8} LF      whole lines, or one document and a NUL
    hits  (rule, start of the member, start and end of the value, kind of the value), flat, in order

The machine checks RFC 8259 and UTF-8 (RFC 3629) to the letter, the depth, and the length of lines,
and walks the tables of an automaton (see tables) as it goes. Nothing recurses, and nothing of
Python is made but for keys with a backslash, which are decoded. What is below a hit is checked, and
has no hits of its own. Duplicate keys are members like any other.

The last octet, a line feed or a NUL, is legal nowhere inside a value. Every loop stops at what is
not legal, and looks at an octet only when the one before it was legal there and so not the last:
that is why no index is ever compared with the length.

This source is compiled by Cython as `_jsonscan`, with the types of jsonscan.pxd, and takes about
1 ns an octet. It runs as it is, too, at a hundred times that, which is for tests: where nothing
could be compiled, plainscan does the same by other means (see native), and the same tests hold.
"""

from array import array
from typing import Final

import orjson

from proxy.content.jsonlex import CLASSES, escape, number, sequence, space, word
from proxy.content.octets import plain
from proxy.content.tables import Tables

WIDTH: Final = 5
ROOM: Final = 512
"""Numbers that make a hit, and hits that `run` returns at most."""
PLAIN, ESCAPED, NUMBER, OTHER = 0, 1, 2, 3
"""Kinds of a hit: a string without a backslash, one with, a number, all else."""
BROKEN, DEEP, LONG = 1, 2, 3
"""Errors: not JSON, nested too deep, a line that is too long."""

_VALUE, _ELEMENT, _MEMBER, _KEY, _AFTER = 0, 1, 2, 3, 4
"""What comes next: a value; that or `]`; a key or `}`; a key; what may follow a value."""


class Machine:
    """Goes through one block after another. `lines`: NDJSON, else each block is one document."""

    def __init__(self, tables: Tables, depth: int, record: int, lines: bool) -> None:
        """`depth` and `record`, octets of a line without its end, are bounds that may be met."""
        self._tables, self._root = tables, tables.root
        self._accept, self._other = tables.accept, tables.other
        self._first, self._next = tables.first, tables.next
        self._starts, self._lengths, self._leads = tables.starts, tables.lengths, tables.leads
        self._names, self._spelt = tables.names, tables.spelt
        self._depth, self._record, self._lines = depth, record, lines
        self._feed = 0x20 if lines else 0x0A
        self._stack = array("i", bytes(4 * (depth + 2)))
        self.hits = array("q", bytes(8 * WIDTH * ROOM))
        self._room = self.hits
        self._block = b""
        self._size = self._at = self._level = self._state = self._count = 0
        self._expected, self._escaped = _VALUE, False
        self._rule, self._masking = -1, -1
        self._member = self._start = self._origin = 0
        self.records = self.ended = self.error = 0
        self.line = 0
        self.done = True

    def load(self, block: bytes) -> None:
        """Begin with whole lines, or with a document and a NUL. Raises ValueError without either.

        `records` and `ended`, the lines behind us, go on counting; `line` is where the next starts.
        """
        if not block or block[len(block) - 1] != (0x0A if self._lines else 0):
            raise ValueError("a block that does not end as it has to")
        self._block, self._size = block, len(block)
        self._at = self._level = self.line = self.error = 0
        self._expected, self._state, self._masking = _VALUE, self._root, -1
        self.done = False

    def run(self) -> int:
        """Go on until `hits` is full, it is `done` or there is an `error`: how many hits there are.

        Call again until done or error. After an error the block is not JSON, whatever was found.
        """
        octets = self._block
        at = self._at
        self._count = 0
        while self._count < ROOM:
            at = space(octets, at, self._feed)
            at = self._step(octets, at)
            if at < 0 or self.done:
                break
        self._at = at
        if at < 0:
            self._fail()
        return self._count

    def _fail(self) -> int:
        """What is wrong first of all with a line is its length."""
        self.error = self.error or BROKEN
        if self._lines:
            line = self._block[self.line : self._block.index(b"\n", self.line)]
            if len(line.removesuffix(b"\r")) > self._record:
                self.error = LONG
        return self.error

    def _step(self, p: bytes, at: int) -> int:
        """One token, or a key with what begins its value; -1 where it cannot stand."""
        octet = p[at]
        if self._expected == _AFTER:
            return self._after(p, at)
        if self._expected >= _MEMBER:
            if octet == 0x22:
                return self._key(p, at)
            return self._close(at) if octet == 0x7D and self._expected == _MEMBER else -1
        if self._expected == _ELEMENT and octet == 0x5D:
            return self._close(at)
        if self._level == 0 or self._stack[self._level] & 1:
            self._member = at
        if octet == 0x0A and self._level == 0:
            return self._end(p, at, False)
        return self._value(p, at)

    def _after(self, p: bytes, at: int) -> int:
        level, octet = self._level, p[at]
        if level == 0:
            return self._end(p, at, True)
        if octet == 0x2C:
            return self._comma(at)
        return self._close(at) if octet == (0x5D if self._stack[level] & 1 else 0x7D) else -1

    def _comma(self, at: int) -> int:
        top = self._stack[self._level]
        if top & 1:
            self._expected, self._state = _VALUE, self._other[top >> 1]
        else:
            self._expected = _KEY
        return at + 1

    def _end(self, p: bytes, at: int, full: bool) -> int:
        """The end of a line or of the document, at its last octet."""
        if p[at] != (0x0A if self._lines else 0) or not (self._lines or at == self._size - 1):
            return -1
        length = at - self.line
        if length > self._record and self._lines and length - (p[at - 1] == 0x0D) > self._record:
            return -1  # see _fail
        self.records += full
        self.ended += 1
        self.line = at + 1
        self._expected, self._state = _VALUE, self._root
        self.done = at == self._size - 1
        return at + 1

    def _open(self, at: int, row: bool) -> int:
        level, state = self._level + 1, self._state
        if level > self._depth:
            self.error = DEEP
            return -1
        if self._accept[state] >= 0 and self._masking < 0:
            self._masking, self._rule, self._start = level, self._accept[state], at
            self._origin = self._member
        self._level = level
        self._stack[level] = state * 2 + row
        self._expected = _ELEMENT if row else _MEMBER
        if row:
            self._state = self._other[state]
        return at + 1

    def _close(self, at: int) -> int:
        if self._masking == self._level:
            self._masking = -1
            self._hit(self._rule, self._origin, self._start, at + 1, OTHER)
        self._level -= 1
        self._expected = _AFTER
        return at + 1

    def _hit(self, rule: int, member: int, start: int, end: int, kind: int) -> None:
        place = self._count * WIDTH
        self._room[place] = rule
        self._room[place + 1] = member
        self._room[place + 2] = start
        self._room[place + 3] = end
        self._room[place + 4] = kind
        self._count += 1

    def _value(self, p: bytes, at: int) -> int:
        """A scalar, and a comma that stands behind it, or what opens an object or array."""
        octet, kind, end = p[at], OTHER, -1
        if octet == 0x22:
            self._escaped = False
            end = self._string(p, at + 1)
            kind = ESCAPED if self._escaped else PLAIN
        elif octet == 0x2D or 0x30 <= octet <= 0x39:
            end, kind = number(p, at), NUMBER
        elif octet == 0x7B or octet == 0x5B:
            return self._open(at, octet == 0x5B)
        else:
            end = word(p, at)
        if end < 0:
            return -1
        if self._accept[self._state] >= 0:
            self._hit(self._accept[self._state], self._member, at, end, kind)
        if p[end] == 0x2C and self._level > 0:
            return self._comma(end)
        self._expected = _AFTER
        return end

    def _key(self, p: bytes, at: int) -> int:
        """A key, its colon and its value, which as a rule stand side by side."""
        self._escaped = False
        end = self._string(p, at + 1)
        if end < 0:
            return -1
        self._member = at
        state = self._stack[self._level] >> 1
        self._state = self._other[state]
        if self._spelt[state]:
            self._state = self._child(p, state, at + 1, end - 1)
        end = space(p, end, self._feed)
        return self._value(p, space(p, end + 1, self._feed)) if p[end] == 0x3A else -1

    def _child(self, p: bytes, state: int, start: int, end: int) -> int:
        """Where the member with this key leads to."""
        if self._escaped:
            return self._decoded(p, state, start, end)
        length = end - start
        name = self._first[state * 32 + (length & 31)]
        while name >= 0:
            if self._lengths[name] == length and self._same(p, start, self._starts[name], length):
                return self._leads[name]
            name = self._next[name]
        return self._other[state]

    def _decoded(self, p: bytes, state: int, start: int, end: int) -> int:
        return self._tables.child(state, orjson.loads(p[start - 1 : end + 1]).encode())

    def _same(self, p: bytes, start: int, name: int, length: int) -> bool:
        names, end = self._names, name + length
        while name < end and names[name] == p[start]:
            name, start = name + 1, start + 1
        return name == end

    def _string(self, p: bytes, at: int) -> int:
        """The end of the string whose first octet inside is at `at`."""
        at = plain(p, at, self._size)
        return at + 1 if p[at] == 0x22 else self._rest(p, at)

    def _rest(self, p: bytes, at: int) -> int:
        """The same of a string in which there is more than plain ASCII, or the block ends soon."""
        while True:
            kind = CLASSES[p[at]]
            while kind == 0:
                at += 1
                kind = CLASSES[p[at]]
            if kind == 1:
                return at + 1
            if kind == 2:
                self._escaped = True
                at = escape(p, at + 1)
            elif kind == 4:
                at = sequence(p, at)
            if kind == 3 or at < 0:
                return -1
            if CLASSES[p[at]] == 0:
                at = plain(p, at, self._size)
