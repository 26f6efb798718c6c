"""One connection to an upstream, as its client sees it, without a socket.

    send_head · send_data… · send_end -> octets to write, in order
    receive(octets) -> next_event() until NeedData    Informational… · ResponseHead · Data… · End

An `UpstreamFailure` from `next_event` is final. Octets that nobody asked for make the connection
unusable: they could be taken for the answer to the next request.
"""

import re

from proxy.errors import LockgateError, UpstreamFailure
from proxy.model import Framing, Headers
from proxy.wire.events import CLOSED, NEED_DATA, ClientEvent, Informational, ResponseHead
from proxy.wire.grammar import CHUNKED, answer_head
from proxy.wire.inbound import Inbound, Incomplete
from proxy.wire.lines import Fields, Ungrammatical, written
from proxy.wire.outbound import Outbound, framing_lines

MAX_INTERIM = 16
"""Interim answers to one request; more are refused."""
_WITHOUT_CONTENT = frozenset(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"])
_LINE = re.compile("[!-~]+ [!-~]+ HTTP/1.1")


class ClientConnection:
    """The protocol of one upstream connection. `max_head`: octets of a head or trailer section."""

    def __init__(self, max_head: int) -> None:
        self._inbound = Inbound(max_head)
        self._outbound = Outbound()
        self._method: str | None = None
        self._failed: tuple[str, str] | None = None
        """Code and reason. Not the exception, which would hold the frames that hold us."""
        self._answered = False
        self._kept = True
        """False once the upstream will close behind its answer."""
        self._interim = 0

    # --- what goes ---

    def send_head(self, method: str, target: str, headers: Fields, framing: Framing) -> bytes:
        """The head of a request. `headers` holds Host; framing fields are made from `framing`.

        Raises `UpstreamFailure` when the upstream closed, or spoke, before it was asked.
        """
        if len(self._inbound):
            raise self._fail("upstream-malformed", "the upstream spoke before it was asked")
        if self._inbound.eof:
            raise self._fail("upstream-closed", "the upstream closed before it was asked")
        line = f"{method} {target} HTTP/1.1"
        names = [name for name, _ in headers]
        if _LINE.fullmatch(line) is None or names.count(b"host") != 1:
            raise LockgateError("a request without Host, or whose first line is none")
        if framing.length is None:
            framing = CHUNKED
        told = framing.length != 0 or method not in _WITHOUT_CONTENT
        last = framing_lines(framing) if told else []
        if b"te" in names:
            last.append(b"Connection: TE")  # RFC 9110, section 10.1.4: it goes no further
        sent = written(line.encode("ascii"), headers, last)
        self._outbound.begin(framing)
        self._method = method
        return sent

    def send_data(self, data: bytes) -> list[bytes]:
        """Pieces to write in order, `data` itself among them; none when it is empty."""
        return self._outbound.data(data)

    def send_end(self, trailers: Headers = ()) -> bytes:
        """The end of the request. Trailers are left out where the framing cannot carry them."""
        return self._outbound.end(trailers)

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
        inbound = self._inbound
        if self._method is None or inbound.over:
            return CLOSED if inbound.eof else NEED_DATA
        if self._answered:
            return inbound.next_body()
        raw = inbound.take_head(b"H")
        if raw is None:
            if inbound.eof:
                raise Incomplete
            return NEED_DATA
        return self._head(raw, self._method)

    def _head(self, raw: bytes, method: str) -> ClientEvent:
        head = answer_head(raw, method)
        if head.status < 200:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise Ungrammatical(f"more than {MAX_INTERIM} interim answers")
            return Informational(head.status, head.headers)
        self._inbound.begin(head.framing)
        self._answered = True
        self._kept = head.keep_alive and (head.framing.chunked or head.framing.length is not None)
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
        return quiet and self._kept and self._inbound.complete and self._outbound.ended

    def next_cycle(self) -> bool:
        """Make ready for the next request; False when this connection must be closed."""
        if not self.reusable:
            return False
        self._inbound.cycle()
        self._outbound.cycle()
        self._method = None
        self._answered = False
        self._interim = 0
        return True
