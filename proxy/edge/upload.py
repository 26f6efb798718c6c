"""Sends a request on to the upstream, and hears what comes back, perhaps before it has all gone.

    forward_whole    what is in memory and has been judged whole
    forward_stream   what is in memory, then what the sender sends, judged as it comes

Rules
- The end of a message is the last thing to go, and only when everything has been judged: the last
  piece where a length is stated, the last chunk where none is. Until then the message cannot be
  taken for complete, and a refusal resets the connection.
- An answer that comes before the end ends the sending: the request was not forwarded whole, and the
  verdict says so. While the end itself is on its way an answer waits for it, because it may well be
  the answer to the whole.
"""

from collections.abc import Awaitable

import trio

from proxy.edge.inbound import Inbound
from proxy.edge.outbound import Outbound
from proxy.edge.relay import Held, Request, finish
from proxy.edge.transfer import Transfer
from proxy.errors import Refusal, UpstreamFailure
from proxy.model import AnswerHead
from proxy.wire.digests import format_sha256
from proxy.wire.events import Data

_PIECE = 256 * 1024
"""Octets of a held body that go out in one write."""
_LAST_WORDS = 1.0
"""Seconds to look for an answer from an upstream that stopped taking the request, and for the end
of a request to go out when the answer is there already."""


async def forward_whole(
    transfer: Transfer, upstream: Outbound, request: Request, held: Held
) -> AnswerHead:
    """Send a request that has been judged whole, and wait for the head of the answer."""
    try:
        await _send_whole(transfer, upstream, request, held.data)
    except UpstreamFailure as failure:
        return await _last_words(upstream, failure)
    transfer.sent_whole = True
    with trio.move_on_after(transfer.known_lane.pool.answer_timeout):
        return await upstream.head()
    raise UpstreamFailure("upstream-timeout", "no answer in time")


async def _send_whole(
    transfer: Transfer, upstream: Outbound, request: Request, data: bytes
) -> None:
    """In one write when it is small, else piece by piece, so that slow is told from stalled."""
    stall = transfer.known_request.stall
    head = (request.method, request.target, request.headers)
    if len(data) <= _PIECE:
        transfer.forwarded = len(data)
        await _in_time(stall, upstream.send_whole(*head, data))
        return
    await _in_time(stall, upstream.send_head(*head, request.framing))
    for start in range(0, len(data), _PIECE):
        piece = data[start : start + _PIECE]
        transfer.forwarded += len(piece)
        await _in_time(stall, upstream.send_data(piece))
    await _in_time(stall, upstream.send_end(b"", ()))


async def forward_stream(
    transfer: Transfer, client: Inbound, upstream: Outbound, request: Request, held: Held
) -> AnswerHead:
    """Send what is held and stream the rest, listening for an answer that comes early.

    Raises what the content stops refuse, Refusal when the sender fails, UpstreamFailure.
    """
    answer: AnswerHead | None = None
    failure: UpstreamFailure | None = None
    refusal: Refusal | None = None
    pump = _Pump(transfer, client, upstream, request)

    async def listen() -> None:
        nonlocal answer, failure
        try:
            answer = await upstream.head()
        except UpstreamFailure as error:
            failure = error
        pump.enough()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        patience = transfer.known_lane.pool.answer_timeout
        try:
            await pump.run(held)
        except UpstreamFailure as error:
            failure, patience = error, _LAST_WORDS
        except Refusal as error:
            refusal, patience = error, 0
        nursery.cancel_scope.deadline = trio.current_time() + patience
    if refusal is not None:
        raise refusal
    if answer is not None:
        return answer
    raise failure or UpstreamFailure("upstream-timeout", "no answer in time")


class _Pump:
    """Moves a body from the sender to the upstream, until its end or until it is `enough`."""

    def __init__(
        self, transfer: Transfer, client: Inbound, upstream: Outbound, request: Request
    ) -> None:
        self._transfer = transfer
        self._client = client
        self._upstream = upstream
        self._request = request
        self._stall = transfer.known_request.stall
        self._sending = trio.CancelScope()
        self._ending = False

    def enough(self) -> None:
        """The upstream has answered, or failed: send no more than an end that is on its way."""
        grace = _LAST_WORDS if self._ending else 0
        self._sending.deadline = trio.current_time() + grace

    async def run(self, held: Held) -> None:
        """Send everything. Raises Refusal, UpstreamFailure."""
        with self._sending:
            await self._run(held)
            self._transfer.sent_whole = True

    async def _run(self, held: Held) -> None:
        flow, request = self._transfer.known_request, self._request
        head = (request.method, request.target, request.headers, request.framing)
        await _in_time(self._stall, self._upstream.send_head(*head))
        sized = request.framing.length is not None
        piece, kept = held.data, b""
        while True:
            if sized and piece:
                piece, kept = kept, piece
            if piece:
                self._transfer.forwarded += len(piece)
                await _in_time(self._stall, self._upstream.send_data(piece))
            event = await self._client.body(self._stall)
            if not isinstance(event, Data):
                break
            piece = flow.feed(event.data)
        last = kept + await finish(flow, event.trailers)
        digest = ((b"content-digest", format_sha256(flow.delivered_sha256)),)
        self._transfer.forwarded += len(last)
        self._ending = True
        end = self._upstream.send_end(last, digest if request.digest_trailer else ())
        await _in_time(self._stall, end)


async def _in_time(stall: float, sending: Awaitable[None]) -> None:
    with trio.move_on_after(stall):
        await sending
        return
    raise UpstreamFailure("upstream-timeout", "the upstream does not read")


async def _last_words(upstream: Outbound, failure: UpstreamFailure) -> AnswerHead:
    """An upstream that closed on us may have answered first; otherwise `failure` stands."""
    with trio.move_on_after(_LAST_WORDS):
        try:
            return await upstream.head()
        except UpstreamFailure:
            pass
    raise failure
