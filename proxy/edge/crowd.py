"""Places for peers that have yet to show who they are.

Whoever is in may be pushed out: when every place is taken one gives way, once it has had its
chance: the oldest of the source that has the most. So peers that stay silent, or stop half-way,
cost those who go on no more than that chance, however many they are, no queue grows without an end,
and whoever comes often pushes out his own.

`Sources` is a crowd for each source. A source is an IPv4 address, or the /64 of an IPv6 address,
which is what one host is commonly given whole.
"""

import math
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from types import TracebackType
from typing import Final

import trio

from proxy.errors import TlsFailure

_HOST_BITS: Final = 64


class Place:
    """One peer's, for an `async with`, until it leaves: its task may go on then, and is not pushed
    out any more. Raises TlsFailure `timeout` for whoever was pushed out, or ran out of time."""

    __slots__ = ("_crowd", "_inside", "_pushed", "scope", "since", "source")

    def __init__(
        self, crowd: "Crowd", source: str, inside: "Place | None", deadline: float
    ) -> None:
        self._crowd = crowd
        self._inside = inside
        self._pushed = False
        self.scope: trio.CancelScope = (
            inside.scope if inside else trio.CancelScope(deadline=deadline)
        )
        self.source = source
        self.since = math.inf

    async def __aenter__(self) -> "Place":
        await self._crowd.take(self)
        if self._inside is None:
            self.scope.__enter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> bool | None:
        self._crowd.leave(self)
        self._crowd.lose()
        if self._inside is not None:
            self._inside._pushed |= self._pushed
            return False
        handled = self.scope.__exit__(kind, error, at)
        if self.scope.cancelled_caught:
            why = "gave way to newer peers" if self._pushed else "did not complete in time"
            raise TlsFailure("timeout", f"the handshake {why}") from None
        return handled

    def push_out(self) -> None:
        """Its task is cancelled as far as the outermost of its places."""
        self._pushed = True
        self.scope.cancel()
        self.leave()

    def leave(self) -> None:
        """Give the place to somebody else. Does nothing a second time."""
        self._crowd.leave(self)


class Crowd:
    """At most `limit` peers at once; each is safe for `chance` seconds."""

    def __init__(
        self, limit: int, chance: float, forget: Callable[[], object] = lambda: None
    ) -> None:
        """`forget` is called when nobody is in it any more, nor waits to be."""
        self._limit = limit
        self._chance = chance
        self._forget = forget
        self._users = 0
        """Who is in, or waits to be, or has left and goes on."""
        self._size = 0
        self._inside: dict[str, dict[Place, None]] = {}
        """Source -> who is of it, the oldest first; none is empty."""
        self._left: trio.Event | None = None
        """What somebody waits for."""

    def __len__(self) -> int:
        return self._size

    def place(
        self, source: str = "", inside: Place | None = None, deadline: float = math.inf
    ) -> Place:
        """For an `async with`, which waits for a place and takes it.

        Who has a place already and takes this one `inside` of it loses both at once. `deadline` is
        on trio's clock.
        """
        return Place(self, source, inside, deadline)

    def push_out(self) -> bool:
        """Make one give way, whether it had its chance or not; False when nobody is in."""
        place = self._first_to_go()
        if place is None:
            return False
        place.push_out()
        return True

    async def take(self, place: Place) -> None:
        """Wait until it is free, or may be made so. Whoever has taken it must `lose` it."""
        self._users += 1
        try:
            if self._size >= self._limit:
                await self._make_room()
        except BaseException:
            self.lose()
            raise
        place.since = trio.current_time()
        self._inside.setdefault(place.source, {})[place] = None
        self._size += 1

    def lose(self) -> None:
        """One less has anything to do with it."""
        self._users -= 1
        if not self._users:
            self._forget()

    async def _make_room(self) -> None:
        while self._size >= self._limit:
            first = self._first_to_go()
            safe = first.since + self._chance - trio.current_time() if first else 0
            if safe <= 0:
                self.push_out()
                return
            if self._left is None:
                self._left = trio.Event()
            with trio.move_on_after(safe):
                await self._left.wait()

    def leave(self, place: Place) -> None:
        """As `Place.leave`."""
        those = self._inside.get(place.source, {})
        if place in those:
            del those[place]
            if not those:
                del self._inside[place.source]
            self._size -= 1
            if self._left is not None:
                self._left.set()
                self._left = None

    def _first_to_go(self) -> Place | None:
        those = max(self._inside.values(), key=len, default=None)
        return next(iter(those)) if those else None


class Sources:
    """A crowd for each source, of `limit` peers."""

    def __init__(self, limit: int, chance: float) -> None:
        self._limit = limit
        self._chance = chance
        self._crowds: dict[str, Crowd] = {}
        """One that nobody is in, or waits for, is forgotten."""

    def __len__(self) -> int:
        return len(self._crowds)

    def place(self, source: str, inside: Place | None = None) -> Place:
        """As `Crowd.place`, among those of the same source."""
        crowd = self._crowds.get(source)
        if crowd is None:
            forget = partial(self._crowds.pop, source)
            crowd = self._crowds[source] = Crowd(self._limit, self._chance, forget)
        return crowd.place(inside=inside)


def source_of(address: str | None) -> str:
    """What stands for all addresses of one host: an IPv4 address, or the /64 of an IPv6 one. All
    that come by a unix socket, which have none, are one."""
    if address is None:
        return ""
    if ":" not in address:
        return address
    kept = int(IPv6Address(address)) >> _HOST_BITS << _HOST_BITS
    return f"{IPv6Address(kept)}/{_HOST_BITS}"
