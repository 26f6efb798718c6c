"""As much HTTP/1.1 as a load test needs: well-formed heads, lengths and chunks, read fast."""

import ssl

_PIECE = 256 * 1024


class Connection:
    """Reads one message after the other. Names of fields are lower case."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._waiting = bytearray()
        self._buffer = memoryview(bytearray(_PIECE))
        self.first = ""
        self.fields: dict[str, str] = {}

    def head(self) -> bool:
        """Read a head into `first` and `fields`. False when the peer has ended the connection."""
        if self._waiting or self._more():
            self.first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            self.fields = {
                name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
            }
            return True
        return False

    def content(self) -> bytes:
        """The content of the message whose head was read, when a length tells its end."""
        size = int(self.fields.get("content-length", "0"))
        while len(self._waiting) < size:
            self._require_more()
        return self._take(size)

    def discard(self) -> int:
        """Read past the content, by length or chunked; its octets."""
        if self.fields.get("transfer-encoding") != "chunked":
            return self._skip(int(self.fields.get("content-length", "0")))
        total = 0
        while size := int(self._until(b"\r\n"), 16):
            total += self._skip(size)
            self._until(b"\r\n")
        while self._until(b"\r\n"):
            pass  # trailers
        return total

    def _skip(self, size: int) -> int:
        there = min(size, len(self._waiting))
        del self._waiting[:there]
        left = size - there
        while left:
            count = self._sock.recv_into(self._buffer, min(left, _PIECE))
            if not count:
                raise ConnectionError("ended in the middle of a message")
            left -= count
        return size

    def _until(self, mark: bytes) -> bytes:
        while (end := self._waiting.find(mark)) < 0:
            self._require_more()
        return self._take(end + len(mark))[:end]

    def _take(self, size: int) -> bytes:
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        return data

    def _require_more(self) -> None:
        if not self._more():
            raise ConnectionError("ended in the middle of a message")

    def _more(self) -> bool:
        count = self._sock.recv_into(self._buffer)
        self._waiting += self._buffer[:count]
        return count > 0
