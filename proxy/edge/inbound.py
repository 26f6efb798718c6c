"""HTTP with a sender: events in, answers out, each wait with its own bound."""

import math

import trio

from proxy.edge.mistaken import HANDSHAKE, UnexpectedTls
from proxy.edge.stream import Disconnected, PlainStream, Stalled, Stream
from proxy.errors import Refusal
from proxy.model import Framing, Head, Headers
from proxy.settings.schema import ListenerLimits
from proxy.wire.events import Data, EndOfMessage, NeedData, RequestHead, ServerEvent
from proxy.wire.server import ServerConnection


class Inbound:
    """One sender's connection: a stream with the server side of HTTP/1.1 on it."""

    def __init__(self, stream: Stream, limits: ListenerLimits) -> None:
        self.stream = stream
        self._now = trio.lowlevel.current_clock().current_time
        self._limits = limits
        self._http = ServerConnection(limits.head)
        self.answering = False
        """True once the head of the final answer has been sent."""
        self._end = math.inf
        """When the transfer under way has to be over."""
        self._idle = False
        self._draining = False
        self._used = False
        self._torn = False
        """True while something is being sent, and for good when that was cut short."""

    async def wait(self) -> bool:
        """Wait for the first octet of a request; False when none will come.

        Raises UnexpectedTls where it is one of TLS, on a connection without.
        """
        deadline = self._now() + self._limits.idle_timeout
        self._idle = True
        try:
            while self._http.idle:
                data = b"" if self._draining else await self.stream.receive(deadline=deadline)
                if not data:
                    return False
                if data.startswith(HANDSHAKE) and isinstance(self.stream, PlainStream):
                    raise UnexpectedTls("a TLS handshake where HTTP is spoken without")
                self._http.receive(data)
            return True
        except UnexpectedTls:
            raise
        except (Disconnected, Stalled):
            return False
        finally:
            self._idle = False

    def drain(self, *, spare_new: bool = False) -> None:
        """Let the transfer under way be the last; an idle connection ends at once.

        With `spare_new` one that has carried nothing yet may carry its first: its peer has just
        shaken hands, and cannot know why it should try again.
        """
        self._http.require_close()
        if spare_new and not self._used:
            return
        self._draining = True
        if self._idle:
            self.stream.give_up()

    async def head(self) -> Head:
        """The head of the next request. Raises Refusal."""
        self._end = math.inf
        self._used = True
        event = self._http.next_event()
        if isinstance(event, NeedData):
            event = await self._next(self._now() + self._limits.head_timeout)
        if isinstance(event, RequestHead):
            return event.head
        if isinstance(event, NeedData):
            raise Refusal("request-timeout", "the head did not arrive in time")
        raise Refusal("request-incomplete", "the connection ended before a request")

    def end_within(self, seconds: float) -> None:
        """Bound the transfer whose head has come, however slowly either side goes on."""
        self._end = self._now() + seconds

    async def body(self, timeout: float) -> Data | EndOfMessage:
        """The next piece of the body, or its end; `timeout` in seconds without any octet.

        Raises Refusal: malformed-request, request-incomplete, request-timeout.
        """
        event = self._http.next_event()
        if isinstance(event, NeedData):
            event = await self._next(min(self._now() + timeout, self._end))
        if isinstance(event, (Data, EndOfMessage)):
            return event
        if not isinstance(event, NeedData):
            raise Refusal("request-incomplete", "the connection ended inside the content")
        if self._now() >= self._end:
            self._end = math.inf  # to say so
            raise Refusal("request-timeout", "the content took longer than limits.lifetime")
        raise Refusal("request-timeout", "the content stalled")

    def pass_over(self) -> None:
        """Read past content that has arrived and nobody wants, waiting for none: when that was all
        of it, a refusal does not cost the connection, and the next transfer no handshake."""
        try:
            while isinstance(self._http.next_event(), Data):
                pass
        except Refusal:
            pass  # what cannot be read past ends the connection anyway

    async def _next(self, deadline: float) -> ServerEvent:
        """What comes next; NeedData where it has not come by then."""
        while True:
            try:
                data = await self.stream.receive(deadline=deadline)
            except Disconnected:
                data = b""  # in the middle of a message the grammar knows what an end means
            except Stalled:
                return NeedData()
            self._http.receive(data)
            event = self._http.next_event()
            if not isinstance(event, NeedData):
                return event

    async def send_continue(self) -> None:
        """Let a sender that asked first send its content (RFC 9110, section 10.1.1)."""
        await self._send([self._http.send_continue()])

    async def send_interim(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send an interim answer, where the sender knows such. One that is gone learns nothing,
        and whoever sends it the final answer learns that."""
        try:
            await self._send([self._http.send_interim(status, headers)])
        except Disconnected:
            pass

    async def send_head(
        self, status: int, headers: list[tuple[bytes, bytes]], framing: Framing
    ) -> None:
        """Send the head of the final answer. Raises Disconnected."""
        self.answering = True
        await self._send([self._http.send_head(status, headers, framing)])

    async def send_whole(
        self,
        status: int,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        framing: Framing | None = None,
        trailers: Headers = (),
    ) -> None:
        """Send a whole answer in one write. Raises Disconnected.

        `framing` is for answers with trailers, and for those without a body that speak of one: to
        HEAD, and 304.
        """
        self.answering = True
        head = self._http.send_head(status, headers, framing or Framing(length=len(body)))
        await self._send([head, *self._http.send_data(body), self._http.send_end(trailers)])

    async def send_data(self, data: bytes) -> None:
        """Send a piece of a streamed answer. Raises Disconnected."""
        await self._send(self._http.send_data(data))

    async def send_end(self, last: bytes, trailers: Headers) -> None:
        """Send what was withheld, and the end. Raises Disconnected."""
        await self._send([*self._http.send_data(last), self._http.send_end(trailers)])

    async def _send(self, pieces: list[bytes]) -> None:
        if self._torn:
            raise Disconnected("what was sent before did not go out whole")
        self._torn = True
        deadline = min(self._now() + self._limits.idle_timeout, self._end)
        try:
            await self.stream.send(pieces, deadline)
        except Stalled:
            raise Disconnected("the sender does not read its answer") from None
        self._torn = False

    def require_close(self) -> None:
        """Make this answer the last on the connection."""
        self._http.require_close()

    def next_cycle(self) -> bool:
        """Make ready for the next request; False when the connection has to end."""
        self.answering = False
        return not self._draining and self._http.next_cycle()
