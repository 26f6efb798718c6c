"""What the entries of `allow` and `deny` may be on their route. Runs on values that are right."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from proxy.settings.grants import OF_PEERS, Grant, When
from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import Route, Settings
from proxy.settings.times import parse_moment, parse_zone
from proxy.settings.yaml12 import Path

_OF_HTTP: Final = ("methods", "paths", "content", "label", "size")


def require_grants(settings: Settings, mistakes: Mistakes, now: datetime) -> None:
    """Note every entry that names nobody, cannot hold, or holds for longer than is admitted."""
    within = settings.policy.grants_expire_within
    for index, route in enumerate(settings.routes):
        tunnel = settings.listeners[route.listener].protocol == "tcp"
        for path, entry in _entries(("routes", index), route):
            if tunnel:
                _require_tunnel(path, entry, mistakes)
            _require_possible(path, entry, route, mistakes)
            if path[2] == "deny":
                _require_unmetered(path, entry, mistakes)
            if entry.when is not None:
                _require_order((*path, "when"), entry.when, path[2] == "deny", mistakes)
        for place, entry in enumerate(route.allow):
            path = ("routes", index, "allow", place)
            if not any(getattr(entry, key) is not None for key in OF_PEERS):
                text = "says when, what or how much, and not whom it admits: name the peer"
                mistakes.add(path, text)
            if within is not None:
                _require_end(path, entry, now + timedelta(seconds=within), mistakes)


def _entries(path: Path, route: Route) -> Iterator[tuple[Path, Grant]]:
    for key, entries in (("allow", route.allow), ("deny", route.deny)):
        for index, entry in enumerate(entries):
            yield (*path, key, index), entry


def _require_tunnel(path: Path, entry: Grant, mistakes: Mistakes) -> None:
    for key in _OF_HTTP:
        if getattr(entry, key) is not None:
            text = "is of HTTP; a tunnel is granted by peer and by time"
            mistakes.add((*path, key), text, at_key=True)


def _require_possible(path: Path, entry: Grant, route: Route, mistakes: Mistakes) -> None:
    admitted = (("methods", route.match.methods), ("content", route.request.content))
    for key, known in admitted:
        for index, name in enumerate(getattr(entry, key) or ()):
            if known is not None and name not in known:
                mistakes.add((*path, key, index), "this route does not admit it from anybody")


def _require_unmetered(path: Path, entry: Grant, mistakes: Mistakes) -> None:
    for key in ("rate", "volume"):
        if getattr(entry, key) is not None:
            text = "is what an entry of `allow` gives; for a bound on everybody write `limits`"
            mistakes.add((*path, key), text, at_key=True)


def _require_order(path: Path, when: When, denies: bool, mistakes: Mistakes) -> None:
    if when.not_before is None or when.until is None:
        return
    zone = parse_zone(when.timezone)
    begins = parse_moment(when.not_before, zone, latest=not denies)
    if begins >= parse_moment(when.until, zone, latest=denies):
        mistakes.add((*path, "until"), "is not after not_before, so that it never holds")


def _require_end(path: Path, entry: Grant, latest: datetime, mistakes: Mistakes) -> None:
    when = entry.when
    if when is None or when.until is None:
        text = "needs `when.until`: policy.grants_expire_within admits no grant without an end"
        mistakes.add(path, text, code="grant-without-end")
    elif parse_moment(when.until, parse_zone(when.timezone)) > latest:
        text = "later than policy.grants_expire_within from now"
        mistakes.add((*path, "when", "until"), text, code="grant-without-end")
