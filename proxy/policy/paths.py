"""The normal form of a request path, and the patterns that routes match it with.

A path that is not in normal form is refused, never repaired: what routing sees is what the upstream
receives. `proxy.settings.grammar.abnormality` says what normal is. Escapes are in capitals, as RFC
3986, section 6.2.2.1 has it. A pattern compares segments decoded, so that `/a%40b` cannot slip past
a route for `/a@b`.

    /orders/*     /orders/7            not /orders, /orders/ or /orders/7/items
    /orders/**    /orders, /orders/, /orders/7/items
    /             /                    nothing else
"""

import re
from dataclasses import dataclass

from proxy.errors import Refusal
from proxy.settings.grammar import abnormality, require_path_pattern

_ESCAPE = re.compile(rb"%([0-9A-F]{2})")
# No segment can hold a slash, decoded or not, so that these can be no literal.
ONE = b"/"
ANY = b"//"


def require_normal(path: str) -> None:
    """Raise Refusal `path-not-normal` unless a still encoded path is in normal form."""
    reason = abnormality(path)
    if reason is not None:
        raise Refusal("path-not-normal", f"the path has {reason}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path pattern: its segments, decoded, with a mark for each `*` and `**`."""

    segments: tuple[bytes, ...]
    text: str

    def matches(self, path: str) -> bool:
        """Whether a path in normal form matches."""
        return self.matches_segments(split(path))

    def matches_segments(self, segments: tuple[bytes, ...]) -> bool:
        """Whether the decoded segments of a path match; in O(pattern x path) at worst."""
        here = there = 0
        resume: tuple[int, int] | None = None
        while there < len(segments):
            if here < len(self.segments) and self.segments[here] == ANY:
                resume = (here, there)
                here += 1
            elif here < len(self.segments) and _one(self.segments[here], segments[there]):
                here, there = here + 1, there + 1
            elif resume is not None:
                # The last ** takes one segment more.
                resume = (resume[0], resume[1] + 1)
                here, there = resume[0] + 1, resume[1]
            else:
                return False
        return all(segment == ANY for segment in self.segments[here:])


def compile_pattern(text: str) -> Pattern:
    """Compile a route's path. Raises ValueError when it is not a path pattern."""
    require_path_pattern(text)
    wild = {"*": ONE, "**": ANY}
    raw = text.split("/")[1:]
    return Pattern(tuple(wild.get(part) or split("/" + part)[0] for part in raw), text)


def split(path: str) -> tuple[bytes, ...]:
    """The segments of a path that begins with `/`, decoded."""
    segments = path.encode("ascii").split(b"/")[1:]
    if "%" not in path:
        return tuple(segments)
    return tuple(_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), part) for part in segments)


def _one(pattern: bytes, segment: bytes) -> bool:
    return segment != b"" if pattern == ONE else pattern == segment
