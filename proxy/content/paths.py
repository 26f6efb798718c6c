"""RFC 9535 paths, compiled into one automaton that walks a document from the root.

A rule is a row of segments. An item (rule, n) says that the first n segments of that rule have
matched the node at hand; a state is the set of items that hold at a node. Going to a child with a
key or an index leads to another state. A descendant segment keeps its item while it goes down:

    $..email      ({(0,0)}) --email--> accept 0      --any other--> ({(0,0)})

A state that accepts ends the walk there: what is below it goes with it. When several rules match a
node the first one in the file wins.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import count, product

from proxy.content.rows import Run, runs, spots, unrolled
from proxy.content.segments import parse
from proxy.content.validate import STRING

MAX_STATES = 1024
ROWS_MAXIMUM = 64

_WS = rb"[ \t\n\r]*+"
_SCALAR = rb"(?:" + STRING + rb"|[-+.0-9A-Za-z]++)"
_FLAT = rb'[\[{](?:[^"\[\]{}]++|' + STRING + rb")*+[\]}]"
NESTED = rb'[\[{](?:[^"\[\]{}]++|' + STRING + b"|" + _FLAT + rb")*+[\]}]"
"""A container that holds flat containers at most. Fails on deeper ones, without backtracking."""

Item = tuple[int, int]


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
            row = runs(*self.positions, length, lambda n: self.element(n, length))
            if row is None:
                return (self.element(n, length) for n in count())
            if len(self._rows) < ROWS_MAXIMUM:
                self._rows[length] = row
        return unrolled(row)

    def below(self) -> Iterator["State"]:
        """Every state that a child can be in, whatever is sent."""
        yield from self.names.values()
        yield self.other
        yield from (state for (state,) in together(self))

    def chosen(self) -> Iterator["State"]:
        """What elements lead to, as if each index and slice selected for itself."""
        segments = [segment for _, _, segment in self._steps]
        places = sorted({segment.places for segment in segments if segment.positional})
        for chosen in product((False, True), repeat=len(places)):
            selected = dict(zip(places, chosen, strict=True))
            yield self._to(selected.get(s.places, s.wildcard) for s in segments)

    @property
    def positions(self) -> tuple[list[int], list[slice]]:
        """The indexes and slices by which elements are selected here."""
        segments = [segment for _, _, segment in self._steps if segment.positional]
        indexes = [n for segment in segments for n in segment.indexes]
        return indexes, [cut for segment in segments for cut in segment.slices]

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


def together(*states: State) -> Iterable[tuple[State, ...]]:
    """What one element of an array can lead to from each of these, at once.

    Of very many indexes and slices, all that each could select for itself: more than can be.
    """
    positions = [state.positions for state in states]
    indexes = {n for each, _ in positions for n in each}
    places = spots(indexes, [cut for _, each in positions for cut in each])
    if places is None:
        return product(*(state.chosen() for state in states))
    return dict.fromkeys(
        tuple([state.element(index, length) for state in states]) for index, length in places
    )


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
