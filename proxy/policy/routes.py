"""Listener, method and path -> route. The first route of the file that matches decides."""

from dataclasses import dataclass

from proxy.errors import Refusal
from proxy.policy.authorize import prepare
from proxy.policy.paths import Pattern, compile_pattern, split
from proxy.settings.schema import Route, Settings


@dataclass(frozen=True, slots=True)
class _Entry:
    pattern: Pattern
    methods: frozenset[str] | None
    route: Route


class Routes:
    """The routes of a configuration, compiled.

    Raises ValueError when a pattern in them is malformed: nothing is found out at the first
    request.
    """

    def __init__(self, settings: Settings) -> None:
        self._entries: dict[str, list[_Entry]] = {name: [] for name in settings.listeners}
        for route in settings.routes:
            methods = frozenset(route.match.methods) if route.match.methods is not None else None
            entry = _Entry(compile_pattern(route.match.path), methods, route)
            self._entries.setdefault(route.listener, []).append(entry)
            for principal in (*route.allow, *route.deny):
                prepare(principal)

    def find(self, listener: str, method: str, path: str) -> Route:
        """The route of a request whose path is in normal form.

        Raises Refusal `no-route`. A method is matched as it is written: HEAD needs to be named
        where methods are.
        """
        segments = split(path)
        for entry in self._entries.get(listener, ()):
            if entry.methods is not None and method not in entry.methods:
                continue
            if entry.pattern.matches_segments(segments):
                return entry.route
        raise Refusal("no-route", f"no route of listener {listener} takes this method and path")
