"""The channel between a worker and the notary: what its frames look like. Bytes in, bytes out.

    frame = u32 length | u8 kind | u64 number | body          (all big-endian)

`length` counts what follows it: 9 for an empty body, at most 1 MiB. The question that yes answers:

    0000000a 40 0000000000000007 01       kind 0x40 (flag), answers number 7, body: yes

    worker to notary                            body
    01 hello      said, nothing more is live    -
    02 hold       I hold this id already        attempt id, claim
    03 conclude   a statement                   submission
    04 resent     a statement, perhaps again    submission
    05 reserve                                  attempt id, claim
    06 release    nobody waits for it any more  attempt id, claim
    07 matches                                  SHA-256, claim
    08 entry                                    u64 index
    09 latest                                   three texts: sender, route, transfer id
    0a shed       refused since the last one    JSON: {"listener:reason": count}
    0b missed     refused for want of the log   u64 since, u64 until (us), JSON: {"reason": count}

    notary to worker
    40 flag       yes or no                     u8
    41 receipt    the statement is durable      u64 index, envelope
    42 earlier    the id is used up             u16 status, u64 index, envelope
    43 leaf       an entry                      envelope
    44 nothing    there is none; id is yours    -
    45 refused    why not                       refusal
    46 ready      intents may be taken, or not  1, or 0 and two texts: code, why not

Rules
- A question has a number of its own, the answer repeats it. Numbers mean nothing but that. Hello,
  hold, shed and ready are told, not asked: their number is 0.
- A frame that does not read is an `EvidenceError`: nothing after it can be trusted, so the channel
  is dropped. What was whole before it counts.
- A frame that the end of the channel cuts off was never said.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from proxy.errors import EvidenceError

MAX_FRAME: Final = 2**20
"""Octets after the length."""
_HEADER: Final = struct.Struct(">IBQ")
_LENGTH: Final = 4
_LEAST: Final = _HEADER.size - _LENGTH

Frame = tuple[int, int, bytes]
"""(kind, number, body)."""


class Kind(IntEnum):
    HELLO = 0x01
    HOLD = 0x02
    CONCLUDE = 0x03
    RESENT = 0x04
    RESERVE = 0x05
    RELEASE = 0x06
    MATCHES = 0x07
    ENTRY = 0x08
    LATEST = 0x09
    SHED = 0x0A
    MISSED = 0x0B
    FLAG = 0x40
    RECEIPT = 0x41
    EARLIER = 0x42
    LEAF = 0x43
    NOTHING = 0x44
    REFUSED = 0x45
    READY = 0x46


def encode(kind: Kind, number: int = 0, body: bytes = b"", more: bytes = b"") -> bytes:
    """One frame, its body in one or two parts. Raises `EvidenceError` where it is too large."""
    length = _LEAST + len(body) + len(more)
    if length > MAX_FRAME:
        raise EvidenceError("a message is larger than a frame of the channel may be")
    return _HEADER.pack(length, kind, number) + body + more


class Decoder:
    """Feed it what arrives, in pieces of any size, and take each iterator to its end."""

    __slots__ = ("_have", "_need", "_parts", "_spoilt")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 0
        self._spoilt = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes. Raises `EvidenceError` at one that does not read."""
        if self._spoilt:
            raise EvidenceError("the channel does not read any more")
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        offset, size, need = 0, len(data), _HEADER.size
        while size - offset >= _HEADER.size:
            length, kind, number = _HEADER.unpack_from(data, offset)
            if not _LEAST <= length <= MAX_FRAME:
                self._spoilt = True
                raise EvidenceError(f"a frame of the channel claims {length} octets")
            need = _LENGTH + length
            if size - offset < need:
                break
            yield kind, number, data[offset + _HEADER.size : offset + need]
            offset += need
            need = _HEADER.size
        if offset < size:
            self._parts.append(data[offset:])
            self._have, self._need = size - offset, need
