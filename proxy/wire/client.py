"""One connection to an upstream, as its client sees it, without a socket.

    send_head · send_data… · send_end -> octets to write, in order
    receive(octets) -> next_event() until NeedData    Informational… · ResponseHead · Data… · End

An `UpstreamFailure` from `next_event` is final. Octets that nobody asked for make the connection
unusable: they could be taken for the answer to the next request.
"""

import h11

from proxy.errors import UpstreamFailure
from proxy.model import Framing, Headers
from proxy.wire.events import ClientEvent, Closed, Informational, NeedData, ResponseHead
from proxy.wire.grammar import Ungrammatical, answer_head
from proxy.wire.inbound import Inbound, Incomplete
from proxy.wire.outbound import Fields, framed, send, spelt

MAX_INTERIM = 16
"""Interim answers to one request; more are refused."""
_WITHOUT_CONTENT = frozenset(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"])


class ClientConnection:
    """The protocol of one upstream connection. `max_head`: octets of a head or trailer section."""

    def __init__(self, max_head: int) -> None:
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=max_head)
        self._inbound = Inbound(self._h11, max_head)
        self._method: str | None = None
        self._failed: tuple[str, str] | None = None
        """Code and reason. Not the exception, which would hold the frames that hold us."""
        self._answered = False
        self._interim = 0
        self._chunked = False

    # --- what goes ---

    def send_head(self, method: str, target: str, headers: Fields, framing: Framing) -> bytes:
        """The head of a request. `headers` holds Host; framing fields are made from `framing`.

        Raises `UpstreamFailure` when the upstream closed, or spoke, before it was asked.
        """
        if len(self._inbound):
            raise self._fail("upstream-malformed", "the upstream spoke before it was asked")
        if self._inbound.eof:
            raise self._fail("upstream-closed", "the upstream closed before it was asked")
        told = not framing.empty or method not in _WITHOUT_CONTENT
        fields = framed(headers, framing if told else None)
        if any(name == b"te" for name, _ in headers):
            fields.append((b"Connection", b"TE"))  # RFC 9110, section 10.1.4: it goes no further
        made = send(self._h11, h11.Request, method=method, target=target, headers=fields)
        self._method = method
        self._chunked = framing.length is None
        return b"".join(made)

    def send_data(self, data: bytes) -> list[bytes]:
        """Pieces to write in order, `data` itself among them; none when it is empty."""
        return send(self._h11, h11.Data, data=data) if data else []

    def send_end(self, trailers: Headers = ()) -> bytes:
        """The end of the request. Trailers are left out where the framing cannot carry them."""
        fields = [(spelt(name), value) for name, value in trailers] if self._chunked else []
        return b"".join(send(self._h11, h11.EndOfMessage, headers=fields))

    # --- what comes ---

    def receive(self, data: bytes) -> None:
        """Take octets from the upstream; b"" is its end.

        A stream that TLS did not end properly has no end: its driver must fail instead. Octets
        that nobody waits for are not kept beyond the first.
        """
        waiting = self._method is not None and not self._inbound.complete
        if waiting or not data:
            self._inbound.receive(data)
        elif not len(self._inbound):
            self._inbound.receive(data[:1])

    def next_event(self) -> ClientEvent:
        """What comes next. Raises `UpstreamFailure`: upstream-malformed, upstream-closed."""
        if self._failed is not None:
            raise UpstreamFailure(*self._failed)
        try:
            return self._next_event()
        except Ungrammatical as error:
            why = ("upstream-malformed", error.reason)
        except Incomplete as error:
            why = ("upstream-closed", error.reason)
        raise self._fail(*why)

    def _next_event(self) -> ClientEvent:
        if self._method is None or self._inbound.over:
            return Closed() if self._inbound.eof else NeedData()
        if self._answered:
            return self._inbound.next_body()
        raw = self._inbound.take_head(b"H")
        if raw is None:
            if self._inbound.eof:
                raise Incomplete
            return NeedData()
        return self._head(raw, self._method)

    def _head(self, raw: bytes, method: str) -> ClientEvent:
        head = answer_head(raw, method)
        if head.status == 101:
            raise Ungrammatical("the upstream switched protocols unasked")
        if head.status < 200:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise Ungrammatical(f"more than {MAX_INTERIM} interim answers")
            self._inbound.begin(raw, head)
            return Informational(head.status, head.headers)
        self._inbound.begin(raw, head)
        self._answered = True
        return ResponseHead(head)

    def _fail(self, code: str, reason: str) -> UpstreamFailure:
        self._failed = (code, reason)
        return UpstreamFailure(code, reason)

    # --- how it goes on ---

    @property
    def reusable(self) -> bool:
        """True when nothing is in flight and the next request may be sent on this connection."""
        quiet = not len(self._inbound) and not self._inbound.eof and self._failed is None
        if self._method is None:
            return quiet
        # h11 is never DONE, but MUST_CLOSE, after HTTP/1.0, Connection: close or until-close.
        done = self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE
        return quiet and done

    def next_cycle(self) -> bool:
        """Make ready for the next request; False when this connection must be closed."""
        if not self.reusable:
            return False
        if self._method is not None:
            self._h11.start_next_cycle()
            self._inbound.cycle()
        self._method = None
        self._answered = False
        self._interim = 0
        return True
