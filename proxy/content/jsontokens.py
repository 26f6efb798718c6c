"""Tokens on their way into the output, one after another (see tokens for what they are).

    before  "tok:k1:      values  16 octets each      checks  16 octets each, of which 8 count
    out     "tok:k1:gWopFWmWiITsm-TNR1CvGgcQZ3ihiGo7"

Compiled with jsonsplice; where it is not, tokens has the same made by other means, a list at once,
and both are held to the same tests.
"""

from collections.abc import Sequence
from typing import Final

from proxy.content.octets import copy

_VALUE, _BODY = 16, 32  # octets of a value, or of a check, and of their letters
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Tokens:
    """Tokens of one rule, of which a splice takes one after another (see tokens for what they are).

    `values` are 16 octets each, `checks` 16 of which 8 count. `odd` are the numbers of those that
    are not made so, in order, and `instead` has what replaces each of these, or None to leave it.
    """

    def __init__(
        self,
        before: bytes,
        values: bytes,
        checks: bytes,
        odd: Sequence[int] = (),
        instead: Sequence[bytes | None] = (),
    ) -> None:
        """`before` is what stands before the letters of each; a quote stands behind them."""
        if len(values) != len(checks) or len(values) % _VALUE:
            raise ValueError("not a value and a check for each")
        self._before, self._values, self._checks = before, values, checks
        self._odd = [*odd, -1]
        self._instead = [*instead, None]
        self._count = len(values) // _VALUE
        self._size = len(before) + _BODY + 1
        self._next = self._passed = 0
        self._stop = self._odd[0]

    def _is_odd(self) -> bool:
        """Whether the next is. Raises ValueError where there is none."""
        if self._next >= self._count:
            raise ValueError("more places than tokens")
        return self._next == self._stop

    def _pass(self) -> bytes | None:
        """What replaces the next, which is odd."""
        instead = self._instead[self._passed]
        self._passed += 1
        self._stop = self._odd[self._passed]
        self._next += 1
        return instead

    def _put(self, out: bytearray, place: int) -> None:
        """The next into `out`, which has room for it."""
        before, letters = len(self._before), _LETTERS
        copy(out, place, self._before, 0, before)
        place += before
        self._spell(out, place, self._values, _VALUE * self._next, letters)
        out[place + _BODY] = 0x22
        self._next += 1

    def _spell(self, out: bytearray, place: int, values: bytes, at: int, letters: bytes) -> None:
        """24 octets in 32 letters of base64url (RFC 4648, section 5)."""
        checks = self._checks
        for n in range(5):
            _four(
                out,
                place + 4 * n,
                values[at + 3 * n],
                values[at + 3 * n + 1],
                values[at + 3 * n + 2],
                letters,
            )
        _four(out, place + 20, values[at + 15], checks[at], checks[at + 1], letters)
        _four(out, place + 24, checks[at + 2], checks[at + 3], checks[at + 4], letters)
        _four(out, place + 28, checks[at + 5], checks[at + 6], checks[at + 7], letters)


def _four(out: bytearray, place: int, one: int, two: int, three: int, letters: bytes) -> None:
    out[place] = letters[one >> 2]
    out[place + 1] = letters[(one & 3) << 4 | two >> 4]
    out[place + 2] = letters[(two & 15) << 2 | three >> 6]
    out[place + 3] = letters[three & 63]
