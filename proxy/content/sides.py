"""The digests of both sides of a body together: HMAC-SHA256 of what came, SHA-256 of what goes.

    received   octets wait until what was made of them goes
    delivered  both in one pass, a block of each in turn: the instructions that a processor has for
               SHA-256 wait for each other, and those of two digests do not

Only where the processor has these, and this could be compiled, as `_sides`, is it quicker than
hashlib, one after the other, which does the work everywhere else (see native).
"""

from typing import Final

from proxy.content.octets import big, clear, copy
from proxy.content.sha256 import START, quick, steps, two

_BLOCK, _STATE, _SIZED = 64, 32, 56
"""Octets of a block, of a state, and of a block that holds the size of all as well."""
_INSIDE: Final = bytes(octet ^ 0x36 for octet in range(256))
_OUTSIDE: Final = bytes(octet ^ 0x5C for octet in range(256))
QUICK: Final = quick()
"""Whether the processor has what makes this worth while."""


class Sha256:
    """SHA-256 of what has come so far."""

    def __init__(self) -> None:
        self._state, self._room = bytearray(_STATE), bytearray(_BLOCK)
        copy(self._state, 0, START, 0, _STATE)
        self._size = 0

    def put(self, data: bytes) -> None:
        """Take the next octets."""
        self._end(data, self._begin(data))

    def value(self) -> bytes:
        """Of all that came; more may come."""
        state, room, filled = bytearray(self._state), bytearray(self._room), self._size % _BLOCK
        clear(room, filled, _BLOCK)
        room[filled] = 0x80
        if filled >= _SIZED:
            steps(state, room, 0, 1, True)
            clear(room, 0, _BLOCK)
        big(room, _SIZED, 8 * self._size)
        steps(state, room, 0, 1, True)
        return bytes(state)

    def _begin(self, data: bytes) -> int:
        """Fill the block that was begun: how many octets that takes."""
        size, filled = len(data), self._size % _BLOCK
        if filled == 0:
            return 0
        taken = min(size, _BLOCK - filled)
        copy(self._room, filled, data, 0, taken)
        self._size += taken
        if filled + taken == _BLOCK:
            steps(self._state, self._room, 0, 1, True)
        return taken

    def _end(self, data: bytes, at: int) -> None:
        """Whole blocks, and the beginning of the next, when none was begun or nothing is left."""
        size = len(data)
        if at < size:
            blocks = (size - at) // _BLOCK
            steps(self._state, data, at, blocks, True)
            copy(self._room, 0, data, at + _BLOCK * blocks, size)
            self._size += size - at


class Received:
    """HMAC-SHA256 (RFC 2104) under a key of 1 to 64 octets."""

    def __init__(self, key: bytes) -> None:
        if not 1 <= len(key) <= _BLOCK:
            raise ValueError("a key of the wrong size")
        padded = key.ljust(_BLOCK, b"\0")
        self._outer = padded.translate(_OUTSIDE)
        self._inner, self._waiting = Sha256(), b""
        self._inner.put(padded.translate(_INSIDE))

    def update(self, data: bytes) -> None:
        """Take the next octets, and keep them until what comes of them is delivered."""
        self._inner.put(self._waiting)
        self._waiting = data

    def digest(self) -> bytes:
        """Of all that came."""
        self.update(b"")
        outer = Sha256()
        outer.put(self._outer)
        outer.put(self._inner.value())
        return outer.value()


class Delivered:
    """SHA-256 of what was made of what is received."""

    def __init__(self, received: Received) -> None:
        self._received, self._inner = received, Sha256()

    def update(self, data: bytes) -> None:
        """Take the next octets, and those that have waited for them."""
        one, other, waiting = self._received._inner, self._inner, self._received._waiting
        at, to = one._begin(waiting), other._begin(data)
        blocks = min(len(waiting) - at, len(data) - to) // _BLOCK
        if QUICK and blocks:
            two(one._state, waiting, at, other._state, data, to, blocks)
            one._size += _BLOCK * blocks
            other._size += _BLOCK * blocks
            at += _BLOCK * blocks
            to += _BLOCK * blocks
        one._end(waiting, at)
        other._end(data, to)
        self._received._waiting = b""

    def digest(self) -> bytes:
        """Of all that came."""
        return self._inner.value()
