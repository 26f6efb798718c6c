"""Places for peers that have yet to show who they are.

Whoever is in may be pushed out: when every place is taken one gives way, once it has had its
chance: the oldest of the source that has the most. So peers that stay silent, or stop half-way,
cost those who go on no more than that chance, however many they are, no queue grows without an end,
and whoever comes often pushes out his own.

`Sources` is a crowd for each source. A source is an IPv4 address, or the /64 of an IPv6 address,
which is what one host is commonly given whole.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

import trio

from proxy.errors import TlsFailure

_HOST_BITS = 64


@dataclass(slots=True, eq=False)
class Place:
    """One peer's, until it leaves: its task may go on, and is not pushed out any more."""

    crowd: "Crowd"
    source: str
    since: float
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def leave(self) -> None:
        """Give the place to somebody else. Does nothing a second time."""
        self.crowd.leave(self)


class Crowd:
    """At most `limit` peers at once; each is safe for `chance` seconds."""

    def __init__(self, limit: int, chance: float) -> None:
        self._limit = limit
        self._chance = chance
        self._size = 0
        self._inside: dict[str, dict[Place, None]] = {}
        """Source -> who is of it, the oldest first; none is empty."""
        self._left = trio.Event()

    def __len__(self) -> int:
        return self._size

    @asynccontextmanager
    async def place(self, source: str = "") -> AsyncIterator[Place]:
        """Wait for a place and take it. Raises TlsFailure `timeout` when pushed out of it."""
        await self._make_room()
        place = Place(self, source, trio.current_time())
        with place.scope:
            self._inside.setdefault(source, {})[place] = None
            self._size += 1
            try:
                yield place
            finally:
                self.leave(place)
        if place.scope.cancelled_caught:
            raise TlsFailure("timeout", "gave way to newer peers")

    def push_out(self) -> bool:
        """Make one give way, whether it had its chance or not; False when nobody is in."""
        place = self._first_to_go()
        if place is None:
            return False
        place.scope.cancel()
        self.leave(place)
        return True

    def leave(self, place: Place) -> None:
        """As `Place.leave`."""
        those = self._inside.get(place.source, {})
        if place in those:
            del those[place]
            if not those:
                del self._inside[place.source]
            self._size -= 1
            self._left.set()
            self._left = trio.Event()

    def _first_to_go(self) -> Place | None:
        those = max(self._inside.values(), key=len, default=None)
        return next(iter(those)) if those else None

    async def _make_room(self) -> None:
        while self._size >= self._limit:
            first = self._first_to_go()
            safe = first.since + self._chance - trio.current_time() if first else 0
            if safe <= 0:
                self.push_out()
                return
            with trio.move_on_after(safe):
                await self._left.wait()


class Sources:
    """A crowd for each source, of `limit` peers."""

    def __init__(self, limit: int, chance: float) -> None:
        self._limit = limit
        self._chance = chance
        self._crowds: dict[str, Crowd] = {}
        self._users: Counter[str] = Counter()
        """Who is in each of them, or waits to be: one that nobody uses is forgotten."""

    def __len__(self) -> int:
        return len(self._crowds)

    @asynccontextmanager
    async def place(self, source: str) -> AsyncIterator[Place]:
        """As `Crowd.place`, among those of the same source."""
        crowd = self._crowds.setdefault(source, Crowd(self._limit, self._chance))
        self._users[source] += 1
        try:
            async with crowd.place() as place:
                yield place
        finally:
            self._users[source] -= 1
            if not self._users[source]:
                del self._users[source], self._crowds[source]


def source_of(address: str | None) -> str:
    """What stands for all addresses of one host: an IPv4 address, or the /64 of an IPv6 one. All
    that come by a unix socket, which have none, are one."""
    if address is None:
        return ""
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        kept = int(parsed) >> _HOST_BITS << _HOST_BITS
        return f"{IPv6Address(kept)}/{_HOST_BITS}"
    return address
