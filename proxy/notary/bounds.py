"""What workers may ask of the table of ids, as the configuration has it and not as they say."""

from collections.abc import Mapping

from proxy.errors import EvidenceError
from proxy.model import Claim


class Bounds:
    """The routes that there are, or were: a transfer ends under the one with which it began."""

    def __init__(self, windows: Mapping[str, float] | None = None, workers: int = 1) -> None:
        """`windows`: route -> seconds; without them there are all routes, and no bound."""
        self._windows: dict[str, float] | None = None
        self.longest = 0.0
        """Seconds that an id of any route is remembered; 0 where there is no bound."""
        if windows is not None:
            self.allow(windows)
        self.workers = workers
        """How many have the places of the table between them."""

    def allow(self, windows: Mapping[str, float]) -> None:
        """These routes too, and ids of them for so many seconds, or as many as before."""
        if self._windows is None:
            self._windows = {}
        known = self._windows
        for route, window in windows.items():
            known[route] = max(window, known.get(route, 0.0))
        self.longest = max(known.values(), default=0.0)

    def require_route(self, route: str | None) -> None:
        """Raises `EvidenceError` for a route that there never was. Fails closed."""
        if route is not None and not self.has(route):
            raise EvidenceError("a worker names a route that there is not")

    def has(self, route: str) -> bool:
        """Whether there is this route, or was."""
        return self._windows is None or route in self._windows

    def window(self, claim: Claim) -> float:
        """For how long an id is remembered: as its route says, and at most as the worker says.

        A route that is no more, of an attempt that a crash left open, has the longest of any.
        """
        if self._windows is None:
            return claim.window
        return min(claim.window, self._windows.get(claim.route, self.longest))
