"""Whose attempt an id is: a worker makes no ids but its own, and the notary knows them.

An attempt id is 16 octets, as random to a reader of the log as it needs to be:

    worker (7) ‖ channel u24be ‖ number u48be
    9f8e7d6c5b4a39 000002 00000000002a        its 43rd attempt, made while it had its third channel

The supervisor draws the seven octets and writes them into the worker's name, with the size that the
log had: `1-9f8e7d6c5b4a39-700`. It counts the channels, one a notary. So the notary can tell

- an attempt of another, which ends the channel: no worker can take another's verdict away;
- one that may have its statement already, from another channel or for a second time: that one is
  looked up, from entry 700 on, and gets no second entry, by which nobody could audit the log;
- one that is new: the number comes for the first time on the channel that it was made for.

A name of another form says nothing of ids: any id may be its own, and is taken for new.
"""

import re
import secrets
from itertools import count
from typing import Final, NamedTuple

_OWN: Final = 7
_CHANNEL: Final = 3
_NUMBER: Final = 6
_NAME: Final = re.compile(rf"[0-9]+-([0-9a-f]{{{2 * _OWN}}})-([0-9]{{1,18}})")
_BLOCK: Final = 65_536
"""Numbers that are remembered together."""
_BLOCKS: Final = 16


class Own(NamedTuple):
    """What a worker's name says of its attempts."""

    octets: bytes
    """With which their ids begin."""
    since: int
    """No entry before this one is about them."""


def name_worker(position: int, size: int) -> str:
    """A name for a worker that begins when the log has `size` entries, or a few more."""
    return f"{position}-{secrets.token_hex(_OWN)}-{size}"


def own(name: str) -> Own | None:
    """What a name says; None where it is of another form."""
    found = _NAME.fullmatch(name)
    return None if found is None else Own(bytes.fromhex(found[1]), int(found[2]))


class AttemptIds:
    """A worker's ids: each call gives the next, and none comes twice."""

    def __init__(self, name: str) -> None:
        found = own(name)
        self._octets = secrets.token_bytes(_OWN) if found is None else found.octets
        self._numbers = count()
        self.begin(0)

    def begin(self, channel: int) -> None:
        """From now on they are made for this channel."""
        self._prefix = self._octets + channel.to_bytes(_CHANNEL)

    def __call__(self) -> bytes:
        return self._prefix + next(self._numbers).to_bytes(_NUMBER)


class Heard:
    """Which ids of one channel were heard before. Some million numbers are remembered.

    A number below them is taken for heard before; one far above them moves them, which costs nobody
    but the worker that leapt.
    """

    def __init__(self, octets: bytes, channel: int) -> None:
        self._octets = octets
        self._channel = channel
        self._prefix = octets + channel.to_bytes(_CHANNEL)
        self._blocks: dict[int, bytearray] = {}
        self._floor = 0
        """Of the blocks below nothing is known."""

    def is_own(self, attempt_id: bytes) -> bool:
        """Whether it was made by this worker, for this channel or one before."""
        channel = int.from_bytes(attempt_id[_OWN : _OWN + _CHANNEL])
        return attempt_id[:_OWN] == self._octets and channel <= self._channel

    def is_new(self, attempt_id: bytes) -> bool:
        """Whether it was made for this channel and comes for the first time; not the second."""
        if not attempt_id.startswith(self._prefix):
            return False
        block, place = divmod(int.from_bytes(attempt_id[_OWN + _CHANNEL :]), _BLOCK)
        bits = self._blocks.get(block)
        if bits is None:
            if block < self._floor:
                return False
            bits = self._blocks[block] = bytearray(_BLOCK // 8)
            if len(self._blocks) > _BLOCKS:
                lowest = min(self._blocks)
                del self._blocks[lowest]
                self._floor = lowest + 1
        at, bit = place >> 3, 1 << (place & 7)
        if bits[at] & bit or block < self._floor:
            return False
        bits[at] |= bit
        return True
