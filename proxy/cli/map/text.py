"""How wide text is, without the font that it will be shown in.

A map is drawn here and shown elsewhere, by fonts that nobody knows. Widths are about those of
DejaVu Sans, the widest of the fonts that are asked for, so that text stays in its box; those of
monospaced text are exact to a few per cent, because all such fonts are 0.6 em wide.
"""

import unicodedata
from typing import Final

_NARROW: Final = frozenset("iIjl.,:;'|!()[]{}ft/\\` -r")
_WIDE: Final = frozenset("mwMW@%&→←")
_BREAKS: Final = frozenset("/.,:;-_|)=")
_UNSEEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def clean(text: str) -> str:
    """Without controls, and without what turns the direction of text or cannot be seen: XML has no
    place for some, and the others make a name look like another."""
    return "".join("\ufffd" if unicodedata.category(each) in _UNSEEN else each for each in text)


def width(text: str, size: float, *, mono: bool = False, bold: bool = False) -> float:
    """Pixels that it takes at most, at a font size of so many."""
    return sum(_em(each, mono=mono) for each in text) * size * (1.08 if bold else 1.0)


def _em(character: str, *, mono: bool) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.2 if mono else 1.0
    if mono:
        return 0.61
    if character in _NARROW:
        return 0.36
    if character in _WIDE:
        return 0.95
    return 0.7 if character.isupper() else 0.6


def wrap(
    text: str, room: float, size: float, *, mono: bool = False, bold: bool = False, lines: int = 2
) -> list[str]:
    """`text` in so many lines at most, none wider than `room` pixels, `…` where it does not fit.

    Broken at a space or after punctuation in the second half of a line, else anywhere.
    """
    rest, found = clean(text).strip(), list[str]()
    while rest and len(found) < lines:
        fits = _fitting(rest, room, size, mono=mono, bold=bold)
        if fits == len(rest):
            return [*found, rest]
        if len(found) == lines - 1:
            dots = _fitting(rest, room - width("…", size, mono=mono), size, mono=mono, bold=bold)
            return [*found, rest[:dots].rstrip() + "…"]
        cut = _break(rest, fits)
        found.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return found


def _break(text: str, fits: int) -> int:
    """Behind the last space or, where there is none, the last sign of the second half."""
    for among in (" ", _BREAKS):
        for at in range(fits, fits // 2, -1):
            if text[at - 1] in among:
                return at
    return fits


def _fitting(text: str, room: float, size: float, *, mono: bool, bold: bool) -> int:
    """How many characters of its beginning fit, one at least."""
    taken = 0.0
    for at, character in enumerate(text):
        taken += width(character, size, mono=mono, bold=bold)
        if taken > room:
            return max(at, 1)
    return len(text)
