r"""Where a body ends that has no length: chunked, or at the peer's close.

Each kind is given octets and an index, and says what content it finds from there on and how far it
has understood them completely; once the message is over it has its `trailers`. Nothing is kept
between calls but counters and a state. Content until close is handed on as it came; that of chunks
is copied once, out of its framing.

Chunked framing is RFC 9112 section 7.1 without its freedoms: a size is 1 to 16 hexadecimal digits
and then CRLF, with no sign, space or extension; content is followed by exactly CRLF. Every chunk
costs about as much as a kilobyte of content does, so chunks that are many and small are refused.

    5\r\nhello\r\n                          a chunk
    0\r\n                                   the last one
    Content-Digest: sha-256=:...:\r\n       trailers, by the grammar of fields
    \r\n
"""

import re
from typing import Final, Protocol

from proxy.model import Headers
from proxy.wire.grammar import trailers
from proxy.wire.lines import STRAY, TooLarge, Ungrammatical

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_PART_OF_SIZE = re.compile(rb"(?:[0-9A-Fa-f]{1,16}\r?)?")

FREE_CHUNKS: Final = 1024
"""Chunks of one message that may be of any size; more of them need `MIN_CHUNK` on average."""
MIN_CHUNK: Final = 16
"""Octets. A chunk of a line or a record is longer."""

_SIZE, _CONTENT, _AFTER, _TRAILERS = range(4)
"""What is expected next in a chunked body: a size, its content, the CRLF behind that, trailers."""


class Body(Protocol):
    trailers: Headers | None
    """None while the message goes on."""

    def read(self, data: bytes, start: int) -> tuple[bytes, int]:
        """Content in `data` from `start` on, and the index behind what has been understood.

        Raises `Ungrammatical`, `TooLarge`.
        """


class UntilClose:
    """An answer's body that ends when the upstream closes; whoever drives it sees that."""

    __slots__ = ("trailers",)

    def __init__(self) -> None:
        self.trailers: Headers | None = None

    def read(self, data: bytes, start: int) -> tuple[bytes, int]:
        return data[start:], len(data)


class Chunked:
    """A chunked body. `max_trailers` bounds its trailer section, in octets."""

    __slots__ = (
        "_chunks",
        "_max_trailers",
        "_remaining",
        "_searched",
        "_size_of_all",
        "_state",
        "trailers",
    )

    def __init__(self, max_trailers: int) -> None:
        self.trailers: Headers | None = None
        self._max_trailers = max_trailers
        self._state = _SIZE
        self._chunks = self._size_of_all = 0
        self._remaining = 0
        self._searched = 0

    def read(self, data: bytes, start: int) -> tuple[bytes, int]:
        spans: list[tuple[int, int]] = []
        at = start
        while self.trailers is None:
            if self._state == _SIZE:
                end = self._read_size(data, at)
            elif self._state == _CONTENT:
                end = self._read_content(data, at)
                spans += [(at, end)] if end > at else []
            elif self._state == _AFTER:
                end = self._read_after(data, at)
            else:
                end = self._read_trailers(data, at)
            if end == at:
                break
            at = end
        return _joined(data, spans), at

    def _read_size(self, data: bytes, at: int) -> int:
        line = _SIZE_LINE.match(data, at)
        if line is None:
            if _PART_OF_SIZE.fullmatch(data, at) is None:
                raise Ungrammatical("a chunk size is not 1 to 16 hexadecimal digits and CRLF")
            return at
        self._remaining = int(line[1], 16)
        if self._remaining:
            self._require_worthwhile(self._remaining)
        self._state = _CONTENT if self._remaining else _TRAILERS
        return line.end()

    def _require_worthwhile(self, size: int) -> None:
        """A size that is only claimed gains nothing: its content comes before the next chunk."""
        self._chunks += 1
        self._size_of_all += size
        if self._chunks > FREE_CHUNKS and self._size_of_all < MIN_CHUNK * self._chunks:
            raise Ungrammatical("chunks too small")

    def _read_content(self, data: bytes, at: int) -> int:
        end = min(at + self._remaining, len(data))
        self._remaining -= end - at
        if not self._remaining:
            self._state = _AFTER
        return end

    def _read_after(self, data: bytes, at: int) -> int:
        seen = data[at : at + 2]
        if not b"\r\n".startswith(seen):
            raise Ungrammatical("a chunk is not followed by CRLF")
        if len(seen) < 2:
            return at
        self._state = _SIZE
        return at + 2

    def _read_trailers(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            self.trailers = ()
            return at + 2
        limit = at + self._max_trailers
        found = data.find(b"\r\n\r\n", at + self._searched, limit)
        if found >= 0:
            self.trailers = trailers(data[at : found + 4])
            return found + 4
        if STRAY.search(data, at + self._searched, limit):
            raise Ungrammatical("a control, or a line that does not end in CRLF, in the trailers")
        if len(data) >= limit:
            raise TooLarge("the trailer section is too large")
        self._searched = max(0, len(data) - at - 3)
        return at


def _joined(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    if len(spans) == 1:
        first, last = spans[0]
        return data[first:last]
    with memoryview(data) as view:
        return b"".join([view[first:last] for first, last in spans])
