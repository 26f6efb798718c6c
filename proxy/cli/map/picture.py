"""The map as one SVG: zones at the sides, the gateway between them, and what it holds below.

    head       the name, the scale of labels, what the lines mean
    middle     senders ═ listeners ─ routes ─ what crosses ═ receivers
    foot       the processes, and which reference each of them holds

A zone that sends and receives stands on both sides. The frame of the gateway is where TLS ends.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from proxy.cli.map import cards, ink
from proxy.cli.map.cards import Card
from proxy.cli.map.place import Box, Placed, Way, heights, place
from proxy.cli.map.shapes import Facts
from proxy.cli.map.sheet import Sheet

FEW: Final = 8
"""Up to so many routes, each shows all that is done on it."""
_MANY: Final = 100
"""Of more, the order is left as it comes: the engine takes seconds for them."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The zones of one side, by name, with those who stand in each."""

    column: int
    role: str
    members: Mapping[str, Mapping[str, Card]]


def draw(facts: Facts, theme: ink.Theme) -> str:
    """SVG that can stand in a page, too. Raises MissingEngineError."""
    return laid_out(facts).drawn(theme)


def laid_out(facts: Facts) -> Sheet:
    """Everything in its place. Raises MissingEngineError."""
    turns = (False, True) if len(facts.ways) <= _MANY else (False,)
    return min((_twice(facts, mirrored=each) for each in turns), key=_disorder)


def _twice(facts: Facts, *, mirrored: bool) -> Sheet:
    first = _once(facts, None, mirrored=mirrored)
    return _once(facts, first.placed, mirrored=mirrored)


def _once(facts: Facts, before: Placed | None, *, mirrored: bool) -> Sheet:
    """`before`: where all stood the first time, which sorts what stands in zones."""
    singles, ways = _singles(facts), list(_ways(facts))
    zones, middles = _zones(facts, ways, before)
    middles |= {name: card.full / 2 for name, (column, card) in singles.items() if column == 2}
    if before is not None:
        ways = _entering(ways, before, middles)
    cards_of = {**zones, **singles}
    boxes = {name: Box(card.width, card.full, at) for name, (at, card) in cards_of.items()}
    return Sheet(facts, cards_of, ways, place(boxes, ways, mirrored=mirrored))


def _disorder(sheet: Sheet) -> tuple[int, int]:
    """How many ways cross; and how many pairs of routes stand the later above the earlier: of what
    reads as well, that is taken which keeps to the configuration."""
    down = [sheet.placed.corners[f"route {each.name}"][1] for each in sheet.facts.ways]
    pairs = combinations(down, 2)
    return sheet.placed.crossings, sum(earlier > later for earlier, later in pairs)


def _singles(facts: Facts) -> dict[str, tuple[int, Card]]:
    whole = len(facts.ways) <= FEW
    found: dict[str, tuple[int, Card]] = {}
    for door in facts.doors:
        found[f"in {door.name}"] = 1, cards.door(door)
    for way in facts.ways:
        found[f"route {way.name}"] = 2, cards.route_and_labels(way, facts, whole=whole)
    return found


def _ways(facts: Facts) -> Iterator[Way]:
    zones = {each.name: each.zone for each in facts.receivers}
    for door in facts.doors:
        yield Way(f"from {door.zone}/{door.name}", f"in {door.name}")
    for way in facts.ways:
        yield Way(f"in {way.listener}", f"route {way.name}")
        yield Way(f"route {way.name}", f"to {zones[way.upstream]}/{way.upstream}")


def _sides(facts: Facts) -> tuple[_Side, _Side]:
    senders: dict[str, dict[str, Card]] = {}
    receivers: dict[str, dict[str, Card]] = {}
    for door in facts.doors:
        senders.setdefault(door.zone, {})[door.name] = cards.senders(door)
    for each in facts.receivers:
        receivers.setdefault(each.zone, {})[each.name] = cards.receiver(each)
    return _Side(0, "from", senders), _Side(3, "to", receivers)


def _zones(
    facts: Facts, ways: Sequence[Way], placed: Placed | None
) -> tuple[dict[str, tuple[int, Card]], dict[str, float]]:
    """Cards of the zones, their members in the order of those whom they are connected with; and how
    far below the upper edge of its zone the middle of each member is."""
    found: dict[str, tuple[int, Card]] = {}
    middles: dict[str, float] = {}
    sides = _sides(facts)
    for side in sides:
        for zone, members in side.members.items():
            name = f"{side.role} {zone}"
            order = _sorted(members, heights(placed, ways, name) if placed else {})
            both = all(zone in each.members for each in sides)
            role = ("as sender" if side.role == "from" else "as receiver") if both else ""
            shown = [members[each] for each in order]
            card, down = cards.zone(facts.zones[zone], facts, shown, role)
            found[name] = side.column, card
            middles |= {f"{name}/{each}": at for each, at in zip(order, down, strict=True)}
    return found, middles


def _sorted(members: Iterable[str], mean: Mapping[str, float]) -> list[str]:
    return sorted(members, key=lambda each: mean.get(each, 0.0))


def _entering(ways: Sequence[Way], placed: Placed, middles: Mapping[str, float]) -> list[Way]:
    """Ways that end at one member end one below the other, in the order of where they begin."""
    starts = {way: points[0][1] for way, points in zip(ways, placed.ways, strict=True)}
    found = []
    for way in ways:
        if way.start not in middles:
            found.append(way)
            continue
        beside = sorted((each for each in ways if each.end == way.end), key=starts.__getitem__)
        step = min(9.0, 56.0 / len(beside))
        aside = (beside.index(way) - (len(beside) - 1) / 2) * step
        enter = middles[way.end] + aside if way.end in middles else None
        found.append(replace(way, leave=middles[way.start], enter=enter))
    return found
