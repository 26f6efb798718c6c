"""The sending half of a connection: what was announced of a message, and what is still owed of it.

    begin · data… · end -> octets to write, in order

A message is whole only when it says so itself, so one that is cut short never looks complete: less
or more than the length that was announced, and whatever is out of turn, is a defect of ours.
"""

from proxy.errors import LockgateError
from proxy.model import Framing, Headers
from proxy.wire.lines import written


class Outbound:
    """The framing of one message after the other."""

    __slots__ = ("_chunked", "_left", "begun", "ended")

    def __init__(self) -> None:
        self.begun = self.ended = False
        self._chunked = False
        self._left: int | None = None

    def begin(self, framing: Framing) -> None:
        """A head goes out that announces `framing`. Raises `LockgateError`, as all of these do."""
        if self.begun:
            self.require_before_head()
        self.begun = True
        self._chunked = framing.chunked
        self._left = framing.length

    def require_before_head(self) -> None:
        if self.begun:
            raise LockgateError("a head was sent out of turn")

    def data(self, data: bytes) -> list[bytes]:
        """Pieces to write in order, `data` itself among them; none when it is empty."""
        if not data:
            return []
        if not self.begun or self.ended:
            raise LockgateError("content was sent out of turn")
        if self._chunked:
            return [b"%x\r\n" % len(data), data, b"\r\n"]
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise LockgateError("more content was sent than was announced")
        return [data]

    def end(self, trailers: Headers = ()) -> bytes:
        """The end of the message. Trailers are left out where the framing cannot carry them."""
        if not self.begun or self.ended:
            raise LockgateError("the end was sent out of turn")
        if self._left:
            raise LockgateError("less content was sent than was announced, or more")
        self.ended = True
        return written(b"0", trailers, []) if self._chunked else b""

    def cycle(self) -> None:
        """Forget the message that has ended."""
        self.begun = self.ended = False


def framing_lines(framing: Framing) -> list[bytes]:
    """The field line that announces `framing`; none where no field does."""
    if framing.chunked:
        return [b"Transfer-Encoding: chunked"]
    return [] if framing.length is None else [b"Content-Length: %d" % framing.length]
