"""Sends a request on to the upstream, and hears what comes back, perhaps before it has all gone.

    forward      what is held, in memory or on the disk, and then, unless that is all, what the
                 sender sends, judged as it comes; meanwhile it listens
    what is small, and whole, goes in one write, before there is anything to hear

Rules
- The end of a message is the last thing to go, and only when everything has been judged: the last
  piece where a length is stated, the last chunk where none is. Until then the message cannot be
  taken for complete, and a refusal resets the connection.
- An answer that comes before the end ends the sending: the request was not forwarded whole, and the
  verdict says so. While the end itself is on its way an answer waits for it, because it may well be
  the answer to the whole.
- Interim answers go on to the sender as they come.
"""

import math

import trio

from proxy.edge.inbound import Inbound
from proxy.edge.masks import masked_fields, masked_trailers
from proxy.edge.outbound import Outbound
from proxy.edge.relay import Held, Request, finish
from proxy.edge.spill import Spill
from proxy.edge.transfer import Transfer
from proxy.errors import Refusal, UpstreamFailure
from proxy.model import AnswerHead, Headers
from proxy.wire.digests import format_sha256
from proxy.wire.events import Data
from proxy.wire.headers import forward_interim

_PIECE = 256 * 1024
"""Octets of a held body that go out in one write, so that slow is told from stalled."""
_LAST_WORDS = 1.0
"""Seconds to look for an answer from an upstream that stopped taking the request, and for the end
of a request to go out when the answer is there already."""


async def forward(
    transfer: Transfer, client: Inbound, upstream: Outbound, request: Request, held: Held
) -> AnswerHead:
    """Send the request, and wait for the head of the answer, which may come early.

    Raises what the content stops refuse, Refusal when the sender fails, UpstreamFailure.
    """
    upstream.stall = transfer.known_request.stall
    if held.whole and held.spill is None and len(held.data) <= _PIECE:
        return await _forward_small(transfer, client, upstream, request, held.data)
    answer: AnswerHead | None = None
    failure: UpstreamFailure | None = None
    refusal: Refusal | None = None
    pump = _Pump(transfer, client, upstream, request)

    async def listen() -> None:
        nonlocal answer, failure
        try:
            answer = await _answer_head(transfer, client, upstream)
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
    try:
        if refusal is not None:
            raise refusal
        if answer is not None:
            return answer
        raise failure or UpstreamFailure("upstream-timeout", "no answer in time")
    finally:
        del refusal, failure  # which hold this frame: both would be freed late


async def _forward_small(
    transfer: Transfer, client: Inbound, upstream: Outbound, request: Request, data: bytes
) -> AnswerHead:
    head = (request.method, request.target, request.headers)
    transfer.forwarded = len(data)
    try:
        await upstream.send_whole(*head, data, request.framing, request.trailers)
    except UpstreamFailure as failure:
        return await _last_words(transfer, client, upstream, failure)
    transfer.sent_whole = True
    patience = transfer.known_lane.pool.answer_timeout
    return await _answer_head(transfer, client, upstream, upstream.now() + patience)


async def _answer_head(
    transfer: Transfer, client: Inbound, upstream: Outbound, deadline: float = math.inf
) -> AnswerHead:
    """The head of the final answer. Interim ones before it are for the sender, all of them: none
    was asked for by us, since no expectation is passed on (RFC 9110, section 15.2).

    Raises UpstreamFailure.
    """
    while True:
        event = await upstream.any_head(deadline)
        if isinstance(event, AnswerHead):
            return event
        lane, name = transfer.known_lane, transfer.gate.loaded.settings.name
        fields = forward_interim(event.headers, gateway=name, keep_digest=lane.answers_unseen)
        fields = masked_fields(lane.answer.head, fields, transfer.masked_answer)
        await client.send_interim(event.status, fields)


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
        request = self._request
        head = (request.method, request.target, request.headers, request.framing)
        with self._sending:
            await self._upstream.send_head(*head)
            if held.whole:
                last, trailers = await self._pieces(held), request.trailers
            else:
                last, trailers = await self._stream(held.data)
            self._transfer.forwarded += len(last)
            self._ending = True
            await self._upstream.send_end(last, trailers)
            self._transfer.sent_whole = True

    async def _pieces(self, held: Held) -> bytes:
        """Send what was judged whole, all but the last piece, which is returned."""
        data = held.data
        if held.spill is not None:
            data = await self._spilled(held.spill) + data
            held.spill.close()
        end = (len(data) - 1) // _PIECE * _PIECE
        for start in range(0, end, _PIECE):
            await self._send(data[start : start + _PIECE])
        return data[end:]

    async def _spilled(self, spill: Spill) -> bytes:
        """Send what is on the disk, all but the last block, which is returned."""
        last = b""
        for number in range(spill.blocks):
            block = await spill.read(number)
            if last:
                await self._send(last)
            last = block
        return last

    async def _stream(self, piece: bytes) -> tuple[bytes, Headers]:
        """Send `piece`, and what comes after it, as it is judged; return the last, and trailers."""
        transfer, request = self._transfer, self._request
        flow, kept = transfer.known_request, b""
        sized = request.framing.length is not None
        while True:
            if sized and piece:
                piece, kept = kept, piece
            if piece:
                await self._send(piece)
            event = await self._client.body(self._stall)
            if not isinstance(event, Data):
                break
            piece = flow.feed(event.data)
        last = kept + await finish(flow, event.trailers)
        transfer.require_in_force()
        trailers = masked_trailers(transfer, event.trailers, request.keep_digest)
        if request.digest_trailer:
            trailers.append((b"content-digest", format_sha256(flow.delivered_sha256)))
        return last, tuple(trailers)

    async def _send(self, piece: bytes) -> None:
        self._transfer.forwarded += len(piece)
        await self._upstream.send_data(piece)


async def _last_words(
    transfer: Transfer, client: Inbound, upstream: Outbound, failure: UpstreamFailure
) -> AnswerHead:
    """An upstream that closed on us may have answered first; otherwise `failure` stands."""
    try:
        deadline = trio.current_time() + _LAST_WORDS
        return await _answer_head(transfer, client, upstream, deadline)
    except UpstreamFailure:
        pass
    try:
        raise failure
    finally:
        del failure  # which holds this frame: both would be freed late
