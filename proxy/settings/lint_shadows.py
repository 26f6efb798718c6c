"""Routes that never match, since earlier ones take all that they could take.

A pattern covers another when it matches every path that the other matches. Both are run at once
over the few segments that tell paths apart: those that either names, one that neither does, and
the empty one, which `*` does not take. An earlier pattern can only cover a later one that begins
with its literal segments, and has all of them, so that few pairs need a look, however many routes
there are. Two patterns that need too long a look are taken not to cover each other.

One that is behind another of the same path and methods is a mistake already, told by check.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from proxy.settings import tunnels
from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import Route, Settings

_Segments = tuple[str, ...]
_WILD: Final = {"*", "**"}
_OTHER: Final = "/"
"""A segment that no pattern names: no segment holds a slash."""
_STATES: Final = 2000
"""Of two patterns together, after which nobody looks on."""


def lint_shadows(settings: Settings, warnings: Mistakes) -> None:
    """Note every route of which nothing is left, with those that take it."""
    earlier: dict[tuple[str, _Segments], list[Route]] = defaultdict(list)
    for index, route in enumerate(settings.routes):
        segments = _segments(route)
        begun = [segments[:length] for length in range(len(_literal(segments)) + 1)]
        before = [each for start in begun for each in earlier[route.listener, start]]
        taking = _taking(route, segments, before)
        if taking:
            names = ", ".join(each.name for each in taking)
            text = f"never matches: taken by what stands before it, {names}"
            warnings.add(("routes", index, "match"), text, code="shadowed-route")
        earlier[route.listener, _literal(segments)].append(route)


def _segments(route: Route) -> _Segments:
    return tuple((route.match.path or "/").split("/")[1:])


def _literal(segments: _Segments) -> _Segments:
    """Those before the first wildcard."""
    wild = [at for at, segment in enumerate(segments) if segment in _WILD]
    return segments[: wild[0]] if wild else segments


def _taking(route: Route, segments: _Segments, before: Iterable[Route]) -> list[Route]:
    """The earlier routes that take all of this one together; none when something is left."""
    left: set[str] | None = None if route.match.methods is None else set(route.match.methods)
    found: list[Route] = []
    for each in before:
        methods = each.match.methods
        if left is None and methods is not None:
            continue
        takes_some = methods is None or left is None or left & set(methods)
        if not takes_some or not _takes(each, route, segments):
            continue
        found.append(each)
        if left is None or methods is None:
            return found
        left -= set(methods)
        if not left:
            return found
    return []


def _takes(earlier: Route, route: Route, segments: _Segments) -> bool:
    if route.match.path is None:
        return tunnels.covers(earlier, route) or _names_cover(earlier, route)
    ours = _segments(earlier)
    return set(ours) - _WILD <= set(segments) and covers(ours, segments)


def _names_cover(earlier: Route, later: Route) -> bool:
    """Every server name of `later` is below a wildcard of `earlier`, or is one of its names."""
    names = {name.lower() for name in earlier.match.sni or ()}
    return later.match.sni is not None and all(
        name.lower() in names or "*." + name.lower().partition(".")[2] in names
        for name in later.match.sni
    )


def covers(earlier: _Segments, later: _Segments) -> bool:
    """Whether every path that `later` matches is matched by `earlier`; both as split at slashes.

    Only the last segment of a path can be empty.
    """
    alphabet = {*earlier, *later, _OTHER} - {*_WILD, ""}
    begin = (_closed(earlier, {0}), _closed(later, {0}))
    seen, waiting = {begin}, [begin]
    while waiting:
        ours, theirs = waiting.pop()
        ended = (_step(earlier, ours, ""), _step(later, theirs, ""))
        for one, other in ((ours, theirs), ended):
            if len(later) in other and len(earlier) not in one:
                return False
        for segment in alphabet:
            after = (_step(earlier, ours, segment), _step(later, theirs, segment))
            if after[1] and after not in seen:
                seen.add(after)
                waiting.append(after)
        if len(seen) > _STATES:
            return False
    return True


def _step(pattern: _Segments, places: frozenset[int], segment: str) -> frozenset[int]:
    return _closed(pattern, _reached(pattern, places, segment))


def _reached(pattern: _Segments, places: frozenset[int], segment: str) -> Iterator[int]:
    for place in places:
        if place == len(pattern):
            continue
        if pattern[place] == "**":
            yield place
        elif pattern[place] == segment or (pattern[place] == "*" and segment != ""):
            yield place + 1


def _closed(pattern: _Segments, places: Iterable[int]) -> frozenset[int]:
    """With every place that is reached when `**` takes nothing more."""
    found = set()
    for place in places:
        found.add(place)
        while place < len(pattern) and pattern[place] == "**":
            place += 1
            found.add(place)
    return frozenset(found)
