"""Places for peers that have yet to show who they are.

Whoever is in may be pushed out: when every place is taken the oldest gives way, once it has had its
chance. So peers that stay silent, or stop half-way, cost those who go on no more than that chance,
however many they are, and no queue grows without an end.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from proxy.errors import TlsFailure


class Crowd:
    """At most `limit` peers at once; each is safe for `chance` seconds."""

    def __init__(self, limit: int, chance: float) -> None:
        self._limit = limit
        self._chance = chance
        self._inside: dict[trio.CancelScope, float] = {}
        """Oldest first, with the time of entry."""
        self._left = trio.Event()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and take it. Raises TlsFailure `timeout` when pushed out of it."""
        await self._make_room()
        with trio.CancelScope() as scope:
            self._inside[scope] = trio.current_time()
            try:
                yield
            finally:
                self._leave(scope)
        if scope.cancelled_caught:
            raise TlsFailure("timeout", "gave way to newer peers")

    async def _make_room(self) -> None:
        while len(self._inside) >= self._limit:
            oldest, since = next(iter(self._inside.items()))
            safe = since + self._chance - trio.current_time()
            if safe <= 0:
                oldest.cancel()
                self._leave(oldest)
                return
            with trio.move_on_after(safe):
                await self._left.wait()

    def _leave(self, scope: trio.CancelScope) -> None:
        if self._inside.pop(scope, None) is not None:
            self._left.set()
            self._left = trio.Event()
