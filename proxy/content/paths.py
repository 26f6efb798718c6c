"""RFC 9535 paths, compiled into one automaton that walks a document from the root.

A rule is a row of segments. An item (rule, n) says that the first n segments of that rule have
matched the node at hand; a state is the set of items that hold at a node. Going to a child with a
key or an index leads to another state. A descendant segment keeps its item while it goes down:

    $..email      ({(0,0)}) --email--> accept 0      --any other--> ({(0,0)})

A state that accepts ends the walk there: what is below it goes with it. When several rules match a
node the first one in the file wins. Filters and functions need values, and are refused.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count, product

import jsonpath_rfc9535
from jsonpath_rfc9535.segments import JSONPathRecursiveDescentSegment
from jsonpath_rfc9535.selectors import (
    IndexSelector,
    JSONPathSelector,
    NameSelector,
    SliceSelector,
    WildcardSelector,
)

from proxy.content.names import folded
from proxy.content.rows import Run, runs, unrolled
from proxy.content.validate import STRING

MAX_STATES = 1024
ROWS_MAXIMUM = 64

_WS = rb"[ \t\n\r]*+"
_SCALAR = rb"(?:" + STRING + rb"|[-+.0-9A-Za-z]++)"
_FLAT = rb'[\[{](?:[^"\[\]{}]++|' + STRING + rb")*+[\]}]"
NESTED = rb'[\[{](?:[^"\[\]{}]++|' + STRING + b"|" + _FLAT + rb")*+[\]}]"
"""A container that holds flat containers at most. Fails on deeper ones, without backtracking."""

Item = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: which children it selects, and whether of every descendant."""

    descendant: bool
    wildcard: bool
    names: frozenset[str]
    indexes: tuple[int, ...]
    slices: tuple[slice, ...]

    def selects(self, index: int, length: int) -> bool:
        """Whether element `index` of an array of `length` is selected (RFC 9535, 2.3.3-2.3.4)."""
        return (
            self.wildcard
            or any(index == n or index - length == n for n in self.indexes)
            or any(index in range(*cut.indices(length)) for cut in self.slices)
        )

    @property
    def positional(self) -> bool:
        return bool(self.indexes or self.slices) and not self.wildcard

    @property
    def places(self) -> str:
        """A name for which elements are selected; "" for none or all."""
        return f"{self.indexes}{self.slices}" if self.positional else ""

    @property
    def from_the_end(self) -> bool:
        """Whether the length of the array matters."""
        bounds = [bound for cut in self.slices for bound in (cut.start, cut.stop, cut.step)]
        return any(n < 0 for n in self.indexes) or any(n is not None and n < 0 for n in bounds)


def parse(path: str, *, fold: bool = False) -> tuple[Segment, ...]:
    """Parse one path; `fold` folds the names in it (see names).

    Raises ValueError for what is not RFC 9535, and for filters.
    """
    try:
        query = jsonpath_rfc9535.compile(path)
    except (jsonpath_rfc9535.JSONPathError, RecursionError) as error:
        raise ValueError(f"not a JSONPath (RFC 9535): {error}") from None
    return tuple(
        _segment(segment.selectors, isinstance(segment, JSONPathRecursiveDescentSegment), fold)
        for segment in query.segments
    )


def normal(path: str) -> str:
    """The one way to write a valid path: `$.a["b"]` is `$['a']['b']`."""
    return str(jsonpath_rfc9535.compile(path))


def _segment(selectors: Iterable[JSONPathSelector], descendant: bool, fold: bool) -> Segment:
    names, indexes, slices, wildcard = set(), [], [], False
    for selector in selectors:
        match selector:
            case NameSelector():
                names.add(folded(selector.name) if fold else selector.name)
            case IndexSelector():
                indexes.append(selector.index)
            case SliceSelector():
                if not _empty(selector.slice):
                    slices.append(selector.slice)
            case WildcardSelector():
                wildcard = True
            case _:
                raise ValueError("filters and functions are not supported in masking paths")
    return Segment(descendant, wildcard, frozenset(names), tuple(indexes), tuple(slices))


def _empty(cut: slice) -> bool:
    """It selects nothing, however long the array is."""
    step = 1 if cut.step is None else cut.step
    if step == 0:
        return True
    first, last = (cut.start, cut.stop) if step > 0 else (cut.stop, cut.start)
    if last is None:
        return False
    if step > 0 and last == 0:
        return True
    first = 0 if first is None and step > 0 else first
    return first is not None and (first < 0) is (last < 0) and first >= last


