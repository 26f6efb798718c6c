"""What stands in the boxes of a map: cards, made from the top down, as wide as they are told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from proxy.cli.map import ink
from proxy.cli.map.shapes import Door, Facts, Flow, Process, Receiver, Way, Zone
from proxy.cli.map.text import wrap
from proxy.cli.wording import count

PAD: Final = 12.0
ZONE: Final = 292.0
DOOR: Final = 206.0
ROUTE: Final = 372.0
_MASKS: Final = 9
FLOW: Final = 250.0
WALL: Final = 26.0
"""Between what stands in the gateway and its frame."""


@dataclass(slots=True)
class Card:
    """What has been drawn so far; `height` is where the next line begins."""

    width: float
    height: float = PAD
    parts: list[str] = field(default_factory=list)

    def line(self, text: str, kind: str, colour: str, *, lines: int = 1, inset: float = 0) -> None:
        """Text in so many lines at most; the whole of it where it is pointed at."""
        room, size = self.width - 2 * PAD - inset, ink.SIZES[kind]
        bold = kind in ("head", "name", "mark")
        cut = wrap(text, room, size, mono=kind == "code", bold=bold, lines=lines)
        drawn = ""
        for each in cut:
            drawn += ink.words(PAD + inset, self.height + size, each, kind, colour)
            self.height += size + 4.5
        short = bool(cut) and cut[-1].endswith("…")
        self.parts.append(ink.titled(text, drawn) if short else drawn)

    def several(
        self, texts: Sequence[str], colour: str, *, most: int, lines: int = 2, inset: float = 0
    ) -> None:
        """The first of them, and how many more there are."""
        shown = texts if len(texts) <= most else texts[: most - 1]
        for each in shown:
            self.line(each, "code", colour, lines=lines, inset=inset)
        if len(shown) < len(texts):
            rest = texts[len(shown) :]
            more = ink.words(
                PAD + inset, self.height + 11.5, f"and {len(rest)} more", "word", "soft"
            )
            self.parts.append(ink.titled("\n".join(rest), more))
            self.height += 16

    def pair(self, left: str, right: str) -> None:
        """A place, and at the right edge what becomes of it."""
        room = self.width - 2 * PAD - 20
        (end,) = wrap(right, room / 2, 11.5, lines=1)
        start = wrap(left, room - ink.measure(end, "word"), 11.5, mono=True, lines=2)
        edge = ink.words(self.width - PAD, self.height + 11.5, end, "word", "soft", anchor="end")
        drawn = edge
        for each in start:
            drawn += ink.words(PAD + 10, self.height + 11.5, each, "code", "ink")
            self.height += 16
        self.parts.append(ink.titled(f"{left}: {right}", drawn))

    def pill(self, text: str, colour: str, beside: str = "", before: str = "") -> None:
        """A label, with a few words before and after it."""
        x = PAD
        if before:
            self.parts.append(ink.words(x, self.height + 12.5, before, "word", "soft"))
            x += ink.measure(before, "word") + 6
        drawn, wide = ink.pill(x, self.height, text, colour)
        self.parts.append(drawn)
        if beside:
            room = self.width - PAD - x - wide - 8
            cut = wrap(beside, room, 11.5, lines=1)
            self.parts.append(ink.words(x + wide + 8, self.height + 12.5, cut[0], "word", "soft"))
        self.height += 22

    def rule(self) -> None:
        y = ink.number(self.height + 3)
        right = ink.number(self.width - PAD)
        self.parts.append(
            f'<path class="none edge" d="M{ink.number(PAD)} {y}H{right}" stroke-width="1"/>'
        )
        self.height += 9

    def drawn(self, *, frame: str = "card edge", line: float = 1) -> str:
        """The whole, on its own ground."""
        ground = ink.box(0, 0, (self.width, self.height + PAD - 4), frame, line=line)
        return ground + "".join(self.parts)

    @property
    def full(self) -> float:
        """How high it is, with its lower edge."""
        return self.height + PAD - 4


def door(each: Door) -> Card:
    card = Card(DOOR)
    card.line(each.name, "name", "ink", lines=2)
    card.line(each.bind, "code", "ink", lines=2)
    card.line("HTTP" if each.protocol == "http" else "tunnels over TCP", "word", "soft")
    crypt(card, each.crypt.text, plain=each.crypt.plain)
    for detail in each.crypt.details:
        card.line(detail, "word", "soft", lines=2)
    return card


def crypt(card: Card, text: str, *, plain: bool) -> None:
    card.line(text, "mark", "warn" if plain else "ink", lines=2)


def senders(each: Door) -> Card:
    card = Card(ZONE - 2 * PAD)
    card.line(f"Senders to {each.name}", "name", "ink", lines=2)
    if each.senders:
        card.several(each.senders, "ink", most=6, lines=3)
    else:
        card.line("no route behind it admits anybody", "word", "soft", lines=2)
    return card


def receiver(each: Receiver) -> Card:
    card = Card(ZONE - 2 * PAD)
    card.line(each.name, "name", "ink", lines=2)
    card.several(each.endpoints, "ink", most=4)
    crypt(card, each.crypt.text, plain=each.crypt.plain)
    for detail in each.crypt.details:
        card.line(detail, "word", "warn" if detail == "not pinned" else "soft", lines=2)
    return card


def zone(each: Zone, facts: Facts, members: Sequence[Card], role: str) -> tuple[Card, list[float]]:
    """A zone with what stands in it; and how far down the middle of each member is."""
    card, middles = Card(ZONE), list[float]()
    card.line(f"Zone {each.name}", "name", "ink", lines=2)
    at = facts.sensitivity.index(each.clearance)
    card.pill(each.clearance, f"l{at}", role, "cleared for")
    if each.rules:
        card.line(each.rules, "word", "soft", lines=3)
    card.height += 2
    for member in members:
        card.parts.append(ink.moved((PAD, card.height), member.drawn()))
        middles.append(card.height + member.full / 2)
        card.height += member.full + 10
    card.height -= 6
    return card, middles


# --- routes --------------------------------------------------------------------------------------


def route(way: Way, facts: Facts, *, whole: bool) -> Card:
    """`whole`: with every mask, for maps of a few routes; else in a few lines."""
    card = Card(ROUTE)
    card.line(f"{way.number}  {way.name}", "name", "ink", lines=2 if whole else 1)
    card.line(way.match, "code", "ink", lines=3 if whole else 1)
    most = 4 if whole else 2
    if way.allow:
        card.line("admits", "word", "soft")
        card.several(way.allow, "ink", most=most, lines=3 if whole else 1, inset=10)
    else:
        card.line("admits nobody", "word", "warn")
    if way.deny:
        card.line("but never", "word", "soft")
        card.several(way.deny, "warn", most=most, lines=2 if whole else 1, inset=10)
    for each in way.stops if whole else filter(None, [" · ".join(way.stops)]):
        card.line(each, "word", "soft", lines=2 if whole else 1)
    if way.shadow:
        card.line("in shadow, deciding nothing", "word", "soft")
        card.several(way.shadow, "soft", most=most, lines=2 if whole else 1, inset=10)
    if whole:
        for name, flow in (("→ request", way.request), ("← answer", way.response)):
            card.rule()
            _flow(card, name, flow, facts)
    return card


def _flow(card: Card, name: str, flow: Flow, facts: Facts) -> None:
    if not flow.content:
        card.line(f"{name}: no content", "word", "soft")
        return
    card.pill(flow.shown, f"l{rank(flow, facts)}", contents(flow), name)
    if flow.above:
        card.line("above the clearance of where it goes: refused", "word", "warn")
    if flow.by:
        card.line(flow.by, "word", "soft")
    if "opaque" in flow.content:
        card.line("opaque: bytes are forwarded unseen", "word", "warn")
    for what, where in flow.masks[:_MASKS]:
        card.pair(where, what)
    if len(flow.masks) > _MASKS:
        card.line(f"and {len(flow.masks) - _MASKS} more", "word", "soft", inset=10)
    if flow.searches:
        card.line("searched for: " + _searches(flow), "word", "soft", lines=4)
    if flow.rules:
        card.line(flow.rules, "word", "soft", lines=2)


def contents(flow: Flow) -> str:
    return ", ".join(flow.content) or "no content"


def _searches(flow: Flow) -> str:
    """`credit_card, private_key (reject), us_ssn (redact)`."""
    actions = dict.fromkeys(action for action, _ in flow.searches)
    return ", ".join(
        ", ".join(what for each, what in flow.searches if each == action) + f" ({action})"
        for action in actions
    )


def rank(flow: Flow, facts: Facts) -> str:
    """The end of a class of colour: the place of a label on the scale; for no content none."""
    return str(facts.sensitivity.index(flow.label)) if flow.content else "n"


def route_and_labels(way: Way, facts: Facts, *, whole: bool) -> Card:
    """A route, and right of it, on the way out of the gateway, the labels of request and answer."""
    inner = route(way, facts, whole=whole)
    card = Card(ROUTE + 2 * WALL + FLOW, height=inner.height)
    card.parts.append(inner.drawn())
    middle, x = inner.full / 2, ROUTE + 2 * WALL
    for arrow, flow, down in (("→", way.request, -22.0), ("←", way.response, 5.0)):
        text = f"{arrow} {flow.shown if flow.content else 'no content'}"
        (text,) = wrap(text, FLOW - 100, ink.SIZES["mark"], bold=True, lines=1)
        drawn, wide = ink.pill(x, middle + down, text, f"l{rank(flow, facts)}")
        beside = "above clearance: refused" if flow.above else _counts(flow)
        colour = "warn" if flow.above else "soft"
        said = ink.words(x + wide + 7, middle + down + 12.5, beside, "word", colour)
        card.parts += [drawn, said]
    return card


def _counts(flow: Flow) -> str:
    masks = [count(len(flow.masks), "mask")] if flow.masks else []
    searches = [count(len(flow.searches), "search", "searches")] if flow.searches else []
    return ", ".join([*masks, *searches])


# --- custody -------------------------------------------------------------------------------------

HELD: Final[Mapping[bool | None, str]] = {
    True: "holds the secrets",
    None: "holds keys; those of kind oct are secret",
    False: "opens",
}
"""By whether it is a secret."""


def process(each: Process, wide: float) -> Card:
    card = Card(wide)
    card.line(each.name, "name", "ink")
    for duty in each.duties:
        if duty:
            card.line(duty, "word", "soft", lines=5)
    for secret, heading in HELD.items():
        held = [one for one in each.held if one.secret is secret]
        if held:
            card.rule()
            card.line(heading, "mark", "warn" if secret else "soft", lines=2)
        for one in held:
            card.line(one.what, "word", "ink", lines=2)
            card.line(one.reference, "code", "soft", lines=3, inset=10)
    return card
