"""Moves bodies: holds what can be judged whole, streams the rest, withholds the last octets.

    hold      sender -> memory, until the end or until `limit` octets are ready
    forward   memory, then sender -> upstream, while listening for an early answer
    gather    upstream -> memory, the same for the answer
    stream    memory, then upstream -> sender, all but the last piece

Back-pressure is the sockets': no piece is read before the one before it has been sent.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

import trio

from proxy.edge.flow import Flow
from proxy.edge.gate import Lane
from proxy.edge.inbound import Inbound
from proxy.edge.outbound import Outbound
from proxy.edge.transfer import Transfer
from proxy.errors import Refusal, UpstreamFailure
from proxy.model import AnswerHead, Framing, Headers
from proxy.wire.digests import format_sha256
from proxy.wire.events import Data

_PIECE = 256 * 1024
"""Octets of a held body that go out in one write."""
_LAST_WORDS = 1.0
"""Seconds to look for an answer from an upstream that stopped taking the request."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is ready to go on, and whether that is all of it."""

    data: bytes
    whole: bool
    trailers: Headers = ()


@dataclass(frozen=True, slots=True)
class Request:
    """The head that goes to the upstream. `digest_trailer`: a streamed body's digest follows it."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    framing: Framing
    digest_trailer: bool


async def hold(client: Inbound, flow: Flow, lane: Lane) -> Held:
    """Read the request until its end, or until more octets are ready than are to be held.

    Raises Refusal.
    """
    limit, timeout = flow.hold, lane.route.limits.stall_timeout
    ready: list[bytes] = []
    size = 0
    while True:
        event = await client.body(timeout)
        if not isinstance(event, Data):
            ready.append(flow.finish(event.trailers))
            return Held(b"".join(ready), whole=True)
        piece = flow.feed(event.data)
        if piece:
            ready.append(piece)
            size += len(piece)
        if size > limit:
            return Held(b"".join(ready), whole=False)


async def forward_whole(
    transfer: Transfer, lane: Lane, upstream: Outbound, request: Request, held: Held
) -> AnswerHead:
    """Send a request that has been judged whole, and wait for the head of the answer."""
    try:
        await _send_whole(transfer, lane, upstream, request, held.data)
    except UpstreamFailure as failure:
        return await _last_words(upstream, failure)
    transfer.sent_whole = True
    with trio.move_on_after(lane.pool.answer_timeout):
        return await upstream.head()
    raise UpstreamFailure("upstream-timeout", "no answer in time")


async def _send_whole(
    transfer: Transfer, lane: Lane, upstream: Outbound, request: Request, data: bytes
) -> None:
    """In one write when it is small, else piece by piece, so that slow is told from stalled."""
    stall = lane.route.limits.stall_timeout
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
    await _in_time(stall, upstream.send_end(()))


async def _in_time(stall: float, sending: Awaitable[None]) -> None:
    with trio.move_on_after(stall):
        await sending
        return
    raise UpstreamFailure("upstream-timeout", "the upstream does not read")


async def forward_stream(
    transfer: Transfer,
    lane: Lane,
    client: Inbound,
    upstream: Outbound,
    request: Request,
    held: Held,
) -> AnswerHead:
    """Send what is held and stream the rest, listening for an answer that comes early.

    An early answer ends the sending: the request was not forwarded whole, and the verdict says so.
    A refusal on the way resets the upstream's connection, so that what it has is not complete.
    """
    answer: AnswerHead | None = None
    failure: UpstreamFailure | None = None
    refusal: Refusal | None = None
    sending = trio.CancelScope()

    async def listen() -> None:
        nonlocal answer, failure
        try:
            answer = await upstream.head()
        except UpstreamFailure as error:
            failure = error
        sending.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        patience = lane.pool.answer_timeout
        with sending:
            try:
                await _pump(transfer, lane, client, upstream, request, held)
                transfer.sent_whole = True
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


async def _pump(
    transfer: Transfer,
    lane: Lane,
    client: Inbound,
    upstream: Outbound,
    request: Request,
    held: Held,
) -> None:
    flow, stall = transfer.known_request, lane.route.limits.stall_timeout
    head = (request.method, request.target, request.headers, request.framing)
    await _in_time(stall, upstream.send_head(*head))
    piece = held.data
    while True:
        if piece:
            transfer.forwarded += len(piece)
            await _in_time(stall, upstream.send_data(piece))
        event = await client.body(stall)
        if not isinstance(event, Data):
            break
        piece = flow.feed(event.data)
    last = flow.finish(event.trailers)
    if last:
        transfer.forwarded += len(last)
        await _in_time(stall, upstream.send_data(last))
    digest = ((b"content-digest", format_sha256(flow.delivered_sha256)),)
    await _in_time(stall, upstream.send_end(digest if request.digest_trailer else ()))


async def _last_words(upstream: Outbound, failure: UpstreamFailure) -> AnswerHead:
    """An upstream that closed on us may have answered first; otherwise `failure` stands."""
    with trio.move_on_after(_LAST_WORDS):
        try:
            return await upstream.head()
        except UpstreamFailure:
            pass
    raise failure


async def gather(upstream: Outbound, flow: Flow, lane: Lane) -> Held:
    """Read the answer until its end, or until more octets are ready than are to be held.

    Raises UpstreamFailure: upstream-closed, upstream-malformed, upstream-timeout, answer-refused.
    """
    limit, timeout = flow.hold, lane.route.limits.stall_timeout
    ready: list[bytes] = []
    size = 0
    while True:
        event = await upstream.body(timeout)
        if not isinstance(event, Data):
            ready.append(_judged_end(flow, event.trailers))
            return Held(b"".join(ready), whole=True, trailers=event.trailers)
        piece = _judged(flow, event.data)
        if piece:
            ready.append(piece)
            size += len(piece)
        if size > limit:
            return Held(b"".join(ready), whole=False)


async def stream(
    transfer: Transfer, lane: Lane, client: Inbound, upstream: Outbound, flow: Flow, held: Held
) -> Held:
    """Stream the answer to the sender, all but the last piece, which is returned.

    A sender that leaves does not change what the upstream has done: its answer is read no further.
    Raises UpstreamFailure as `gather`, Disconnected when the sender is gone.
    """
    last = held.data
    while True:
        event = await upstream.body(lane.route.limits.stall_timeout)
        if not isinstance(event, Data):
            return Held(last + _judged_end(flow, event.trailers), True, event.trailers)
        piece = _judged(flow, event.data)
        if piece:
            await client.send_data(last)
            transfer.answered += len(last)
            last = piece


def _judged(flow: Flow, data: bytes) -> bytes:
    try:
        return flow.feed(data)
    except Refusal as refusal:
        raise UpstreamFailure("answer-refused", refusal.reason) from None


def _judged_end(flow: Flow, trailers: Headers) -> bytes:
    try:
        return flow.finish(trailers)
    except Refusal as refusal:
        raise UpstreamFailure("answer-refused", refusal.reason) from None
