"""What comes in -> route. The first route of the file that matches decides.

A message is matched by listener, method and path; a tunnel by listener and the server name (SNI)
that its TLS client asked for. A route without server names takes every tunnel, and one with names
none that asks for no name: who sends no SNI cannot be meant by it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from proxy.errors import Refusal
from proxy.policy.paths import Pattern, compile_pattern, split
from proxy.policy.principals import compile_name
from proxy.policy.tree import Tree
from proxy.settings.schema import Route, Settings


@dataclass(frozen=True, slots=True)
class _Entry:
    pattern: Pattern
    methods: frozenset[str] | None
    route: Route


@dataclass(frozen=True, slots=True)
class _Tunnel:
    names: tuple[re.Pattern[str], ...] | None
    route: Route


class Routes:
    """The routes of a configuration, compiled.

    Raises ValueError when a pattern in them is malformed: nothing is found out at the first
    request.
    """

    def __init__(self, settings: Settings) -> None:
        self._entries: dict[str, list[_Entry]] = {name: [] for name in settings.listeners}
        self._tunnels: dict[str, list[_Tunnel]] = {}
        for route in settings.routes:
            match = route.match
            if match.path is not None:
                methods = frozenset(match.methods) if match.methods is not None else None
                entry = _Entry(compile_pattern(match.path), methods, route)
                self._entries.setdefault(route.listener, []).append(entry)
            else:
                names = None if match.sni is None else tuple(map(compile_name, match.sni))
                self._tunnels.setdefault(route.listener, []).append(_Tunnel(names, route))
        self._trees = {
            name: Tree((entry.pattern.segments, entry.methods) for entry in entries)
            for name, entries in self._entries.items()
        }

    def find(self, listener: str, method: str, path: str) -> Route:
        """The route of a request whose path is in normal form.

        Raises Refusal `no-route`. A method is matched as it is written: HEAD needs to be named
        where methods are.
        """
        tree = self._trees.get(listener)
        found = tree.first(method, split(path)) if tree is not None else None
        if found is not None:
            return self._entries[listener][found].route
        raise Refusal("no-route", f"no route of listener {listener} takes this method and path")

    def trace(self, listener: str, method: str, path: str) -> Iterator[tuple[str, bool, bool]]:
        """(route, whether it takes the path, and the method), up to the first that takes both."""
        segments = split(path)
        for entry in self._entries.get(listener, ()):
            there = entry.pattern.matches_segments(segments)
            named = entry.methods is None or method in entry.methods
            yield entry.route.name, there, named
            if there and named:
                return

    def find_tunnel(self, listener: str, server_name: str | None) -> Route:
        """The route of a tunnel. Raises Refusal `no-route`."""
        for entry in self._tunnels.get(listener, ()):
            if entry.names is None:
                return entry.route
            if server_name and any(name.fullmatch(server_name) for name in entry.names):
                return entry.route
        asked = f"server name {server_name!r}" if server_name else "a tunnel without server name"
        raise Refusal("no-route", f"no route of listener {listener} takes {asked}")
