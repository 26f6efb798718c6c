"""What a peer sends on one connection: the octets that wait, and where its messages end in them.

What is kept is bounded: a head or trailer section by `max_head`, a body by what one `receive`
brought, and while a message is complete and not yet answered, one `receive` more.
"""

from proxy.model import Framing
from proxy.wire.events import END, NEED_DATA, Data, EndOfMessage, NeedData
from proxy.wire.framing import Body, Chunked, UntilClose
from proxy.wire.lines import STRAY, TooLarge, Ungrammatical


class Incomplete(Exception):
    """The peer's end came inside a message."""

    reason = "the peer closed inside a message"


class Inbound:
    """The receiving half of a connection."""

    __slots__ = (
        "_body",
        "_data",
        "_left",
        "_max_head",
        "_searched",
        "_start",
        "complete",
        "eof",
        "over",
    )

    def __init__(self, max_head: int) -> None:
        self._max_head = max_head
        self._data = b""
        self._start = 0
        self._searched = 0
        self._left = 0
        """Octets of a body by length that are still to come."""
        self._body: Body | None = None
        """A body of any other framing."""
        self.eof = False
        self.complete = False
        """True when a message has begun and all of it has been understood."""
        self.over = False
        """True when the end of the message has been handed out."""

    def __len__(self) -> int:
        return len(self._data) - self._start

    def receive(self, data: bytes) -> None:
        """Add octets; none mean that the peer sends no more."""
        if not data:
            self.eof = True
            return
        self._data = self._data[self._start :] + data if self._start < len(self._data) else data
        self._start = 0

    def take_head(self, first: bytes) -> bytes | None:
        """The next whole head, or None. It must start with one of the octets `first`."""
        data, start = self._data, self._start
        if start == len(data):
            return None
        if data[start] not in first:
            raise Ungrammatical("what came does not begin as a message begins")
        limit = start + self._max_head
        at = data.find(b"\r\n\r\n", start + self._searched, limit)
        if at >= 0:
            self._searched = 0
            self._start = at + 4
            return data[start : at + 4]
        if STRAY.search(data, start + self._searched, limit):
            raise Ungrammatical("a control, or a line that does not end in CRLF, in the head")
        if len(data) >= limit:
            raise TooLarge("the head is too large")
        self._searched = max(0, len(data) - start - 3)
        return None

    def begin(self, framing: Framing) -> None:
        """Await the body behind the head that has been taken."""
        if framing.length is None:
            self._body = Chunked(self._max_head) if framing.chunked else UntilClose()
        self._left = framing.length or 0
        self.complete = framing.length == 0

    def next_body(self) -> Data | EndOfMessage | NeedData:
        """The next piece of the body that has begun, or its end; after that only `NeedData`."""
        if self.over:
            return NEED_DATA
        if not self.complete:
            piece = self._read()
            if piece:
                return Data(piece)
            if not self.complete:
                if not self.eof:
                    return NEED_DATA
                if not isinstance(self._body, UntilClose):
                    raise Incomplete
                self.complete = True
        self.over = True
        trailers = self._body.trailers if self._body is not None else None
        return EndOfMessage(trailers) if trailers else END

    def _read(self) -> bytes:
        """Content that has come: as it came where that is all there is, uncopied."""
        if self._body is not None:
            piece, end = self._body.read(self._data, self._start)
            self.complete = self._body.trailers is not None
        else:
            end = min(self._start + self._left, len(self._data))
            piece = self._data[self._start : end]
            self._left -= len(piece)
            self.complete = not self._left
        self._start = end
        if end == len(self._data):
            self._data, self._start = b"", 0  # not to keep what has gone on
        return piece

    def cycle(self) -> None:
        """Forget the message that is complete."""
        self._body = None
        self.complete = self.over = False
        if self._start == len(self._data):
            self._data, self._start = b"", 0  # not to keep a head between requests
