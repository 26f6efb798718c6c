"""A transfer whose id has been delivered comes again: is it the same one?

It is read to its end and digested, kept nowhere and forwarded to nobody. That much work is done for
what its sender vouches for: content with a Content-Digest, which must hold, or content that fits
`limits.hold`. More without a digest is not compared. A request whose method is not about content,
such as GET, asks for an answer, and of that nothing was kept: it cannot be given again.
"""

from proxy.edge.inbound import Inbound
from proxy.edge.transfer import Transfer
from proxy.errors import Refusal
from proxy.wire.events import Data

_WITHOUT_CONTENT = frozenset(["DELETE", "GET", "HEAD", "OPTIONS", "TRACE"])
"""Methods whose content means nothing to anybody (RFC 9110, section 9.3)."""


async def read_again(client: Inbound, transfer: Transfer) -> None:
    """Read the request to its end; `transfer.asked()` then says what it is.

    Raises Refusal: replayed when it cannot be compared, and whatever is wrong with it in itself.
    """
    head, flow = transfer.known_head, transfer.known_request
    limits = transfer.known_lane.route.limits
    bound = limits.body if flow.declared else limits.hold
    if head.method in _WITHOUT_CONTENT or (head.framing.length or 0) > bound:
        raise _incomparable()
    if head.expect_continue:
        await client.send_continue()
    while True:
        event = await client.body(flow.stall)
        if not isinstance(event, Data):
            break
        flow.take(event.data)
        if flow.received_size > bound:
            raise _incomparable()
    flow.require_integrity(event.trailers)
    if flow.received_size > limits.hold and not flow.proven:
        raise _incomparable()


def _incomparable() -> Refusal:
    return Refusal("replayed", "the Transfer-Id has been delivered, and this cannot be compared")
