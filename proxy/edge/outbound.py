"""HTTP with an upstream, and the pool of its connections.

A connection is lent to one transfer at a time. It comes back only when the exchange ended so that
both sides agree where the next one starts; anything else is reset. Before it is lent again it must
be quiet: an upstream that has closed, or spoken out of turn, is not asked a second time. A tunnel
has a connection of its own, which is never lent again.
"""

import math
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import trio

from proxy.edge.dial import Dialler, Reached
from proxy.edge.hygiene import Examine
from proxy.edge.places import Places
from proxy.edge.stream import Disconnected, Stalled
from proxy.errors import Refusal, UpstreamFailure
from proxy.model import AnswerHead, Framing, Headers, Peer
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.schema import Upstream
from proxy.tls.context import TlsContext
from proxy.wire.client import ClientConnection
from proxy.wire.events import (
    ClientEvent,
    Data,
    EndOfMessage,
    Informational,
    NeedData,
    ResponseHead,
)


class Outbound:
    """One upstream connection: a stream with the client side of HTTP/1.1 on it."""

    def __init__(self, reached: Reached, max_head: int) -> None:
        self.stream = reached.stream
        self.now = trio.lowlevel.current_clock().current_time
        self.endpoint = reached.at
        self.peer = reached.peer
        self.certificate = reached.certificate
        self.until = reached.until
        self.idle_since = 0.0
        self.sender = ""
        """Who has it now."""
        self.stall = math.inf
        """Seconds that it may take nothing of what is sent."""
        self._http = ClientConnection(max_head)
        self._seen: ClientEvent | None = None

    async def send_head(
        self, method: str, target: str, headers: list[tuple[bytes, bytes]], framing: Framing
    ) -> None:
        await self._send([self._http.send_head(method, target, headers, framing)])

    async def send_whole(
        self,
        method: str,
        target: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        framing: Framing | None = None,
        trailers: Headers = (),
    ) -> None:
        """Send a whole request in one write; by its length, unless `framing` is for trailers."""
        framing = framing or Framing(length=len(body))
        head = self._http.send_head(method, target, headers, framing)
        await self._send([head, *self._http.send_data(body), self._http.send_end(trailers)])

    async def send_data(self, data: bytes) -> None:
        await self._send(self._http.send_data(data))

    async def send_end(self, last: bytes, trailers: Headers) -> None:
        """Send the last of the content, and the end, in one write."""
        await self._send([*self._http.send_data(last), self._http.send_end(trailers)])

    async def _send(self, pieces: list[bytes]) -> None:
        try:
            await self.stream.send(pieces, self.now() + self.stall)
        except Disconnected as error:
            raise UpstreamFailure("upstream-closed", str(error)) from None
        except Stalled:
            raise UpstreamFailure("upstream-timeout", "the upstream does not read") from None

    async def head(self) -> AnswerHead:
        """The head of the final answer; interim ones are passed over. Raises UpstreamFailure."""
        while True:
            event = await self.any_head()
            if isinstance(event, AnswerHead):
                return event

    async def any_head(self, deadline: float = math.inf) -> AnswerHead | Informational:
        """The head of the final answer, or an interim one before it. Raises UpstreamFailure."""
        event = self._here()
        if isinstance(event, NeedData):
            event = await self._next(deadline, "no answer in time")
        if isinstance(event, ResponseHead):
            return event.head
        if isinstance(event, Informational):
            return event
        raise UpstreamFailure("upstream-closed", "the connection ended before an answer")

    async def is_empty(self, timeout: float) -> bool:
        """True when the answer ends with its head. Raises as `body`."""
        self._seen = await self.body(timeout)
        return isinstance(self._seen, EndOfMessage)

    async def body(self, timeout: float) -> Data | EndOfMessage:
        """The next piece of the answer, or its end; `timeout` in seconds without any octet."""
        event = self._here()
        if isinstance(event, NeedData):
            event = await self._next(self.now() + timeout, "the answer stalled")
        if isinstance(event, (Data, EndOfMessage)):
            return event
        raise UpstreamFailure("upstream-closed", "the connection ended inside the answer")

    async def _next(self, deadline: float, late: str) -> ClientEvent:
        """What comes next, and has not come yet. Raises UpstreamFailure."""
        while True:
            try:
                self._http.receive(await self.stream.receive(deadline=deadline))
            except Disconnected as error:
                raise UpstreamFailure("upstream-closed", str(error)) from None
            except Stalled:
                raise UpstreamFailure("upstream-timeout", late) from None
            event = self._http.next_event()
            if not isinstance(event, NeedData):
                return event

    def _here(self) -> ClientEvent:
        """What has come already; NeedData where that is nothing."""
        if self._seen is not None:
            seen, self._seen = self._seen, None
            return seen
        return self._http.next_event()

    def reuse(self) -> bool:
        """Make ready for another exchange; False when the connection cannot carry one."""
        self.idle_since = self.now()
        return self._http.next_cycle()

    def fresh(self, seconds: float) -> bool:
        """True when it has been idle for no longer than that, and its peer is acceptable still."""
        return self.now() - self.idle_since <= seconds and self.until > datetime.now(UTC)


