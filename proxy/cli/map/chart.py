"""The map as Mermaid, for pages and code hosts that draw it: who, where, which labels and keys.

Names of nodes are numbered by us. Of texts only letters, digits and a few signs stand as they are,
all others as Mermaid's own character codes (`#35;`), so that none is read as syntax or as HTML.
"""

import re
from collections.abc import Iterator
from typing import Final

from proxy.cli.map.shapes import Crypt, Facts, Flow
from proxy.cli.map.text import clean
from proxy.cli.wording import count

_LONGEST: Final = 72
_PLAIN: Final = re.compile(r"[^A-Za-z0-9 .,_/:-]")


def chart(facts: Facts) -> str:
    """A flowchart from left to right."""
    return "\n".join(["flowchart LR", *_body(facts)]) + "\n"


def _body(facts: Facts) -> Iterator[str]:
    zones = {name: f"z{number}" for number, name in enumerate(facts.zones)}
    doors = {each.name: f"d{number}" for number, each in enumerate(facts.doors)}
    receivers = {each.name: f"u{number}" for number, each in enumerate(facts.receivers)}
    for name, zone in facts.zones.items():
        senders = [(f"s{number}", f"senders to {each.name}")
                   for number, each in enumerate(facts.doors) if each.zone == name]  # fmt: skip
        there = [(receivers[each.name], each.name, each.endpoints[0])
                 for each in facts.receivers if each.zone == name]  # fmt: skip
        for side, members in (("s", senders), ("r", there)):
            if members:
                heading = f"zone {name}, cleared for {zone.clearance}"
                yield f"  subgraph {zones[name]}{side}[{_text(heading)}]"
                yield from (f"    {node}[{_text(*lines)}]" for node, *lines in members)
                yield "  end"
    yield f"  subgraph gateway[{_text(f'gateway {facts.name}: TLS ends here')}]"
    for door in facts.doors:
        yield f"    {doors[door.name]}([{_text(door.name, door.bind)}])"
    for way in facts.ways:
        yield f"    r{way.number}[{_text(f'{way.number} {way.name}', way.match)}]"
    for number, process in enumerate(facts.processes):
        held = (
            f"{each.what}: {each.reference}" for each in process.held if each.secret is not False
        )
        yield f"    p{number}[({_text(process.name, *held)})]"
    yield "  end"
    for number, door in enumerate(facts.doors):
        yield f"  s{number} {_arrow(door.crypt)}|{_text(door.crypt.text)}| {doors[door.name]}"
    crypts = {each.name: each.crypt for each in facts.receivers}
    for way in facts.ways:
        yield f"  {doors[way.listener]} --> r{way.number}"
        said = _text(f"request: {_flow(way.request)}", f"answer: {_flow(way.response)}")
        arrow = _arrow(crypts[way.upstream])
        yield f"  r{way.number} {arrow}|{said}| {receivers[way.upstream]}"


def _arrow(crypt: Crypt) -> str:
    """Thick where it is encrypted, dotted where it is not."""
    return "-.->" if crypt.plain else "==>"


def _flow(flow: Flow) -> str:
    if not flow.content:
        return "no content"
    masks = f", {count(len(flow.masks), 'mask')}" if flow.masks else ""
    searches = f", {count(len(flow.searches), 'search', 'searches')}" if flow.searches else ""
    above = ", above clearance, refused" if flow.above else ""
    return f"{flow.shown}{masks}{searches}{above}"


def _text(*lines: str) -> str:
    """In quotes, each line cut to what fits a box."""
    whole = map(clean, lines)
    cut = [each if len(each) <= _LONGEST else each[: _LONGEST - 1] + "…" for each in whole]
    coded = (_PLAIN.sub(lambda found: f"#{ord(found[0])};", each) for each in cut)
    return '"' + "<br>".join(coded) + '"'
