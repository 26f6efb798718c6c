"""The colours and shapes of a drawing: SVG that says what it needs itself.

No script, no font, no image, nothing from elsewhere; every text is escaped here and nowhere else.
Colours are literal in a style sheet, because not every program that shows SVG knows variables.
"""

import colorsys
from collections.abc import Sequence
from html import escape
from typing import Final, Literal

from proxy.cli.map.text import clean, width

Theme = Literal["auto", "light", "dark"]
Point = tuple[float, float]

_SANS: Final = "Inter,'Segoe UI','Helvetica Neue',Arial,'DejaVu Sans',sans-serif"
_MONO: Final = "'SF Mono',Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
_FONTS: Final = {
    "head": f"font:700 21px {_SANS}",
    "name": f"font:700 14px {_SANS}",
    "word": f"font:400 11.5px {_SANS}",
    "mark": f"font:700 10.5px {_SANS}",
    "code": f"font:400 11.5px {_MONO}",
}
SIZES: Final = {"head": 21.0, "name": 14.0, "word": 11.5, "mark": 10.5, "code": 11.5}
_COLOURS: Final[dict[str, tuple[str, str, str]]] = {
    # what: (property, on light, on dark)
    "page": ("fill", "#ffffff", "#12161c"),
    "ink": ("fill", "#18212f", "#e8edf4"),
    "soft": ("fill", "#5a6679", "#9aa7ba"),
    "warn": ("fill", "#a84300", "#ffa35c"),
    "white": ("fill", "#ffffff", "#ffffff"),
    "card": ("fill", "#ffffff", "#1d2430"),
    "zone": ("fill", "#f2f5f9", "#181e28"),
    "gate": ("fill", "#fbf8f0", "#1a1a1c"),
    "edge": ("stroke", "#c3ccd8", "#3a465a"),
    "wall": ("stroke", "#18212f", "#d5dce6"),
    "wire": ("stroke", "#7a8798", "#8492a6"),
    "core": ("stroke", "#ffffff", "#12161c"),
    "open": ("stroke", "#c85a00", "#ff9a4d"),
    "tip": ("fill", "#7a8798", "#8492a6"),
    "opentip": ("fill", "#c85a00", "#ff9a4d"),
}


def style(scale: Sequence[str], theme: Theme) -> str:
    """The style sheet: fonts, colours, and those of the labels, cool to hot."""
    light, dark = _rules(scale, 1), _rules(scale, 2)
    fonts = "".join(f".{name}{{{font}}}" for name, font in _FONTS.items())
    shown = dark if theme == "dark" else light
    other = f"@media (prefers-color-scheme:dark){{{dark}}}" if theme == "auto" else ""
    return f"<style>{fonts}.none{{fill:none}}{shown}{other}</style>"


def _rules(scale: Sequence[str], column: int) -> str:
    rules = [f".{name}{{{row[0]}:{row[column]}}}" for name, row in _COLOURS.items()]
    rules.append(".ln{fill:#7a8798}.sn{stroke:#7a8798}.tn{fill:#7a8798}")  # no content, no label
    for number in range(len(scale)):
        pill = _label(number, len(scale), 0.42)
        line = pill if column == 1 else _label(number, len(scale), 0.66)
        rules.append(
            f".l{number}{{fill:{pill}}}.s{number}{{stroke:{line}}}.t{number}{{fill:{line}}}"
        )
    return "".join(rules)


def _label(number: int, count: int, lightness: float) -> str:
    """From blue-green for what is lowest, over violet, to red for what is highest."""
    hue = 0.52 + 0.46 * (number / (count - 1) if count > 1 else 0.0)
    parts = colorsys.hls_to_rgb(hue, lightness, 0.62)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


# --- shapes --------------------------------------------------------------------------------------


def number(value: float) -> str:
    """At most one digit after the point, and no `-0`."""
    return f"{round(value, 1) + 0.0:g}"


def words(x: float, y: float, text: str, kind: str, colour: str, *, anchor: str = "start") -> str:
    """Text on a base line. `kind` is a font, `colour` a class."""
    at = "" if anchor == "start" else f' text-anchor="{anchor}"'
    place = f'x="{number(x)}" y="{number(y)}"'
    return f'<text class="{kind} {colour}" {place}{at}>{escape(clean(text))}</text>'


def measure(text: str, kind: str) -> float:
    """Pixels that it takes at most."""
    return width(text, SIZES[kind], mono=kind == "code", bold=kind in ("head", "name", "mark"))


def box(
    x: float, y: float, size: Point, classes: str, *, radius: float = 8, line: float = 1
) -> str:
    place = f'x="{number(x)}" y="{number(y)}" width="{number(size[0])}" height="{number(size[1])}"'
    return f'<rect class="{classes}" {place} rx="{number(radius)}" stroke-width="{number(line)}"/>'


def pill(x: float, y: float, text: str, colour: str) -> tuple[str, float]:
    """White on a colour, 17 pixels high; and how wide it is."""
    wide = measure(text, "mark") + 14
    shape = box(x, y, (wide, 17), colour, radius=8.5, line=0)
    return shape + words(x + wide / 2, y + 12.3, text, "mark", "white", anchor="middle"), wide


def titled(title: str, inner: str) -> str:
    """A group that says more when it is pointed at, and to who reads it aloud."""
    return f"<g><title>{escape(clean(title))}</title>{inner}</g>"


def moved(at: Point, inner: str) -> str:
    return f'<g transform="translate({number(at[0])} {number(at[1])})">{inner}</g>'


def curve(points: Sequence[Point], radius: float = 9) -> str:
    """The path along these corners, each of them rounded."""
    found = [f"M{number(points[0][0])} {number(points[0][1])}"]
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        start, end = _toward(at, before, radius), _toward(at, after, radius)
        found.append(f"L{number(start[0])} {number(start[1])}")
        found.append(f"Q{number(at[0])} {number(at[1])} {number(end[0])} {number(end[1])}")
    return " ".join([*found, f"L{number(points[-1][0])} {number(points[-1][1])}"])


def _toward(start: Point, end: Point, far: float) -> Point:
    """So far from `start`, at most half of the way to `end`."""
    across, down = end[0] - start[0], end[1] - start[1]
    length = (across**2 + down**2) ** 0.5 or 1.0
    part = min(far, length / 2) / length
    return start[0] + across * part, start[1] + down * part


def wire(points: Sequence[Point], stroke: str, fill: str, *, kind: str) -> str:
    """A way and its tip. `kind`: `pipe` is encrypted, `open` is not, `inner` is in a process."""
    x, y = points[-1]
    path = curve([*points[:-1], (x - 6, y)])
    tip = f'<path class="{fill}" d="M{number(x)} {number(y)}l-9 -5v10z"/>'
    if kind == "pipe":
        outer = f'<path class="none {stroke}" d="{path}" stroke-width="4.5"/>'
        return f'{outer}<path class="none core" d="{path}" stroke-width="1.6"/>{tip}'
    dashes = ' stroke-dasharray="6 4"' if kind == "open" else ""
    thick = "2.2" if kind == "open" else "1.5"
    return f'<path class="none {stroke}" d="{path}" stroke-width="{thick}"{dashes}/>{tip}'
