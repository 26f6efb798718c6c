"""Moves bodies: holds what can be judged whole, streams the rest, withholds the last octets.

    hold      sender -> memory, until the end or until `limit` octets are ready; what has to be held
              whole goes on from there -> disk (spill.py), until the end
              (memory or disk, then sender -> upstream: upload.py)
    gather    upstream -> memory, the same for the answer
    stream    memory, then upstream -> sender, all but the last piece

Back-pressure is the sockets': no piece is read before the one before it has been sent.
"""

import trio

from proxy.edge.budget import Share
from proxy.edge.flow import Flow
from proxy.edge.inbound import Inbound
from proxy.edge.outbound import Outbound
from proxy.edge.spill import BLOCK, Spill
from proxy.edge.transfer import Transfer
from proxy.errors import Refusal, UpstreamFailure
from proxy.model import Framing, Headers
from proxy.model.value import value
from proxy.wire.events import Data

_LONG = 256 * 1024
"""Octets of a document that take some ten milliseconds to judge."""
_JUDGE = trio.CapacityLimiter(1)
"""Long documents are judged one at a time: more at once would be no faster, would take as many
times the memory, and would leave no thread to the log."""


@value(frozen=True, slots=True)
class Held:
    """What is ready to go on, and whether that is all of it."""

    data: bytes
    whole: bool
    trailers: Headers = ()
    spill: Spill | None = None
    """What goes before `data`, where it is on the disk."""


@value(frozen=True, slots=True)
class Request:
    """What goes to the upstream beside the content. `digest_trailer`: a streamed body's digest
    follows it; `keep_digest`: what the sender says of the content holds there too."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    framing: Framing
    digest_trailer: bool
    keep_digest: bool
    trailers: Headers
    """Of what was held whole; a stream's are not known yet."""


async def finish(flow: Flow, trailers: Headers) -> bytes:
    """The end of a body, and the last of what is ready. Raises Refusal as `Flow.finish`.

    A long document is judged in a thread, so that it does not hold up every other transfer; a
    transfer that is cut off tells the thread to stop.
    """
    if flow.pending <= _LONG:
        return flow.finish(trailers)
    try:
        return await trio.to_thread.run_sync(
            flow.finish, trailers, limiter=_JUDGE, abandon_on_cancel=True
        )
    except trio.Cancelled:
        flow.abandon()
        raise


async def hold(client: Inbound, flow: Flow, share: Share) -> Held:
    """Read the request until its end, or until more octets are ready than are to be held.

    What has to be held whole is read to its end, which says that all of it holds. Raises Refusal.
    """
    ready: list[bytes] = []
    size, bound = 0, flow.hold
    while True:
        event = await client.body(flow.stall)
        if not isinstance(event, Data):
            ready.append(await finish(flow, event.trailers))
            return Held(b"".join(ready), True, event.trailers, share.spill)
        piece = flow.feed(event.data)
        share.take(len(event.data))
        if piece:
            ready.append(piece)
            size += len(piece)
        if size > bound:
            if not flow.whole:
                return Held(b"".join(ready), whole=False)
            await share.spilling().write(b"".join(ready))
            ready, size, bound = [], 0, BLOCK - 1
            share.keep(flow.pending)


async def look(transfer: Transfer, upstream: Outbound) -> None:
    """Whether an answer that states no length has content at all: one that has none is judged like
    one that says so. Raises UpstreamFailure as `gather`."""
    head = transfer.known_answer_head
    length = head.framing.length
    empty = transfer.known_head.method == "HEAD" or head.status in (204, 304) or length == 0
    if not empty and length is None:
        empty = await upstream.is_empty(transfer.known_lane.route.limits.stall_timeout)
    transfer.answer_has_body = not empty


async def gather(upstream: Outbound, flow: Flow) -> Held:
    """Read the answer until its end, or until more octets are ready than are to be held.

    Raises UpstreamFailure: upstream-closed, upstream-malformed, upstream-timeout, answer-refused.
    """
    ready: list[bytes] = []
    size = 0
    while True:
        event = await upstream.body(flow.stall)
        if not isinstance(event, Data):
            ready.append(await _judged_end(flow, event.trailers))
            return Held(b"".join(ready), whole=True, trailers=event.trailers)
        piece = _judged(flow, event.data)
        if piece:
            ready.append(piece)
            size += len(piece)
        if size > flow.hold:
            return Held(b"".join(ready), whole=False)


async def stream(transfer: Transfer, client: Inbound, upstream: Outbound, held: Held) -> Held:
    """Stream the answer to the sender, all but the last piece, which is returned.

    A sender that leaves does not change what the upstream has done: its answer is read no further.
    Raises UpstreamFailure as `gather`, Disconnected when the sender is gone.
    """
    flow, last = transfer.known_answer, held.data
    while True:
        event = await upstream.body(flow.stall)
        if not isinstance(event, Data):
            last += await _judged_end(flow, event.trailers)
            return Held(last, True, event.trailers)
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


async def _judged_end(flow: Flow, trailers: Headers) -> bytes:
    try:
        return await finish(flow, trailers)
    except Refusal as refusal:
        raise UpstreamFailure("answer-refused", refusal.reason) from None
