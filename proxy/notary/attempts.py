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
from bisect import bisect_right
from itertools import count
from typing import Final, NamedTuple

_OWN: Final = 7
_CHANNEL: Final = 3
_NUMBER: Final = 6
_NAME: Final = re.compile(rf"[0-9]+-([0-9a-f]{{{2 * _OWN}}})-([0-9]{{1,18}})")
_HOLES: Final = 65_536


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
    """Which ids of one channel were heard before: every number but those in the holes between them.

    In the holes are the attempts under way, however long, and those that never had a statement.
    When there are too many the lowest go, and what lay in them is taken for heard before: that
    costs nobody but the worker that left so many.
    """

    def __init__(self, octets: bytes, channel: int) -> None:
        self._octets = octets
        self._channel = channel
        self._prefix = octets + channel.to_bytes(_CHANNEL)
        self._next = 0
        """Follows the highest number that was heard."""
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        """Of each hole, in order."""

    def is_own(self, attempt_id: bytes) -> bool:
        """Whether it was made by this worker, for this channel or one before."""
        channel = int.from_bytes(attempt_id[_OWN : _OWN + _CHANNEL])
        return attempt_id[:_OWN] == self._octets and channel <= self._channel

    def is_new(self, attempt_id: bytes) -> bool:
        """Whether it was made for this channel and comes for the first time; not the second."""
        if not attempt_id.startswith(self._prefix):
            return False
        number = int.from_bytes(attempt_id[_OWN + _CHANNEL :])
        if number < self._next:
            return self._fill(number)
        if number > self._next:
            self._leave(len(self._firsts), self._next, number - 1)
        self._next = number + 1
        return True

    def _fill(self, number: int) -> bool:
        """Take a number out of the hole that it lies in; False where it lies in none."""
        at = bisect_right(self._firsts, number) - 1
        if at < 0 or number > self._lasts[at]:
            return False
        first, last = self._firsts.pop(at), self._lasts.pop(at)
        if number < last:
            self._leave(at, number + 1, last)
        if first < number:
            self._leave(at, first, number - 1)
        return True

    def _leave(self, at: int, first: int, last: int) -> None:
        self._firsts.insert(at, first)
        self._lasts.insert(at, last)
        if len(self._firsts) > _HOLES:
            del self._firsts[0], self._lasts[0]
