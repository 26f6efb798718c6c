"""An automaton of paths (see paths) as flat arrays, for a scanner that knows numbers only.

state      number; 0 is the one below which nothing can match
accept     state -> the rule that matches the node itself, -1 for none
other      state -> the state of members that no rule names, and of elements
spelt      state -> 1 where some names matter
first      state * 32 + length of a key % 32 -> the first name to compare with, -1 for none
next       name -> the next one to compare with, -1 for none
starts, lengths, leads   name -> where it stands in `names`, how long it is, the state behind it
"""

from array import array
from collections.abc import Iterator

from proxy.content.paths import Automaton, State


class Tables:
    """The tables of one automaton without positions or folded names. No state of a body."""

    def __init__(self, automaton: Automaton) -> None:
        """Raises ValueError for an automaton with indexes, slices or folded names (see `fits`)."""
        states = list(_states(automaton.root))
        if not fits(automaton):
            raise ValueError("indexes, slices and folded names have no tables")
        self._numbers = {state: number for number, state in enumerate(states, 1)}
        self._children: list[dict[bytes, int]] = [{}]
        self.root = self._number(automaton.root)
        self.accept, self.other, self.spelt = array("i", [-1]), array("i", [0]), array("i", [0])
        self.first, self.next = array("i", [-1] * 32), array("i")
        self.starts, self.lengths, self.leads = array("i"), array("i"), array("i")
        self.names = b""
        for state in states:
            self._add(state)
        for each in (self.next, self.starts, self.lengths, self.leads):
            each.append(-1)  # a view of nothing cannot be had

    def child(self, state: int, key: bytes) -> int:
        """The state of the member with this key, decoded."""
        return self._children[state].get(key, self.other[state])

    def _number(self, state: State) -> int:
        return self._numbers[state] if state.live or state.accept >= 0 else 0

    def _add(self, state: State) -> None:
        children: dict[bytes, int] = {}
        if state.live:
            children = {name: self._number(to) for name, to in state.names.items()}
        self._children.append(children)
        self.accept.append(state.accept)
        self.other.append(self._number(state.other) if state.live else 0)
        self.spelt.append(bool(children))
        first = [-1] * 32
        for name, lead in children.items():
            self.next.append(first[len(name) & 31])
            first[len(name) & 31] = len(self.starts)
            self.starts.append(len(self.names))
            self.lengths.append(len(name))
            self.leads.append(lead)
            self.names += name
        self.first.extend(first)


def fits(automaton: Automaton) -> bool:
    """Whether tables can be made of it."""
    return not automaton.fold and not any(state.positional for state in _states(automaton.root))


def _states(root: State) -> Iterator[State]:
    """Every state that can be reached, each once."""
    seen, waiting = {root}, [root]
    while waiting:
        state = waiting.pop()
        yield state
        for child in state.below() if state.live else ():
            if child not in seen:
                seen.add(child)
                waiting.append(child)
