"""HMAC-SHA256 (RFC 2104) of many short texts that begin alike, the first 16 octets of each.

    inner   = the state after the key, padded for the inside, the same for all
    outer   = the same for the outside
    block   = what they begin with, the text, its end      one step inside, one outside, for texts
                                                           of a line

See macs for when this runs.
"""

import hashlib

from proxy.content.macs import DIGEST, Macs
from proxy.content.octets import big, clear, copy
from proxy.content.sha256 import START, steps

_SHA_BLOCK, _SHA_STATE, _SHA_SIZED = 64, 32, 56
"""Octets of a block, of a state, and of a block that holds the size of all as well."""


class HmacSha256(Macs):
    """The state of one key."""

    def __init__(self, key: bytes, begin: bytes, own: bool = True) -> None:
        """`begin` is what every text is preceded by. Raises ValueError unless it has 1 to 63
        octets, and the key any. `own`: as in sha256."""
        if not key or not 1 <= len(begin) < _SHA_BLOCK:
            raise ValueError("a key or a beginning of the wrong size")
        short = key if len(key) <= _SHA_BLOCK else hashlib.sha256(key).digest()
        self._own = own
        padded = short.ljust(_SHA_BLOCK, b"\0")
        self._state, self._room = bytearray(_SHA_STATE), bytearray(_SHA_BLOCK)
        self._inner = self._keyed(bytes(octet ^ 0x36 for octet in padded))
        self._outer = self._keyed(bytes(octet ^ 0x5C for octet in padded))
        self._begin, self._filled = begin, len(begin)

    def _keyed(self, padded: bytes) -> bytes:
        copy(self._state, 0, START, 0, _SHA_STATE)
        steps(self._state, padded, 0, 1, self._own)
        return bytes(self._state)

    def put(self, target: bytearray, place: int, text: bytes, start: int, end: int) -> None:
        """The result of `text[start:end]`, into the target at `place`."""
        block, state, filled = self._room, self._state, self._filled
        size = _SHA_BLOCK + filled + end - start
        copy(state, 0, self._inner, 0, _SHA_STATE)
        copy(block, 0, self._begin, 0, filled)
        while end - start >= _SHA_BLOCK - filled:
            copy(block, filled, text, start, start + _SHA_BLOCK - filled)
            start += _SHA_BLOCK - filled
            filled = 0
            steps(state, block, 0, 1, self._own)
        copy(block, filled, text, start, end)
        self._last(state, block, filled + end - start, size)
        copy(block, 0, state, 0, _SHA_STATE)
        copy(state, 0, self._outer, 0, _SHA_STATE)
        self._last(state, block, _SHA_STATE, _SHA_BLOCK + _SHA_STATE)
        copy(target, place, state, 0, DIGEST)

    def _last(self, state: bytearray, block: bytearray, filled: int, size: int) -> None:
        """The end of `size` octets, of which the block has the last."""
        block[filled] = 0x80
        clear(block, filled + 1, _SHA_BLOCK)
        if filled >= _SHA_SIZED:
            steps(state, block, 0, 1, self._own)
            clear(block, 0, _SHA_BLOCK)
        big(block, _SHA_SIZED, 8 * size)
        steps(state, block, 0, 1, self._own)
