"""One client's connection, as its server sees it, without a socket.

    receive(octets) -> next_event() until NeedData    RequestHead · Data… · EndOfMessage
    send_continue · send_interim… · send_head · send_data… · send_end -> octets to write, in order
    next_cycle() -> True: the next request, which may have arrived already

A `Refusal` from `next_event` is final: the connection can still answer, and then must close. The
same goes for an answer that begins before the request has ended, because what the peer is still
sending would have to be read past. Call `receive` only when `next_event` said `NeedData`.
"""

from http import HTTPStatus

from proxy.errors import Refusal
from proxy.model import Framing, Head, Headers
from proxy.wire.events import CLOSED, NEED_DATA, RequestHead, ServerEvent
from proxy.wire.grammar import CHUNKED, NO_CONTENT, UNTIL_CLOSE, request_head
from proxy.wire.inbound import Inbound, Incomplete
from proxy.wire.lines import Fields, TooLarge, Ungrammatical, written
from proxy.wire.outbound import Outbound, framing_lines

_FIRST = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LINES = {
    status.value: b"HTTP/1.1 %d %s" % (status.value, status.phrase.encode("ascii"))
    for status in HTTPStatus
}


class ServerConnection:
    """The protocol of one client connection. `max_head`: octets of a head or trailer section."""

    def __init__(self, max_head: int) -> None:
        self._inbound = Inbound(max_head)
        self._outbound = Outbound()
        self._max_head = max_head
        self._head: Head | None = None
        self._refused: tuple[str, str] | None = None
        """Code and reason. Not the exception, which would hold the frames that hold us."""
        self._closing = False
        self._bodiless = False
        self._expecting = False
        """The peer waits for 100 Continue before it sends its content."""
        self.can_send_trailers = False
        """After `send_head`: whether this answer can carry trailers at all."""

    # --- what comes ---

    def receive(self, data: bytes) -> None:
        """Take octets from the peer; b"" is its end. Raises `Refusal` when too much is kept."""
        if self._inbound.complete and len(self._inbound) > self._max_head:
            raise self._refuse("malformed-request", "more was pipelined than is kept")
        self._inbound.receive(data)

    def next_event(self) -> ServerEvent:
        """What comes next. Raises `Refusal`: malformed-request, head-too-large, upgrade-refused,
        request-incomplete."""
        if self._refused is not None:
            raise Refusal(*self._refused)
        try:
            return self._next_head() if self._head is None else self._next_body()
        except TooLarge as error:
            why = ("head-too-large", error.reason)
        except Ungrammatical as error:
            why = ("malformed-request", error.reason)
        except Incomplete as error:
            why = ("request-incomplete", error.reason)
        except Refusal as error:
            why = (error.code, error.reason)
        raise self._refuse(*why)

    def _next_head(self) -> ServerEvent:
        inbound = self._inbound
        raw = inbound.take_head(_FIRST)
        if raw is not None:
            head = self._head = request_head(raw)
            inbound.begin(head.framing)
            self._expecting = head.expect_continue
            return RequestHead(head)
        if not inbound.eof:
            return NEED_DATA
        if len(inbound):
            raise Incomplete
        return CLOSED

    def _next_body(self) -> ServerEvent:
        event = self._inbound.next_body()
        if event is NEED_DATA:
            return CLOSED if self._inbound.eof and self._inbound.complete else event
        self._expecting = False
        return event

    def _refuse(self, code: str, reason: str) -> Refusal:
        self._closing = True
        self._refused = (code, reason)
        return Refusal(code, reason)

    # --- what goes ---

    def send_continue(self) -> bytes:
        """100 Continue; nothing when the peer does not, or no longer, wait for it."""
        return self.send_interim(100, []) if self._expecting else b""

    def send_interim(self, status: int, headers: Fields) -> bytes:
        """An interim answer, 1xx; nothing to HTTP/1.0, which knows none (RFC 9110, 15.2)."""
        if self._head is None or self._head.http_version != "1.1":
            return b""
        self._outbound.require_before_head()
        self._expecting = False
        return written(_status_line(status), headers, [])

    def send_head(self, status: int, headers: Fields, framing: Framing) -> bytes:
        """The head of the final answer.

        Framing fields are made from `framing` alone (RFC 9112 section 6). 204 has none; 304 and
        answers to HEAD only a length that is not zero; the content of all three is not sent. Of
        unknown length (`Framing()`) or chunked: chunked to HTTP/1.1, until close to HTTP/1.0.
        """
        head = self._head
        if not self._inbound.complete:
            self._closing = True
        if framing.length is None:
            modern = head is not None and head.http_version == "1.1"
            framing = CHUNKED if modern else UNTIL_CLOSE
        self._expecting = False
        self._bodiless = status in (204, 304) or (head is not None and head.method == "HEAD")
        self.can_send_trailers = framing.chunked and not self._bodiless
        told = not self._bodiless or (status != 204 and bool(framing.length))
        last = framing_lines(framing) if told else []
        if self.will_close:
            last.append(b"Connection: close")
        sent = written(_status_line(status), headers, last)
        self._outbound.begin(NO_CONTENT if self._bodiless else framing)
        return sent

    def send_data(self, data: bytes) -> list[bytes]:
        """Pieces to write in order, `data` itself among them; none when no content may follow."""
        return [] if self._bodiless else self._outbound.data(data)

    def send_end(self, trailers: Headers = ()) -> bytes:
        """The end of the answer. Trailers are left out where the framing cannot carry them."""
        return self._outbound.end(trailers)

    # --- how it goes on ---

    @property
    def will_close(self) -> bool:
        """True when the connection must be closed after this answer."""
        asked = self._head is not None and not self._head.keep_alive
        return self._closing or asked or (self._inbound.eof and not len(self._inbound))

    @property
    def idle(self) -> bool:
        """True between requests, while no octet of a next one has arrived."""
        return self._head is None and not len(self._inbound) and not self._closing

    def require_close(self) -> None:
        """Close after this answer; its head says so when it has not been sent yet."""
        self._closing = True

    def next_cycle(self) -> bool:
        """Go on to the next request, once this answer has ended; False when it must close."""
        if self.will_close or not self._inbound.complete or not self._outbound.ended:
            return False
        self._inbound.cycle()
        self._outbound.cycle()
        self._head = None
        self._bodiless = self.can_send_trailers = False
        return True


def _status_line(status: int) -> bytes:
    return _LINES.get(status) or b"HTTP/1.1 %d " % status
