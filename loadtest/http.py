"""As much HTTP/1.1 as one large transfer needs: well-formed answers, lengths and chunks."""

import re
import ssl
from collections.abc import Callable
from typing import Final

_PIECE: Final = 256 * 1024
_LENGTH: Final = re.compile(rb"(?i)\ncontent-length: *([0-9]+)")
_CHUNKED: Final = re.compile(rb"(?i)\ntransfer-encoding: *chunked")


class Connection:
    """Reads one message after the other. Every method raises ConnectionError at an early end."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._waiting = bytearray()
        self._buffer = memoryview(bytearray(_PIECE))
        self.raw = b""
        """The head, without its empty line."""
        self.trailers = b""

    def head(self) -> bool:
        """Read a head. False when the peer has ended the connection."""
        if self._waiting or self._more():
            self.raw, self.trailers = self._until(b"\r\n\r\n") + b"\r\n", b""
            return True
        return False

    def content(self) -> bytes:
        """The content of the message whose head was read, however its end is told."""
        parts: list[bytes] = []
        self.discard(lambda piece: parts.append(bytes(piece)))
        return b"".join(parts)

    def discard(self, take: Callable[[memoryview], None]) -> int:
        """Hand the content on in pieces, which are gone with the next; its octets."""
        if not _CHUNKED.search(self.raw):
            found = _LENGTH.search(self.raw)
            return self._pass(int(found[1]) if found else 0, take)
        total = 0
        while size := int(self._until(b"\r\n"), 16):
            total += self._pass(size, take)
            self._until(b"\r\n")
        while line := self._until(b"\r\n"):
            self.trailers += line + b"\r\n"
        return total

    def _pass(self, size: int, take: Callable[[memoryview], None]) -> int:
        there = self._take(min(size, len(self._waiting)))
        take(memoryview(there))
        left = size - len(there)
        while left:
            count = self._sock.recv_into(self._buffer, min(left, _PIECE))
            if not count:
                raise ConnectionError("ended in the middle of a message")
            take(self._buffer[:count])
            left -= count
        return size

    def _until(self, mark: bytes) -> bytes:
        while (end := self._waiting.find(mark)) < 0:
            if not self._more():
                raise ConnectionError("ended in the middle of a message")
        return self._take(end + len(mark))[:end]

    def _take(self, size: int) -> bytes:
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        return data

    def _more(self) -> bool:
        count = self._sock.recv_into(self._buffer)
        self._waiting += self._buffer[:count]
        return count > 0
