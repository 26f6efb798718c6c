"""Find in the octets of a valid JSON document what the automaton accepts.

The document has passed `require_json`: nothing here checks it again, and nothing recurses. One
regular expression per state runs over everything that no rule can reach; Python sees only members
that a rule names, containers on the way to one, and keys with a backslash, which are decoded before
they are compared. Duplicate keys are members like any other: each is found.
"""

import re
from typing import NamedTuple

import orjson

from proxy.content.paths import NESTED, UNBOUNDED, State
from proxy.content.validate import STRING
from proxy.errors import Refusal


class Hit(NamedTuple):
    """What one rule masks: the value is `data[start:end]`.

    `member` is where its key starts; equal to `start` for elements and for the root.
    """

    rule: int
    member: int
    start: int
    end: int


_SPACE = re.compile(rb"[ \t\n\r]*+")
_SCALAR = re.compile(STRING + rb"|[-+.0-9A-Za-z]++")
_NESTED = re.compile(NESTED)
_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + STRING + rb")*+([\[\]{}])")
_SHAPE = re.compile(STRING + rb"|\[[ \t\n\r]*+\]|[\[\]{},]")


def find(data: bytes, root: State) -> list[Hit]:
    """Every node that a rule matches, in document order, without those inside another."""
    hits: list[Hit] = []
    frames: list[_Frame] = []
    lengths: dict[int, int] | None = None
    begin = member = _after(_SPACE, data, 0)
    state = root
    while True:
        if state.accept >= 0:
            position = value_end(data, begin)
            hits.append(Hit(state.accept, member, begin, position))
        elif state.live and data[begin] in b"[{":
            if state.from_the_end and lengths is None:
                lengths = array_lengths(data)
            frames.append(_Frame(state, data, begin, lengths))
            position = begin + 1
        else:
            position = value_end(data, begin)
        while frames:
            frame = frames[-1]
            match = frame.advance(data, position)
            if match is None:
                raise Refusal("unparseable", "the scanner lost its place")
            position = begin = match.end()
            if match.lastindex is not None:
                state = frame.child(match[1])
                member = begin if frame.array else match.start(1) - 1
                break
            frames.pop()
        else:
            return hits


class _Frame:
    """One open container on the way: its state, and in arrays how far it has come."""

    __slots__ = ("advance", "array", "index", "length", "state")

    def __init__(
        self, state: State, data: bytes, start: int, lengths: dict[int, int] | None
    ) -> None:
        self.state = state
        self.array = data[start] == 0x5B
        self.advance = (state.elements if self.array else state.members).match
        self.index = -1
        self.length = UNBOUNDED
        if self.array and lengths is not None and state.from_the_end:
            self.length = lengths[start]

    def child(self, key: bytes) -> State:
        """The state of the next child. `key` is raw, and b"" in arrays."""
        state = self.state
        if self.array:
            if not state.positional:
                return state.other
            self.index += 1
            return state.element(self.index, self.length)
        if b"\\" in key:
            key = orjson.loads(b'"' + key + b'"').encode()
        return state.names.get(key, state.other)


def _after(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    match = pattern.match(data, position)
    if match is None:
        raise Refusal("unparseable", "the scanner lost its place")
    return match.end()


def value_end(data: bytes, start: int) -> int:
    """Where the value that starts at `start` ends."""
    if data[start] not in b"[{":
        return _after(_SCALAR, data, start)
    whole = _NESTED.match(data, start)
    if whole is not None:
        return whole.end()
    level, position = 0, start
    while True:
        position = _after(_BRACKET, data, position)
        level += 1 if data[position - 1] in b"[{" else -1
        if level == 0:
            return position


def array_lengths(data: bytes) -> dict[int, int]:
    """Offset of each non-empty array -> its number of elements, in one pass.

    An empty array has no entry of its own unless it is asked for, so it is given as 0.
    """
    lengths: dict[int, int] = {}
    opened: list[int] = []
    for match in _SHAPE.finditer(data):
        start, octet = match.start(), data[match.start()]
        if octet == 0x5B and match.end() - start > 1:
            lengths[start] = 0
        elif octet in b"[{":
            opened.append(start)
            lengths[start] = 1
        elif octet in b"]}":
            opened.pop()
        elif octet == 0x2C:
            lengths[opened[-1]] += 1
    return lengths
