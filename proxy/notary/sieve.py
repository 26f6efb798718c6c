"""Says without the disk that a key is new, which most are: a Bloom filter in generations.

A key sets two bits of the current generation. When that one has taken its share of keys the next
begins, and a generation goes when the last of its keys has expired: nothing is ever removed from
one, and nothing that has not expired is ever missed. With sixteen bits for a key some two in a
hundred new ones look known, and are looked up. Where long windows keep many generations the oldest
are laid over one another: more look known then, and none is missed.
"""

from typing import Final

_BITS: Final = 16
_PARTS: Final = 4
_LEAST: Final = 1_024


class Sieve:
    """For some `capacity` keys that have not expired. Keys are uniform octets, 8 at least."""

    def __init__(self, capacity: int) -> None:
        self._most = max(_LEAST, capacity // _PARTS)
        bits = 1 << (self._most * _BITS - 1).bit_length()
        self._octets = bits // 8
        self._mask = bits - 1
        self._generations: list[bytearray] = []
        self._expires: list[int] = []
        """When the last key of each expires, Unix seconds."""
        self._taken = 0

    def add(self, key: bytes, expires: int) -> None:
        if not self._generations or self._taken >= self._most:
            self._begin(expires)
        current = self._generations[-1]
        self._taken += 1
        self._expires[-1] = max(self._expires[-1], expires)
        for at in self._places(key):
            current[at >> 3] |= 1 << (at & 7)

    def _begin(self, expires: int) -> None:
        self._generations.append(bytearray(self._octets))
        self._expires.append(expires)
        self._taken = 0
        if len(self._generations) > 2 * _PARTS:
            oldest, second = (int.from_bytes(bits) for bits in self._generations[:2])
            self._generations[:2] = [bytearray((oldest | second).to_bytes(self._octets))]
            self._expires[:2] = [max(self._expires[:2])]

    def may_have(self, key: bytes) -> bool:
        """False: it was never added, or has expired."""
        one, two = self._places(key)
        first, first_bit, second, second_bit = one >> 3, 1 << (one & 7), two >> 3, 1 << (two & 7)
        for bits in self._generations:
            if bits[first] & first_bit and bits[second] & second_bit:
                return True
        return False

    def expire(self, now: float) -> None:
        """Forget the generations of which every key has expired."""
        if self._expires and self._expires[-1] <= now:
            self._taken = self._most  # the current one goes too: the next key begins another
        live = [at for at, expires in enumerate(self._expires) if expires > now]
        self._generations = [self._generations[at] for at in live]
        self._expires = [self._expires[at] for at in live]

    def _places(self, key: bytes) -> tuple[int, int]:
        number = int.from_bytes(key[:8], "little")
        return number & self._mask, (number >> 32) & self._mask
