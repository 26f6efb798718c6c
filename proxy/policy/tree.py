"""Path patterns of many routes as one tree, walked once by the segments of a path.

    /orders/*      root ─ orders ─ (*)        one node for each segment of a pattern, shared by all
    /orders/**     root ─ orders ─ (**)       that begin alike; where a pattern ends, its number

A walk keeps every node that a pattern may be at; `**` is a node that stays, whatever segment comes,
and is entered without any. So a path costs what may match it, not what is configured.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from proxy.policy.paths import ANY, ONE

_Methods = frozenset[str] | None


@dataclass(slots=True, eq=False)
class _Node:
    stays: bool = False
    literal: "dict[bytes, _Node]" = field(default_factory=dict)
    one: "_Node | None" = None
    any: "_Node | None" = None
    ends: list[tuple[int, _Methods]] = field(default_factory=list)


class Tree:
    """Patterns in order, each with the methods that it takes; None is every method."""

    def __init__(self, patterns: Iterable[tuple[tuple[bytes, ...], _Methods]]) -> None:
        self._root = _Node()
        for number, (segments, methods) in enumerate(patterns):
            node = self._root
            for segment in segments:
                node = _child(node, segment)
            node.ends.append((number, methods))

    def first(self, method: str, segments: tuple[bytes, ...]) -> int | None:
        """The number of the first pattern that takes both; None where none does."""
        here = _with_empty([self._root])
        for segment in segments:
            here = _step(here, segment)
        return min(
            (
                number
                for node in here
                for number, methods in node.ends
                if methods is None or method in methods
            ),
            default=None,
        )


def _child(node: _Node, segment: bytes) -> _Node:
    if segment == ANY:
        if node.any is None:
            node.any = _Node(stays=True)
        return node.any
    if segment == ONE:
        if node.one is None:
            node.one = _Node()
        return node.one
    return node.literal.setdefault(segment, _Node())


def _step(here: list[_Node], segment: bytes) -> list[_Node]:
    then = []
    for node in here:
        if node.stays:
            then.append(node)
        if (child := node.literal.get(segment)) is not None:
            then.append(child)
        if node.one is not None and segment:
            then.append(node.one)
    return _with_empty(then)


def _with_empty(nodes: list[_Node]) -> list[_Node]:
    """And those which `**` leads to without a segment. No node stands twice, or a path of many
    segments would cost more with every `**`."""
    for node in nodes:  # grows while it is walked
        if node.any is not None and node.any not in nodes:
            nodes.append(node.any)
    return nodes
