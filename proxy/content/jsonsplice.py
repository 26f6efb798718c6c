"""What was made of what the scanner found, put in place.

    block  {"id":7,"ssn": 12 ,"x":1}     hit  the member `"ssn": 12` with the value `12`
    out    {"id":7,"ssn": "[REDACTED]" ,"x":1}      or, dropped,  {"id":7,"x":1}

No octet outside the hits changes, but for the comma that goes with what is dropped; the white space
around it stays where it can. Run as it is, or compiled by Cython as `_jsonsplice` (see jsonscan),
with all that is done to many values in one call: jsontaken, jsontokens, macs.
"""

from array import array
from collections.abc import Iterator, Sequence

from proxy.content.jsontokens import Tokens
from proxy.content.octets import copy

_WIDTH = 5  # as in jsonscan
_SPARE = 1024  # octets beyond those of the block, before there is more to put in place


class Splice:
    """The output of one block in the making."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._room = len(block) + _SPARE
        self._out, self._rest = bytearray(self._room), bytearray(len(block))
        self._placed = array("Q")
        self._length = self._kept = 0
        self._position = 0  # what stands before it is in the output, or gone
        self._dropping = -1  # where the members dropped just before the position started

    def add(
        self,
        hits: "array[int]",
        count: int,
        made: Sequence[bytes | Iterator[bytes | None] | Tokens | None],
    ) -> None:
        """Put what was made of each hit in its place.

        `made` by number of rule: None drops, octets replace every one, an iterator has one for each
        or None to leave it, and so have tokens.
        """
        view, octets = hits, self._block
        marks = array("Q", bytes(8 * count))
        placed, puts = marks, 0
        for n in range(count):
            place = n * _WIDTH
            one = made[view[place]]
            start, end = view[place + 2], view[place + 3]
            if one is None:
                self._drop(view[place + 1], end)
                continue
            self._copy(octets, start)
            placed[puts] = self._length
            puts += 1
            self._replace(octets, one, start, end)
            self._position = end
            self._dropping = -1
        self._placed.extend(marks[:puts])

    def _replace(
        self,
        octets: bytes,
        one: bytes | Iterator[bytes | None] | Tokens,
        start: int,
        end: int,
    ) -> None:
        """The hit from `start` to `end`, as it was made."""
        if isinstance(one, bytes):
            self._put(one, 0, len(one))
            return
        if isinstance(one, Tokens):
            tokens = one
            if not tokens._is_odd():
                self._make_room(tokens._size)
                tokens._put(self._out, self._length)
                self._length += tokens._size
                return
            new = tokens._pass()
        else:
            new = next(one)
        if new is None:
            self._put(octets, start, end)
        else:
            self._put(new, 0, len(new))

    def finish(self, end: int) -> bytes:
        """The whole output, up to the octet of the block at `end`. Call once."""
        self._copy(self._block, end)
        return bytes(memoryview(self._out)[: self._length])

    def placed(self) -> "array[int]":
        """Where in the output each replacement stands, in order."""
        return self._placed

    def rest(self) -> bytes:
        """The output once more, when it is finished, without what was put in place."""
        return bytes(memoryview(self._rest)[: self._kept])

    def _copy(self, octets: bytes, end: int) -> None:
        """What stands between the position and `end`, as it is."""
        start = self._position
        self._put(octets, start, end)
        copy(self._rest, self._kept, octets, start, end)
        self._kept += end - start

    def _put(self, octets: bytes, start: int, end: int) -> None:
        self._make_room(end - start)
        copy(self._out, self._length, octets, start, end)
        self._length += end - start

    def _make_room(self, size: int) -> None:
        if self._length + size > self._room:
            more = self._room // 2 + size
            self._out += bytes(more)
            self._room += more

    def _drop(self, member: int, end: int) -> None:
        if self._dropping < 0 or self._position != member:
            self._copy(self._block, member)
            self._dropping = member
        self._position = end
        after = self._space(end)
        if self._block[after] == 0x2C:
            self._position = self._space(after + 1)
        else:
            self._drop_comma()

    def _space(self, at: int) -> int:
        block, last = self._block, len(self._block) - 1
        while at < last and block[at] in b" \t\n\r":
            at += 1
        return at

    def _drop_comma(self) -> None:
        """Take back the comma before what is dropped, if there is one, and the space after it."""
        block, before = self._block, self._dropping - 1
        while before >= 0 and block[before] in b" \t\n\r":
            before -= 1
        if before >= 0 and block[before] == 0x2C:
            self._length -= self._dropping - before