class Pool:
    """The connections to one upstream."""

    def __init__(
        self,
        name: str,
        settings: Upstream,
        directory: Path,
        tls: TlsContext | None,
        is_expected: Callable[[Peer], bool],
        metrics: Metrics,
    ) -> None:
        self.name = name
        self.proxy_protocol = settings.proxy_protocol == "v2"
        """A tunnel begins with a header that says who its sender is."""
        self._settings = settings
        self._dialler = Dialler(name, settings, directory, tls, is_expected, metrics)
        self._metrics = metrics
        self._idle: deque[Outbound] = deque()
        self._places = Places(settings.limits.connections)
        self._retired = False
        self.answer_timeout = settings.limits.answer_timeout
        """Seconds from the end of a request to the head of its answer."""

    async def acquire(self, sender: str) -> Outbound:
        """A connection whose peer has been verified, for `sender`. Give it back with `give_back`.

        Raises Refusal `overloaded`, UpstreamFailure `upstream-unreachable` or `upstream-identity`.
        """
        await self._take_place(sender)
        try:
            connection = self._reusable() or await self._connect()
        except BaseException:
            self._places.give(sender)
            raise
        connection.sender = sender
        return connection

    def give_back(self, connection: Outbound, *, complete: bool) -> None:
        """Take back a connection: for reuse when the exchange was `complete`, else to reset it, so
        that an unfinished message cannot be taken for a complete one."""
        limits = self._settings.limits
        room = not self._retired and len(self._idle) < limits.idle_connections
        if complete and room and connection.reuse():
            self._idle.append(connection)
        else:
            connection.stream.abort()
        self._places.give(connection.sender)

    async def reach(self, sender: str) -> Reached:
        """A new connection for a tunnel of `sender`, of whom the place is. Call `leave` in the end.

        Raises as `acquire`.
        """
        await self._take_place(sender)
        try:
            return await self._dialler.connect()
        except BaseException:
            self._places.give(sender)
            raise

    def leave(self, sender: str) -> None:
        """Give the place of a tunnel back, whose connection is closed."""
        self._places.give(sender)

    def report_to(self, log: Log, examine: Examine) -> None:
        """Tell there of handshakes that fail, from now on: the configuration is in force."""
        self._dialler.log, self._dialler.examine = log, examine

    @property
    def idle(self) -> int:
        """How many connections are kept for whoever comes next."""
        return len(self._idle)

    async def retire(self) -> None:
        """Close what is idle, and what comes back from now on: another configuration took over."""
        self._retired = True
        while self._idle:
            await self._idle.popleft().stream.close()

    def expire(self, now: datetime) -> None:
        """Reset what is idle and whose certificate is not good any more, or for too long: what is
        not asked for again would keep its descriptor else."""
        freshest = trio.current_time() - self._settings.limits.idle_timeout
        while self._idle and self._idle[0].idle_since < freshest:
            self._idle.popleft().stream.abort()
        for connection in [each for each in self._idle if each.until < now]:
            self._idle.remove(connection)
            connection.stream.abort()
            taken = (now - connection.until).total_seconds()
            self._metrics.let_go("upstream", "expired", taken)

    def _reusable(self) -> Outbound | None:
        while self._idle:
            connection = self._idle.pop()
            fresh = connection.fresh(self._settings.limits.idle_timeout)
            if fresh and connection.stream.quiet():
                return connection
            connection.stream.abort()
        return None

    async def _take_place(self, sender: str) -> None:
        if self._places.take_nowait(sender):
            return
        with trio.move_on_after(self._settings.limits.connect_timeout) as waiting:
            await self._places.take(sender)
        if waiting.cancelled_caught:
            reason = f"every connection to {self.name} is in use"
            raise Refusal("overloaded", reason, retry_after=1)

    async def _connect(self) -> Outbound:
        return Outbound(await self._dialler.connect(), self._settings.limits.head)
