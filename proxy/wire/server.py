"""One client's connection, as its server sees it, without a socket.

    receive(octets) -> next_event() until NeedData    RequestHead · Data… · EndOfMessage
    send_continue · send_interim… · send_head · send_data… · send_end -> octets to write, in order
    next_cycle() -> True: the next request, which may have arrived already

A `Refusal` from `next_event` is final: the connection can still answer, and then must close. The
same goes for an answer that begins before the request has ended, because what the peer is still
sending would have to be read past. Call `receive` only when `next_event` said `NeedData`.
"""

from http import HTTPStatus

import h11

from proxy.errors import Refusal
from proxy.model import Framing, Head, Headers
from proxy.wire.events import Closed, NeedData, RequestHead, ServerEvent
from proxy.wire.grammar import TooLarge, Ungrammatical, request_head
from proxy.wire.inbound import Inbound, Incomplete
from proxy.wire.outbound import Fields, framed, send, spelt

_FIRST = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}


class ServerConnection:
    """The protocol of one client connection. `max_head`: octets of a head or trailer section."""

    def __init__(self, max_head: int) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=max_head)
        self._inbound = Inbound(self._h11, max_head)
        self._max_head = max_head
        self._head: Head | None = None
        self._refused: tuple[str, str] | None = None
        """Code and reason. Not the exception, which would hold the frames that hold us."""
        self._closing = False
        self._bodiless = False
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
            return self._next_event()
        except TooLarge as error:
            why = ("head-too-large", error.reason)
        except Ungrammatical as error:
            why = ("malformed-request", error.reason)
        except Incomplete as error:
            why = ("request-incomplete", error.reason)
        except Refusal as error:
            why = (error.code, error.reason)
        raise self._refuse(*why)

    def _next_event(self) -> ServerEvent:
        if self._head is not None:
            event = self._inbound.next_body()
            over = isinstance(event, NeedData) and self._inbound.complete
            return Closed() if over and self._inbound.eof else event
        raw = self._inbound.take_head(_FIRST)
        if raw is not None:
            head = request_head(raw)
            self._inbound.begin(raw, head)
            self._head = head
            return RequestHead(head)
        if not self._inbound.eof:
            return NeedData()
        if len(self._inbound):
            raise Incomplete
        return Closed()

    def _refuse(self, code: str, reason: str) -> Refusal:
        self._closing = True
        self._refused = (code, reason)
        return Refusal(code, reason)

    # --- what goes ---

    def send_continue(self) -> bytes:
        """100 Continue; nothing when the peer does not, or no longer, wait for it."""
        if not self._h11.they_are_waiting_for_100_continue:
            return b""
        made = send(
            self._h11, h11.InformationalResponse, status_code=100, headers=[], reason=b"Continue"
        )
        return b"".join(made)

    def send_interim(self, status: int, headers: Fields) -> bytes:
        """An interim answer, 1xx; nothing to HTTP/1.0, which knows none (RFC 9110, 15.2)."""
        if self._head is None or self._head.http_version != "1.1":
            return b""
        fields = framed(headers, None)
        reason = _REASONS.get(status, b"")
        kind = h11.InformationalResponse
        made = send(self._h11, kind, status_code=status, headers=fields, reason=reason)
        return b"".join(made)

    def send_head(self, status: int, headers: Fields, framing: Framing) -> bytes:
        """The head of the final answer.

        Framing fields are made from `framing` alone (RFC 9112 section 6). 204 has none; 304 and
        answers to HEAD only a length that is not zero; the content of all three is not sent. Of
        unknown length (`Framing()`) or chunked: chunked to HTTP/1.1, until close to HTTP/1.0.
        """
        head = self._head
        if not self._inbound.complete:
            self._closing = True
        self._bodiless = status in (204, 304) or (head is not None and head.method == "HEAD")
        told = not self._bodiless or (status != 204 and bool(framing.length))
        fields = framed(headers, framing if told else None)
        if self.will_close:
            fields.append((b"Connection", b"close"))
        modern = head is not None and head.http_version == "1.1"
        self.can_send_trailers = framing.length is None and not self._bodiless and modern
        reason = _REASONS.get(status, b"")
        made = send(self._h11, h11.Response, status_code=status, headers=fields, reason=reason)
        return b"".join(made)

    def send_data(self, data: bytes) -> list[bytes]:
        """Pieces to write in order, `data` itself among them; none when no content may follow."""
        return send(self._h11, h11.Data, data=data) if data and not self._bodiless else []

    def send_end(self, trailers: Headers = ()) -> bytes:
        """The end of the answer. Trailers are left out where the framing cannot carry them."""
        fields = [(spelt(name), value) for name, value in trailers]
        fields = fields if self.can_send_trailers else []
        return b"".join(send(self._h11, h11.EndOfMessage, headers=fields))

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
        if self.will_close or not self._inbound.complete or self._h11.our_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        self._inbound.cycle()
        self._head = None
        self._bodiless = self.can_send_trailers = False
        return True
