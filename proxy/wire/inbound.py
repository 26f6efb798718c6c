"""What a peer sends on one connection: the octets that wait, and what two judges make of them.

Octets wait here, not in h11: the strict grammar finds where a head, a body or a trailer section
ends, and h11 is given exactly that much and must come to the same result. So pipelined octets never
reach h11 early, and whatever the two read differently is refused.

What is kept is bounded: a head or trailer section by `max_head`, a body by what one `receive`
brought, and while a message is complete and not yet answered, one `receive` more.
"""

import h11

from proxy.model import AnswerHead, Framing, Head
from proxy.wire.events import Data, EndOfMessage, NeedData
from proxy.wire.framing import STRAY, Body, Chunked, Fixed, Scan, UntilClose
from proxy.wire.grammar import TooLarge, Ungrammatical


class Incomplete(Exception):
    """The peer's end came inside a message."""

    reason = "the peer closed inside a message"


class Inbound:
    """The receiving half of a connection. `judge` is the h11 connection that must agree."""

    def __init__(self, judge: h11.Connection, max_head: int) -> None:
        self._judge = judge
        self._max_head = max_head
        self._data: bytes | bytearray = b""
        self._start = 0
        self._searched = 0
        self._body: Body | None = None
        self._end: EndOfMessage | None = None
        self.eof = False
        self.over = False
        """True when the end of the message has been handed out."""

    def __len__(self) -> int:
        return len(self._data) - self._start

    @property
    def complete(self) -> bool:
        """True when a message has begun and all of it has been understood."""
        return self._end is not None

    def receive(self, data: bytes) -> None:
        """Add octets; none mean that the peer sends no more."""
        if not data:
            self.eof = True
        elif not len(self):
            self._data, self._start = data, 0
        else:
            if isinstance(self._data, bytearray):
                del self._data[: self._start]
            else:
                self._data = bytearray(memoryview(self._data)[self._start :])
            self._data += data
            self._start = 0

    def take_head(self, first: bytes) -> bytes | None:
        """The next whole head, or None. It must start with one of the octets `first`."""
        data, start = self._data, self._start
        if not len(self):
            return None
        if data[start] not in first:
            raise Ungrammatical("what came does not begin as a message begins")
        at = data.find(b"\r\n\r\n", start + self._searched, start + self._max_head)
        if at >= 0:
            self._searched = 0
            return self._take(at + 4 - start)
        if STRAY.search(data, start + self._searched, start + self._max_head):
            raise Ungrammatical("a control, or a line that does not end in CRLF, in the head")
        if len(self) >= self._max_head:
            raise TooLarge("the head is too large")
        self._searched = max(0, len(self) - 3)
        return None

    def begin(self, raw: bytes, head: Head | AnswerHead) -> None:
        """Show h11 the head that the grammar has read, demand agreement, and await its body."""
        self._judge.receive_data(raw)
        if not _same_head(self._verdict(), head):
            raise Ungrammatical("the grammar and h11 read the head differently")
        if isinstance(head, Head) or head.status >= 200:
            self._body = _body(head.framing, self._max_head)
            if head.framing.empty:
                self._read(self._body)

    def next_body(self) -> Data | EndOfMessage | NeedData:
        """The next piece of the body that has begun, or its end; after that only `NeedData`."""
        if self._body is None or self.over:
            return NeedData()
        if self._end is None:
            data = self._read(self._body)
            if data:
                return Data(data)
            if self._end is None:
                if not self.eof:
                    return NeedData()
                self._close(self._body)
        self.over = True
        return self._end or EndOfMessage()

    def cycle(self) -> None:
        """Forget the message that is complete."""
        self._body = self._end = None
        self.over = False
        self._searched = 0

    def _read(self, body: Body) -> bytes:
        found = body.scan(self._data, self._start)
        raw = self._take(found.end)
        if raw or found.trailers is not None:
            self._require_agreement(raw, found)
        if found.trailers is not None:
            self._end = EndOfMessage(found.trailers)
        if len(found.spans) == 1:
            first, last = found.spans[0]
            return raw[first:last]
        return b"".join(raw[first:last] for first, last in found.spans)

    def _close(self, body: Body) -> None:
        """The peer's end: right after a body until close, wrong inside any other."""
        if not isinstance(body, UntilClose):
            raise Incomplete
        self._judge.receive_data(b"")
        if not isinstance(self._verdict(), h11.EndOfMessage):
            raise Ungrammatical("the grammar and h11 read the body differently")
        self._end = EndOfMessage()

    def _require_agreement(self, raw: bytes, found: Scan) -> None:
        """Show h11 what was understood; it must see as much content, and the same end."""
        if raw:
            self._judge.receive_data(raw)
        size = sum(last - first for first, last in found.spans)
        while isinstance(event := self._verdict(), h11.Data):
            size -= len(event.data)
        if isinstance(event, h11.EndOfMessage):
            agreed = found.trailers is not None and tuple(event.headers) == found.trailers
        else:
            agreed = event is h11.NEED_DATA and found.trailers is None
        if size or not agreed:
            raise Ungrammatical("the grammar and h11 read the body differently")

    def _verdict(self) -> object:
        try:
            return self._judge.next_event()
        except h11.RemoteProtocolError:
            # Its message quotes what the peer wrote.
            raise Ungrammatical("h11 does not accept what the grammar accepts") from None

    def _take(self, size: int) -> bytes:
        taken = bytes(self._data[self._start : self._start + size])
        self._start += size
        if not len(self):
            self._data, self._start = b"", 0
        return taken


def _body(framing: Framing, max_head: int) -> Body:
    if framing.chunked:
        return Chunked(max_head)
    return UntilClose() if framing.length is None else Fixed(framing.length)


def _same_head(event: object, head: Head | AnswerHead) -> bool:
    if isinstance(head, Head):
        same = isinstance(event, h11.Request) and (
            event.method == head.method.encode() and event.target == head.target.encode()
        )
    else:
        kind = h11.Response if head.status >= 200 else h11.InformationalResponse
        same = isinstance(event, kind) and event.status_code == head.status
    if not same or not isinstance(event, h11.Request | h11.Response | h11.InformationalResponse):
        return False
    version = bytes(event.http_version).decode("ascii")
    return version == head.http_version and tuple(event.headers) == head.headers
