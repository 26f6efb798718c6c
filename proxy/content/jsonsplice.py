"""What the scanner found, taken out, and what was made of it, put in place.

    block  {"id":7,"ssn": 12 ,"x":1}     hit  the member `"ssn": 12` with the value `12`
    out    {"id":7,"ssn": "[REDACTED]" ,"x":1}      or, dropped,  {"id":7,"x":1}

No octet outside the hits changes, but for the comma that goes with what is dropped; the white space
around it stays where it can. Run as it is, or compiled by Cython as `_jsonsplice` (see jsonscan).
"""

from array import array
from collections.abc import Iterator, Sequence

import orjson

_PLAIN, _ESCAPED, _OTHER, _WIDTH = 0, 1, 3, 5  # as in jsonscan
_PIECES = 4096
"""That wait to be joined."""


def texts(block: bytes, hits: "array[int]", count: int, rule: int, odd: list[int]) -> list[bytes]:
    """What a rule found, decoded: UTF-8 of strings, numbers as sent, b"" for all else.

    `odd` gets the places in the list of all else, and of texts that begin like what masking has put
    in place before: with `[`, `t` or an escape.
    """
    view, octets = hits, block
    found: list[bytes] = []
    for n in range(count):
        place = n * _WIDTH
        if view[place] != rule:
            continue
        start, end, kind = view[place + 2], view[place + 3], view[place + 4]
        if kind == _OTHER:
            odd.append(len(found))
            found.append(b"")
            continue
        if octets[start] == 0x22 and octets[start + 1] in b"[t\\":
            odd.append(len(found))
        if kind == _ESCAPED:
            found.append(orjson.loads(block[start:end]).encode())
        elif kind == _PLAIN:
            found.append(block[start + 1 : end - 1])
        else:
            found.append(block[start:end])
    return found


def raws(block: bytes, hits: "array[int]", count: int, rule: int) -> list[bytes]:
    """What a rule found, as it was sent."""
    view = hits
    found: list[bytes] = []
    for n in range(count):
        place = n * _WIDTH
        if view[place] == rule:
            start, end = view[place + 2], view[place + 3]
            found.append(block[start:end])
    return found


def tally(hits: "array[int]", count: int, found: "array[int]") -> None:
    """Count the hits of each rule in `found`."""
    view, sums = hits, found
    for n in range(count):
        rule = view[n * _WIDTH]
        sums[rule] += 1


class Splice:
    """The output of one block in the making."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._out, self._rest = bytearray(), bytearray()
        self._pieces: list[bytes] = []
        self._kept: list[bytes] = []
        self._placed = array("Q")
        self._places: list[int] = []
        self._length = 0
        self._position = 0  # what stands before it is in the pieces, or gone
        self._dropping = -1  # where the members dropped just before the position started

    def add(
        self,
        hits: "array[int]",
        count: int,
        made: Sequence[bytes | Iterator[bytes | None] | None],
    ) -> None:
        """Put what was made of each hit in its place.

        `made` by number of rule: None drops, octets replace every one, an iterator has one for each
        or None to leave it.
        """
        view = hits
        for n in range(count):
            place = n * _WIDTH
            rule, member = view[place], view[place + 1]
            start, end = view[place + 2], view[place + 3]
            one = made[rule]
            if one is None:
                self._drop(member, end)
                continue
            new = one if isinstance(one, bytes) else next(one)
            if new is None:
                new = self._block[start:end]
            self._copy(start)
            self._places.append(self._length)
            self._pieces.append(new)
            self._length += len(new)
            self._position = end
            self._dropping = -1
        if len(self._pieces) > _PIECES:
            self._out += b"".join(self._pieces)
            self._rest += b"".join(self._kept)
            self._pieces.clear()
            self._kept.clear()
            self._placed.extend(self._places)
            self._places.clear()

    def finish(self, end: int) -> bytes:
        """The whole output, up to the octet of the block at `end`. Call once."""
        self._copy(end)
        rest = b"".join(self._pieces)
        if not self._out:
            return rest
        self._pieces.clear()
        self._out += rest
        whole = bytes(self._out)
        self._out.clear()
        return whole

    def placed(self) -> "array[int]":
        """Where in the output each replacement stands, in order. Call once."""
        self._placed.extend(self._places)
        return self._placed

    def rest(self) -> bytes:
        """The output once more, when it is finished, without what was put in place."""
        kept = b"".join(self._kept)
        return bytes(self._rest) + kept if self._rest else kept

    def _copy(self, end: int) -> None:
        piece = self._block[self._position : end]
        self._pieces.append(piece)
        self._kept.append(piece)
        self._length += len(piece)

    def _drop(self, member: int, end: int) -> None:
        if self._dropping < 0 or self._position != member:
            self._copy(member)
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
            surplus = self._dropping - before
            self._length -= surplus
            if self._pieces:
                last = self._pieces.pop()
                self._pieces.append(last[: len(last) - surplus])
            else:
                del self._out[len(self._out) - surplus :]
