"""Keyed BLAKE2b (RFC 7693) of many short texts that begin alike, 16 octets of each.

    chain   = the state after the block of the key, the same for all
    block   = what they begin with, the text, zeros      one compression for texts of a line

See macs for when this runs.
"""

from array import array
from typing import Final

from proxy.content.macs import DIGEST, Macs
from proxy.content.octets import clear, copy, eight, inverted, plus, store, turned

_BLOCK, _ROUNDS = 128, 192  # octets of a block; of _SIGMA
_IV: Final = (
    0x6A09E667F3BCC908,
    0xBB67AE8584CAA73B,
    0x3C6EF372FE94F82B,
    0xA54FF53A5F1D36F1,
    0x510E527FADE682D1,
    0x9B05688C2B3E6C1F,
    0x1F83D9ABFB41BD6B,
    0x5BE0CD19137E2179,
)
_START: Final = array("Q", _IV)
_SIGMA: Final = bytes(
    8 * int(place, 16)
    for place in "0123456789abcdef"
    "ea489fd61c02b753"
    "b8c052fdae367194"
    "7931dcbe265a40f8"
    "905724afe1bc683d"
    "2c6a0b834d75fe19"
    "c51fed4a0763928b"
    "db7ec13950f4862a"
    "6fe9b308c2d714a5"
    "a2847615fb9e3cd0"
    "0123456789abcdef"
    "ea489fd61c02b753"
)
"""Where in a block the words of each round are."""


class Blake2b(Macs):
    """The state of one key."""

    def __init__(self, key: bytes, begin: bytes) -> None:
        """`begin` is what every text is preceded by. Raises ValueError unless it has 1 to 127
        octets, and the key 1 to 64."""
        if not 1 <= len(key) <= 64 or not 1 <= len(begin) < _BLOCK:
            raise ValueError("a key or a beginning of the wrong size")
        self._key = array("Q", _IV)
        self._key[0] ^= 0x01010000 ^ len(key) << 8 ^ DIGEST
        self._chain = self._key
        self._room = bytearray(key.ljust(_BLOCK, b"\0"))
        self._compress(self._room, _BLOCK, False)
        self._chain = array("Q", _IV)
        self._begin, self._filled = begin, len(begin)

    def put(self, target: bytearray, place: int, text: bytes, start: int, end: int) -> None:
        """The result of `text[start:end]`, into the target at `place`."""
        block, chain = self._room, self._chain
        filled, count = self._filled, _BLOCK
        for n in range(8):
            chain[n] = self._key[n]
        copy(block, 0, self._begin, 0, filled)
        while end - start > _BLOCK - filled:
            copy(block, filled, text, start, start + _BLOCK - filled)
            start += _BLOCK - filled
            count += _BLOCK
            filled = 0
            self._compress(block, count, False)
        copy(block, filled, text, start, end)
        filled += end - start
        clear(block, filled, _BLOCK)
        self._compress(block, count + filled, True)
        store(target, place, chain[0])
        store(target, place + 8, chain[1])

    def _compress(self, p: bytes | bytearray, count: int, last: bool) -> None:
        h, s = self._chain, _SIGMA
        a0, a1, a2, a3, b0, b1, b2, b3 = h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]
        c0, c1, c2, c3 = _START[0], _START[1], _START[2], _START[3]
        d0, d1, d2, d3 = _START[4] ^ count, _START[5], _START[6], _START[7]
        if last:
            d2 = inverted(d2)
        for n in range(0, _ROUNDS, 16):
            a0, b0, c0, d0 = _mixed(a0, b0, c0, d0, eight(p, s[n]), eight(p, s[n + 1]))
            a1, b1, c1, d1 = _mixed(a1, b1, c1, d1, eight(p, s[n + 2]), eight(p, s[n + 3]))
            a2, b2, c2, d2 = _mixed(a2, b2, c2, d2, eight(p, s[n + 4]), eight(p, s[n + 5]))
            a3, b3, c3, d3 = _mixed(a3, b3, c3, d3, eight(p, s[n + 6]), eight(p, s[n + 7]))
            a0, b1, c2, d3 = _mixed(a0, b1, c2, d3, eight(p, s[n + 8]), eight(p, s[n + 9]))
            a1, b2, c3, d0 = _mixed(a1, b2, c3, d0, eight(p, s[n + 10]), eight(p, s[n + 11]))
            a2, b3, c0, d1 = _mixed(a2, b3, c0, d1, eight(p, s[n + 12]), eight(p, s[n + 13]))
            a3, b0, c1, d2 = _mixed(a3, b0, c1, d2, eight(p, s[n + 14]), eight(p, s[n + 15]))
        h[0], h[1], h[2], h[3] = h[0] ^ a0 ^ c0, h[1] ^ a1 ^ c1, h[2] ^ a2 ^ c2, h[3] ^ a3 ^ c3
        h[4], h[5], h[6], h[7] = h[4] ^ b0 ^ d0, h[5] ^ b1 ^ d1, h[6] ^ b2 ^ d2, h[7] ^ b3 ^ d3


def _mixed(a: int, b: int, c: int, d: int, x: int, y: int) -> tuple[int, int, int, int]:
    """The function G of RFC 7693, section 3.1."""
    a = plus(plus(a, b), x)
    d = turned(d ^ a, 32)
    c = plus(c, d)
    b = turned(b ^ c, 24)
    a = plus(plus(a, b), y)
    d = turned(d ^ a, 16)
    c = plus(c, d)
    return a, turned(b ^ c, 63), c, d