class State:
    """Which items hold at a node, and where its children lead.

    `accept` is the number of the rule that matches the node itself, -1 for none. `live` is False
    when nothing below the node can match.
    """

    def __init__(self, items: frozenset[Item], automaton: "Automaton") -> None:
        rules = automaton.rules
        self.accept = min((r for r, n in items if n == len(rules[r])), default=-1)
        alive = () if self.accept >= 0 else sorted(items)
        self._steps = [(r, n, rules[r][n]) for r, n in alive if n < len(rules[r])]
        self.live = bool(self._steps)
        self.positional = any(segment.positional for _, _, segment in self._steps)
        self.from_the_end = any(segment.from_the_end for _, _, segment in self._steps)
        self.fold = automaton.fold
        self._automaton = automaton
        self._elements: dict[tuple[bool, ...], State] = {}
        self._rows: dict[int, list[Run[State]]] = {}

    @cached_property
    def names(self) -> dict[bytes, "State"]:
        """UTF-8 of each key that some rule names here -> its state. With `fold`: of folded keys."""
        named = {name for _, _, segment in self._steps for name in segment.names}
        return {
            name.encode(): self._to(s.wildcard or name in s.names for _, _, s in self._steps)
            for name in sorted(named)
        }

    @cached_property
    def other(self) -> "State":
        """The state of every member that no rule names, and of elements when not positional."""
        return self._to(segment.wildcard for _, _, segment in self._steps)

    def element(self, index: int, length: int) -> "State":
        """The state of one array element."""
        selected = tuple([segment.selects(index, length) for _, _, segment in self._steps])
        found = self._elements.get(selected)
        if found is None:
            found = self._elements[selected] = self._to(selected)
        return found

    def each(self, length: int) -> Iterator["State"]:
        """The states of all elements in order; does not look at each of a long row."""
        row = self._rows.get(length)
        if row is None:
            segments = [segment for _, _, segment in self._steps]
            indexes = [n for segment in segments for n in segment.indexes]
            slices = [cut for segment in segments for cut in segment.slices]
            row = runs(indexes, slices, length, lambda n: self.element(n, length))
            if row is None:
                return (self.element(n, length) for n in count())
            if len(self._rows) < ROWS_MAXIMUM:
                self._rows[length] = row
        return unrolled(row)

    def below(self) -> Iterator["State"]:
        """Every state that a child can be in, whatever is sent."""
        yield from self.names.values()
        segments = [segment for _, _, segment in self._steps]
        places = sorted({segment.places for segment in segments if segment.positional})
        for chosen in product((False, True), repeat=len(places)):
            selected = dict(zip(places, chosen, strict=True))
            yield self._to(selected.get(s.places, s.wildcard) for s in segments)

    def _to(self, matched: Iterable[bool]) -> "State":
        items = set()
        for (rule, n, segment), matches in zip(self._steps, matched, strict=True):
            if segment.descendant:
                items.add((rule, n))
            if matches:
                items.add((rule, n + 1))
        return self._automaton.state(frozenset(items))

    @cached_property
    def members(self) -> re.Pattern[bytes]:
        """From after a brace or a value: over what no rule can reach, to the next member.

        Group 1 is its raw key and group 2 its value when that is a scalar; else the match ends at
        the value. Without group 1 the object ended.
        """
        stop = b'%b(?:\\}|"([^"\\\\]*+(?:\\\\.[^"\\\\]*+)*+)"%b:%b(%b)?)' % (_WS, _WS, _WS, _SCALAR)
        if self.other.accept >= 0 or (self.fold and self.names):
            return re.compile(_WS + b",?+" + stop)
        plain = [re.escape(name) for name in self.names if not re.search(rb'["\\\x00-\x1f]', name)]
        unless = b'(?!(?:%b)")' % b"|".join(plain) if plain else b""
        value = _SCALAR if self.other.live else b"(?:" + _SCALAR + b"|" + NESTED + b")"
        passed = b'%b"%b[^"\\\\]*+"%b:%b%b%b' % (_WS, unless, _WS, _WS, value, _WS)
        return re.compile(_WS + b",?+(?:" + passed + rb"(?:,|(?=\})))*+" + stop)

    @cached_property
    def elements(self) -> re.Pattern[bytes]:
        """The same in an array: group 1 is empty, and stands where an element starts."""
        stop = b"%b(?:\\]|()(%b)?)" % (_WS, _SCALAR)
        if self.positional or self.other.accept >= 0:
            return re.compile(_WS + b",?+" + stop)
        passed = _WS + _SCALAR + _WS + rb"(?:,|(?=\]))"
        return re.compile(_WS + b",?+(?:" + passed + b")*+" + stop)


class Automaton:
    """All rules of a policy together. `root` is the state of the document itself."""

    def __init__(self, paths: Iterable[str], *, fold: bool = False) -> None:
        """`fold` compares names as `names.folded` has them.

        Raises ValueError for a path that cannot be compiled, or for too many states.
        """
        self.fold = fold
        self.rules = [parse(path, fold=fold) for path in paths]
        self._states: dict[frozenset[Item], State] = {}
        self.root = self.state(frozenset((rule, 0) for rule in range(len(self.rules))))
        self._explore()

    def state(self, items: frozenset[Item]) -> State:
        found = self._states.get(items)
        if found is None:
            found = State(items, self)
            self._states[items] = found
        return found

    def _explore(self) -> None:
        """Build every state now, so that none is built under a transfer."""
        seen = {self.root}
        waiting = [self.root]
        while waiting:
            state = waiting.pop()
            if not state.live:
                continue
            _ = state.members, state.elements, state.other
            for child in state.below():
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
                if len(seen) > MAX_STATES:
                    raise ValueError(f"these paths together need more than {MAX_STATES} states")


UNBOUNDED = sys.maxsize
"""The length to give to `State.element` where it does not matter."""
