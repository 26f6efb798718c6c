"""The sheet of a map: what has its place is drawn, with the gateway around it and a head above."""

from collections.abc import Mapping, Sequence
from typing import Final

from proxy.cli.map import cards, ink
from proxy.cli.map.cards import Card
from proxy.cli.map.place import Placed, Point, Way
from proxy.cli.map.shapes import Facts
from proxy.cli.wording import count

_EDGE: Final = 28.0
_HEAD: Final = 104.0
_GAP: Final = 14.0
_STEP: Final = 5.0


class Sheet:
    """Everything in its place, moved so that all of it is on the sheet."""

    def __init__(
        self,
        facts: Facts,
        boxes: Mapping[str, tuple[int, Card]],
        ways: Sequence[Way],
        placed: Placed,
    ) -> None:
        self.facts, self.boxes, self.ways, self.placed = facts, boxes, ways, placed
        self.parts: list[str] = []
        corners = [(*at, boxes[name][1]) for name, at in placed.corners.items()]
        points = [point for way in placed.ways for point in way]
        self.left = min(x for x, _, _ in corners)
        self.top = min([y for _, y, _ in corners] + [y for _, y in points])
        right = max(x + card.width for x, _, card in corners)
        self.bottom = max([y + card.full for _, y, card in corners] + [y for _, y in points])
        self.width = max(right - self.left + 2 * _EDGE, 1180.0)
        self.move = (_EDGE - self.left, _HEAD + _EDGE + 46 - self.top)
        self.wall = self._wall()
        self.bottom += self.move[1]

    def at(self, point: Point) -> Point:
        return point[0] + self.move[0], point[1] + self.move[1]

    def drawn(self, theme: ink.Theme) -> str:
        facts = self.facts
        end = self._gateway()
        self._wires()
        for name, (column, card) in self.boxes.items():
            frame = "zone edge" if column in (0, 3) else "card edge" if column == 1 else "none"
            self.parts.append(
                ink.moved(self.at(self.placed.corners[name]), card.drawn(frame=frame))
            )
        self._head()
        height = end + _EDGE
        size = f"{ink.number(self.width)} {ink.number(height)}"
        width, tall = size.split()
        title = f"Data-flow map of {facts.name}"
        ground = ink.box(0, 0, (self.width, height), "page", radius=0, line=0)
        inner = ink.style(facts.sensitivity, theme) + ground + "".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{width}" '
            f'height="{tall}" role="img">{ink.titled(title, inner)}</svg>\n'
        )

    def _wall(self) -> float:
        """Where the gateway ends: between the routes and what is said of what leaves it."""
        inner = [(name, card.width) for name, (column, card) in self.boxes.items() if column == 1]
        inner += [(name, cards.ROUTE) for name, (column, _) in self.boxes.items() if column == 2]
        edges = [self.at(self.placed.corners[name])[0] + width for name, width in inner]
        return max(edges) + cards.WALL

    # --- the gateway -----------------------------------------------------------------------------

    def _gateway(self) -> float:
        """Its frame, in which the listeners stand as doors, with the processes below the routes;
        where it ends."""
        names = [name for name, (column, _) in self.boxes.items() if column == 1]
        left = min(self.at(self.placed.corners[name])[0] for name in names) + cards.WALL
        right = self.wall
        top = _HEAD + _EDGE - 8
        custody, y = self._processes(
            left + cards.WALL, right - left - 2 * cards.WALL, self.bottom + 44
        )
        wall = ink.box(left, top, (right - left, y - top + 18), "gate wall", radius=12, line=2.5)
        said = "TLS ends at this frame; inside, content is in the clear"
        self.parts += [
            wall,
            ink.words(left + cards.WALL, top + 25, f"Gateway {self.facts.name}", "name", "ink"),
            ink.words(left + cards.WALL, top + 41, said, "word", "soft"),
            *custody,
        ]
        return y + 18

    def _processes(self, left: float, room: float, top: float) -> tuple[list[str], float]:
        """Those with keys side by side, the one that hands them out below; and where it ends."""
        *holders, last = self.facts.processes
        wide = (room - _GAP * (len(holders) - 1)) / len(holders)
        made = [cards.process(each, wide) for each in holders]
        parts = [ink.words(left, top - 12, "Who holds which key", "name", "ink")]
        parts += [ink.moved((left + number * (wide + _GAP), top), card.drawn())
                  for number, card in enumerate(made)]  # fmt: skip
        below, under = cards.process(last, room), top + max(card.full for card in made) + _GAP
        return [*parts, ink.moved((left, under), below.drawn())], under + below.full

    # --- ways ------------------------------------------------------------------------------------

    def _wires(self) -> None:
        facts = self.facts
        doors = {f"in {each.name}": each.crypt.plain for each in facts.doors}
        plain = {each.name: each.crypt.plain for each in facts.receivers}
        labels = {f"route {each.name}": each.request for each in facts.ways}
        for way, points in zip(self.ways, self.placed.ways, strict=True):
            moved = _straight([self.at(point) for point in points])
            if way.end in doors:
                open_ = doors[way.end]
                names = ("open", "opentip", "open") if open_ else ("wire", "tip", "pipe")
            elif way.start in labels:
                moved = self._outward(moved)
                number = cards.rank(labels[way.start], facts)
                kind = "open" if plain[way.end.partition("/")[2]] else "pipe"
                names = (f"s{number}", f"t{number}", kind)
            else:
                names = ("wire", "tip", "inner")
            stroke, tip, kind = names
            self.parts.append(ink.wire(moved, stroke, tip, kind=kind))

    def _outward(self, points: Sequence[Point]) -> list[Point]:
        """From the wall on; what leads there from the route is drawn."""
        x, y = points[0]
        edge = (x - cards.FLOW - 2 * cards.WALL, y)
        self.parts.append(
            f'<path class="none wire" d="M{ink.number(edge[0])} {ink.number(y)}'
            f'H{ink.number(self.wall)}" stroke-width="1.5"/>'
        )
        return [(self.wall, y), *points[1:]]

    # --- the head --------------------------------------------------------------------------------

    def _head(self) -> None:
        facts = self.facts
        self.parts.append(ink.words(_EDGE, 46, f"{facts.name}: data-flow map", "head", "ink"))
        said = ", ".join(
            (count(len(facts.doors), "listener"), count(len(facts.ways), "route"),
             count(len(facts.receivers), "upstream"), f"configuration sha256 {facts.sha256[:16]}…")
        )  # fmt: skip
        self.parts.append(ink.words(_EDGE, 68, said, "word", "soft"))
        x = _EDGE
        self.parts.append(ink.words(x, 94, "Labels, lowest first", "word", "soft"))
        x += ink.measure("Labels, lowest first", "word") + 10
        for number, label in enumerate(facts.sensitivity):
            drawn, wide = ink.pill(x, 81, label, f"l{number}")
            self.parts.append(drawn)
            x += wide + 8
        x += 24
        for kind, stroke, tip, meaning in (
            ("pipe", "wire", "tip", "encrypted"),
            ("open", "open", "opentip", "not encrypted, never leaves this machine"),
            ("inner", "wire", "tip", "inside the process"),
        ):
            self.parts.append(ink.wire([(x, 90), (x + 52, 90)], stroke, tip, kind=kind))
            self.parts.append(ink.words(x + 60, 94, meaning, "word", "soft"))
            x += 60 + ink.measure(meaning, "word") + 22
        self.width = max(self.width, x + _EDGE)


def _straight(points: Sequence[Point]) -> Sequence[Point]:
    """Without a step that is too small to be meant."""
    (x, y), (end, down) = points[0], points[-1]
    return [(x, y), (end, y)] if abs(y - down) < _STEP else points
