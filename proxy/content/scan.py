"""Find in the octets of a valid JSON document what the automaton accepts.

The document has passed `require_json`: nothing here checks it again, and nothing recurses. One
regular expression per state runs over everything that no rule can reach; Python sees only members
that a rule names, containers on the way to one, and keys with a backslash, which are decoded before
they are compared. Duplicate keys are members like any other: each is found.
"""

import re
from collections.abc import Iterator
from itertools import repeat

import orjson

from proxy.content.names import folded
from proxy.content.paths import NESTED, UNBOUNDED, State
from proxy.content.validate import STRING
from proxy.errors import Refusal

Hit = tuple[int, int, int, int]
"""Number of the rule, where the key starts (elements and the root: the value), and the value."""
Frame = tuple[re.Pattern[bytes], "Iterator[State] | None", State]
"""An open container: how to go on in it, the states of its elements if an array, its own."""

_SPACE = re.compile(rb"[ \t\n\r]*+")
_SCALAR = re.compile(STRING + rb"|[-+.0-9A-Za-z]++")
_NESTED = re.compile(NESTED)
_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + STRING + rb")*+([\[\]{}])")
_SHAPE = re.compile(STRING + rb"|\[[ \t\n\r]*+\]|[\[\]{},]")


def find(data: bytes, root: State) -> Iterator[Hit]:
    """Every node that a rule matches, in document order, without those inside another."""
    position = after(_SPACE, data, 0)
    if root.accept >= 0:
        yield root.accept, position, position, value_end(data, position)
    elif root.live and data[position] in b"[{":
        yield from _walk(data, position, root)


def _walk(data: bytes, position: int, root: State) -> Iterator[Hit]:
    stack: list[Frame] = []
    lengths: dict[int, int] = {}
    frame = enter(data, position, root, lengths)
    position += 1
    while True:
        pattern, elements, state = frame
        match = pattern.match(data, position)
        if match is None:
            raise _lost()
        position = match.end()
        if match.lastindex is None:
            if not stack:
                return
            frame = stack.pop()
            continue
        child = member(state, match[1]) if elements is None else next(elements)
        scalar = match.lastindex == 2
        begin = match.start(2) if scalar else position
        if child.accept >= 0:
            if not scalar:
                position = value_end(data, begin)
            yield child.accept, match.start(1) - (elements is None), begin, position
        elif child.live and not scalar:
            stack.append(frame)
            frame = enter(data, begin, child, lengths)
            position = begin + 1
        elif not scalar:
            position = value_end(data, begin)


def enter(data: bytes, start: int, state: State, lengths: dict[int, int]) -> Frame:
    if data[start] == 0x7B:
        return state.members, None, state
    if not state.positional:
        return state.elements, repeat(state.other), state
    length = UNBOUNDED
    if state.from_the_end:
        if not lengths:
            lengths.update(array_lengths(data))
        length = lengths[start]
    return state.elements, state.each(length), state


def member(state: State, key: bytes) -> State:
    if b"\\" in key:
        key = str(orjson.loads(b'"' + key + b'"')).encode()
    if state.fold:
        key = folded(key.decode()).encode()
    return state.names.get(key, state.other)


def _lost() -> Refusal:
    return Refusal("unparseable", "the scanner lost its place")


def after(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    match = pattern.match(data, position)
    if match is None:
        raise _lost()
    return match.end()


def value_end(data: bytes, start: int) -> int:
    """Where the value that starts at `start` ends."""
    if data[start] not in b"[{":
        return after(_SCALAR, data, start)
    whole = _NESTED.match(data, start)
    if whole is not None:
        return whole.end()
    level, position = 0, start
    while True:
        position = after(_BRACKET, data, position)
        level += 1 if data[position - 1] in b"[{" else -1
        if level == 0:
            return position


def array_lengths(data: bytes) -> dict[int, int]:
    """Offset of each array -> its number of elements, in one pass."""
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
