r"""Where a body ends: by length, chunked, or at the peer's close.

Each kind looks at raw octets and says how many of them it understands completely (`Scan.end`),
which of those are content (`Scan.spans`, offsets counted from the first octet looked at), and, once
the message is over, its trailers. Nothing is kept between calls but a counter and a state.

Chunked framing is RFC 9112 section 7.1 without its freedoms: a size is 1 to 16 hexadecimal digits
and then CRLF, with no sign, space or extension; content is followed by exactly CRLF. Every chunk
costs about as much as a kilobyte of content does, so chunks that are many and small are refused.

    5\r\nhello\r\n                          a chunk
    0\r\n                                   the last one
    Content-Digest: sha-256=:...:\r\n       trailers, by the grammar of fields
    \r\n
"""

import re
from dataclasses import dataclass, field
from typing import Final, Protocol

from proxy.model import Headers
from proxy.wire.grammar import TooLarge, Ungrammatical, trailers

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_PART_OF_SIZE = re.compile(rb"(?:[0-9A-Fa-f]{1,16}\r?)?")
STRAY = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""What no head or trailer section holds anywhere: a lone CR or LF, a control."""

FREE_CHUNKS: Final = 1024
"""Chunks of one message that may be of any size; more of them need `MIN_CHUNK` on average."""
MIN_CHUNK: Final = 16
"""Octets. A chunk of a line or a record is longer."""


@dataclass(slots=True)
class Scan:
    """What one look at the octets found."""

    end: int
    spans: list[tuple[int, int]] = field(default_factory=list)
    trailers: Headers | None = None
    """None while the message goes on."""


class Body(Protocol):
    def scan(self, data: bytes | bytearray, start: int) -> Scan:
        """Look at `data` from `start`. Raises `Ungrammatical`."""


class Fixed:
    """A body of `length` octets."""

    __slots__ = ("_remaining",)

    def __init__(self, length: int) -> None:
        self._remaining = length

    def scan(self, data: bytes | bytearray, start: int) -> Scan:
        size = min(self._remaining, len(data) - start)
        self._remaining -= size
        spans = [(0, size)] if size else []
        return Scan(size, spans, None if self._remaining else ())


class UntilClose:
    """An answer's body that ends when the upstream closes; whoever drives it sees that."""

    __slots__ = ()

    def scan(self, data: bytes | bytearray, start: int) -> Scan:
        size = len(data) - start
        return Scan(size, [(0, size)] if size else [])


class Chunked:
    """A chunked body. `max_trailers` bounds its trailer section, in octets."""

    __slots__ = ("_chunks", "_max_trailers", "_remaining", "_searched", "_size_of_all", "_state")

    def __init__(self, max_trailers: int) -> None:
        self._max_trailers = max_trailers
        self._state = self._size
        self._chunks = self._size_of_all = 0
        self._remaining = 0
        self._searched = 0

    def scan(self, data: bytes | bytearray, start: int) -> Scan:
        found = Scan(start)
        while found.trailers is None and self._state(data, found):
            pass
        found.end -= start
        found.spans = [(first - start, last - start) for first, last in found.spans]
        return found

    def _size(self, data: bytes | bytearray, found: Scan) -> bool:
        line = _SIZE.match(data, found.end)
        if line is None:
            if _PART_OF_SIZE.fullmatch(data, found.end) is None:
                raise Ungrammatical("a chunk size is not 1 to 16 hexadecimal digits and CRLF")
            return False
        found.end = line.end()
        self._remaining = int(line[1], 16)
        if self._remaining:
            self._require_worthwhile(self._remaining)
        self._state = self._content if self._remaining else self._trailers
        return True

    def _require_worthwhile(self, size: int) -> None:
        """A size that is only claimed gains nothing: its content comes before the next chunk."""
        self._chunks += 1
        self._size_of_all += size
        if self._chunks > FREE_CHUNKS and self._size_of_all < MIN_CHUNK * self._chunks:
            raise Ungrammatical("chunks too small")

    def _content(self, data: bytes | bytearray, found: Scan) -> bool:
        size = min(self._remaining, len(data) - found.end)
        if size:
            found.spans.append((found.end, found.end + size))
            found.end += size
            self._remaining -= size
        if self._remaining:
            return False
        self._state = self._after_content
        return True

    def _after_content(self, data: bytes | bytearray, found: Scan) -> bool:
        seen = bytes(data[found.end : found.end + 2])
        if not b"\r\n".startswith(seen):
            raise Ungrammatical("a chunk is not followed by CRLF")
        if len(seen) < 2:
            return False
        found.end += 2
        self._state = self._size
        return True

    def _trailers(self, data: bytes | bytearray, found: Scan) -> bool:
        start = found.end
        limit = start + self._max_trailers
        end = start + 2
        if data[start:end] != b"\r\n":
            at = data.find(b"\r\n\r\n", start + self._searched, limit)
            end = at + 4 if at >= 0 else 0
        if end:
            found.trailers = trailers(bytes(data[start:end]))
            found.end = end
        elif STRAY.search(data, start + self._searched, limit):
            raise Ungrammatical("a control, or a line that does not end in CRLF, in the trailers")
        elif len(data) >= limit:
            raise TooLarge("the trailer section is too large")
        self._searched = max(0, len(data) - start - 3)
        return False
