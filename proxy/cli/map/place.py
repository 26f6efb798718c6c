"""Where everything stands: boxes and the ways between them are laid out by graphlay.

    zones of senders │ listeners │ routes, and what crosses │ zones of receivers

Each column is a layer of the engine, a zone one node of it, so that what is in one zone stands
together; the engine orders the layers so that few ways cross, and leads the ways at right angles
around the boxes. It is asked twice: by the first answer the boxes inside a zone are sorted, by the
second every way ends at its own box. The engine leaves nothing to chance: what is the same, is
drawn the same.

graphlay is imported when it is needed: of all commands this one alone needs it, and a gateway does
not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_OPTIONS: Final[dict[str, Any]] = {
    "direction": "leftright",
    "spacing": {"layer_gap": 64.0, "node_gap": 22.0, "port_gap": 10.0},
    "routing": {"style": "orthogonal", "port_sides": "facing_only"},
    "coords": {"branch_style": "symmetric"},
    # No balancing: of orders that cross alike, that of the configuration.
    "tuning": {"order": {"balance_rounds": 0}},
}


class MissingEngineError(Exception):
    """graphlay is not installed."""


Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """What is placed: its size and its column."""

    width: float
    height: float
    column: int


@dataclass(frozen=True, slots=True)
class Way:
    """From which box to which, `zone/member` for what stands in a zone; and how many pixels below
    the upper edge of each it leaves and enters, where that is not left to the engine."""

    start: str
    end: str
    leave: float | None = None
    enter: float | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Upper left corners by name, the corners of each way, and how often two ways cross."""

    corners: Mapping[str, Point]
    ways: Sequence[Sequence[Point]]
    crossings: int


def place(boxes: Mapping[str, Box], ways: Sequence[Way], *, mirrored: bool = False) -> Placed:
    """`mirrored`: what the engine puts above is below. Raises MissingEngineError."""
    turn = -1.0 if mirrored else 1.0
    try:
        import graphlay
    except ImportError:
        raise MissingEngineError from None
    graph = graphlay.Graph()
    # Of what is as good the engine takes what comes first by its name, as text.
    ids = {name: f"{at:06}" for at, name in enumerate(boxes)}
    for name, box in boxes.items():
        graph.node(ids[name], width=box.width, height=box.height, rank={"fixed": box.column})
    for way in ways:
        start, end = way.start.partition("/")[0], way.end.partition("/")[0]
        graph.edge(
            ids[start],
            ids[end],
            source_port=_port("right", way.leave, boxes[start], turn),
            target_port=_port("left", way.enter, boxes[end], turn),
        )
    drawn = graphlay.layout(graph, options=_OPTIONS)
    corners: dict[str, Point] = {}
    for (name, box), node in zip(boxes.items(), drawn.nodes, strict=True):
        centre = node["center"]
        corners[name] = (centre["x"] - box.width / 2, turn * centre["y"] - box.height / 2)
    found = [[(at["x"], turn * at["y"]) for at in each["points"]] for each in drawn.edges]
    return Placed(corners, found, drawn.metrics()["crossings"])


def _port(side: str, down: float | None, box: Box, turn: float) -> dict[str, Any]:
    if down is None:
        return {"side": side}
    return {"offset": {"side": side, "t": turn * (2 * down / box.height - 1)}}


def heights(placed: Placed, ways: Sequence[Way], zone: str) -> dict[str, float]:
    """Members of a zone -> the mean height of what they are connected with: to sort them by."""
    found: dict[str, list[float]] = {}
    for way, points in zip(ways, placed.ways, strict=True):
        for mine, other in ((way.start, points[-1]), (way.end, points[0])):
            box, _, member = mine.partition("/")
            if box == zone:
                found.setdefault(member, []).append(other[1])
    return {member: sum(all_of) / len(all_of) for member, all_of in found.items()}
