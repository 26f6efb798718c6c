"""What the policy demands of a body, in both directions: its flow, opened from its head.

These are the stops between the route and the content: size, format, label and clearance,
integrity. A body's flow refuses on its head when the head is enough to know.
"""

from proxy.content.codings import require_codings
from proxy.content.formats import require_format
from proxy.content.rules import Rules
from proxy.edge.flow import Flow
from proxy.edge.integrity import answer_integrity, request_integrity, wanted
from proxy.edge.labels import answer_labels, request_labels
from proxy.edge.transfer import Transfer
from proxy.errors import Refusal, UpstreamFailure
from proxy.model import AnswerHead, Head
from proxy.policy.carriage import require_carried, require_size
from proxy.policy.entries import NOTHING
from proxy.settings.schema import ContentPolicy, Limits
from proxy.wire.digests import ContentDigest
from proxy.wire.headers import may_go_on


def require_method(transfer: Transfer) -> None:
    """The method is one that is carried, with content or without.

    What must not be forwarded any further is for its recipient to answer (RFC 9110, section
    7.6.2), and we are nobody's.
    Raises Refusal: method-refused, content-unexpected.
    """
    head, route = transfer.known_head, transfer.known_lane.route
    require_carried(route, head.method, empty=head.framing.length == 0)
    if head.method == "OPTIONS" and not may_go_on(head):
        raise Refusal("method-refused", "OPTIONS that may not be forwarded")


def request_flow(transfer: Transfer) -> Flow:
    """The flow of a request's body. Raises Refusal when the head shows that it may not cross."""
    head, lane = transfer.known_head, transfer.known_lane
    route = lane.route
    policy, limits = route.request, route.limits
    remember = transfer.claim is not None
    granted = transfer.known_granted
    if head.framing.length == 0:
        granted.learn(content=NOTHING, label=NOTHING, size=0)
        integrity = request_integrity(head, required=False)
        return _empty_flow(lane.request, limits, remember=remember, integrity=integrity)
    require_size(limits, head.framing.length or 0)
    kind, codings = _kind(head, policy)
    granted.learn(content=kind, size=head.framing.length)
    transfer.announced(head.framing.length or 0)
    if kind != "opaque" and head.fields[b"content-range"]:
        raise Refusal("content-not-allowed", "a part of a document cannot be checked")
    required = route.demands_digest
    integrity = request_integrity(head, required=required, signed=lane.signing is not None)
    checked = integrity is not None or route.proves
    labels = request_labels(transfer)
    return Flow(
        kind,
        lane.request.open(kind, codings, labels.above),
        limit=limits.body,
        hold=_hold(kind, head.framing.length, limits.hold, checked=checked),
        stall=limits.stall_timeout,
        key=transfer.key,
        integrity=integrity,
        digest_required=required,
        whole=route.proves,
        remember=remember,
        labels=labels,
        require_size=transfer.come,
    )


def answer_flow(transfer: Transfer) -> Flow:
    """The flow of an answer's body. Raises UpstreamFailure `answer-refused`."""
    head, lane = transfer.known_answer_head, transfer.known_lane
    policy, limits = lane.route.response, lane.route.limits
    try:
        if not transfer.answer_has_body:
            return _empty_flow(lane.answer, limits, integrity=answer_integrity(transfer))
        require_size(limits, head.framing.length or 0)
        kind, codings = _kind(head, policy)
        if kind != "opaque" and head.status == 206:
            raise Refusal("content-not-allowed", "a part of a document cannot be checked")
        labels = answer_labels(transfer)
        return Flow(
            kind,
            lane.answer.open(kind, codings, labels.above),
            limit=limits.body,
            hold=limits.hold,
            stall=limits.stall_timeout,
            key=None,
            integrity=answer_integrity(transfer),
            sha512="sha-512" in wanted(transfer).values(),
            labels=labels,
            require_size=transfer.answered_with,
        )
    except Refusal as refusal:
        raise UpstreamFailure("answer-refused", refusal.reason) from None


def _kind(head: Head | AnswerHead, policy: ContentPolicy) -> tuple[str, tuple[str, ...]]:
    """The format of a body, and the codings that it is looked into through. Raises Refusal."""
    kind = require_format(head.fields[b"content-type"], policy)
    if kind == "opaque":
        return kind, ()
    return kind, require_codings(head.fields[b"content-encoding"], policy.codings)


def _empty_flow(
    rules: Rules,
    limits: Limits,
    *,
    remember: bool = False,
    integrity: ContentDigest | None = None,
) -> Flow:
    """Of a message without content: there is nothing to label or to clear, and nothing to check
    but what is said of it all the same."""
    return Flow(
        "opaque",
        rules.open("opaque"),
        limit=0,
        hold=0,
        stall=limits.stall_timeout,
        key=None,
        integrity=integrity,
        remember=remember,
    )


def _hold(kind: str, length: int | None, hold: int, *, checked: bool) -> int:
    """Bytes that nobody looks at are not kept back, unless they are few or have to match."""
    if kind == "opaque" and not checked and (length is None or length > hold):
        return 0
    return hold
