"""Places for peers that have yet to show who they are.

Whoever is in may be pushed out: when every place is taken the oldest gives way, once it has had its
chance. So peers that stay silent, or stop half-way, cost those who go on no more than that chance,
however many they are, and no queue grows without an end.

`Sources` is a crowd for each source address, so that whoever comes often pushes out his own: an
IPv4 address, or the /64 of an IPv6 address, which is what one host is commonly given whole.
"""

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
        self._inside: dict[Place, None] = {}
        """Oldest first."""
        self._left = trio.Event()

    def __len__(self) -> int:
        return len(self._inside)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """Wait for a place and take it. Raises TlsFailure `timeout` when pushed out of it."""
        await self._make_room()
        place = Place(self, trio.current_time())
        with place.scope:
            self._inside[place] = None
            try:
                yield place
            finally:
                self.leave(place)
        if place.scope.cancelled_caught:
            raise TlsFailure("timeout", "gave way to newer peers")

    def push_out(self) -> bool:
        """Make the oldest give way, whether it had its chance or not; False when nobody is in."""
        oldest = next(iter(self._inside), None)
        if oldest is None:
            return False
        oldest.scope.cancel()
        self.leave(oldest)
        return True

    def leave(self, place: Place) -> None:
        """As `Place.leave`."""
        if place in self._inside:
            del self._inside[place]
            self._left.set()
            self._left = trio.Event()

    async def _make_room(self) -> None:
        while len(self._inside) >= self._limit:
            oldest = next(iter(self._inside))
            safe = oldest.since + self._chance - trio.current_time()
            if safe <= 0:
                self.push_out()
                return
            with trio.move_on_after(safe):
                await self._left.wait()


class Sources:
    """A crowd for each source address, of `limit` peers, of whom nobody is safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._crowds: dict[str, Crowd] = {}
        """None is empty, so there are no more of them than peers."""

    def __len__(self) -> int:
        return len(self._crowds)

    @asynccontextmanager
    async def place(self, address: str | None) -> AsyncIterator[Place]:
        """As `Crowd.place`, among those who come from the same source; None is a unix socket."""
        source = source_of(address) if address is not None else ""
        crowd = self._crowds.setdefault(source, Crowd(self._limit, chance=0))
        try:
            async with crowd.place() as place:
                yield place
        finally:
            if not crowd and self._crowds.get(source) is crowd:
                del self._crowds[source]


def source_of(address: str) -> str:
    """What stands for all addresses of one host: an IPv4 address, or the /64 of an IPv6 one."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        kept = int(parsed) >> _HOST_BITS << _HOST_BITS
        return f"{IPv6Address(kept)}/{_HOST_BITS}"
    return address
