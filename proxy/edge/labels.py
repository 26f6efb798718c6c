"""The label of a body: what it is given, what findings may raise it to, what is too high for it.

The ceiling is the clearance of the zone where the body goes; of a request also what the sender's
grant allows, as that stands when the head has been read. A label that the route or a header gives
is refused above it. One to which a finding would raise the body follows `on_violation`: refused
too, or the finding is redacted, so that the label stays where it is.
"""

from collections.abc import Callable, Iterable

from proxy.content.rules import Rules
from proxy.edge.flow import Labels
from proxy.edge.gate import Gate
from proxy.edge.transfer import Transfer
from proxy.model import AnswerHead, Head
from proxy.settings.schema import ContentPolicy


def request_labels(transfer: Transfer) -> Labels:
    """Raises Refusal `above-clearance` or `not-allowed` for the label that the head gives."""
    lane, head, gate = transfer.known_lane, transfer.known_head, transfer.gate
    policy, zone = lane.route.request, lane.receiver_zone
    named = _named(head, policy)

    def require(raised: str | None) -> str:
        label = gate.scale.require_cleared(policy.label, named, raised, zone, "above-clearance")
        transfer.known_granted.learn(label=label)
        return label

    label, raises = require(None), lane.request.raises
    if not raises:
        return Labels(label, label, require)
    above = gate.scale.above(zone) & raises
    above |= {each for each in raises - above if transfer.known_granted.refuses(each)}
    return _labels(gate, policy, lane.request, require, label, above)


def answer_labels(transfer: Transfer) -> Labels:
    """Raises Refusal `answer-refused` for the label that the head gives."""
    lane, head, gate = transfer.known_lane, transfer.known_answer_head, transfer.gate
    policy, zone = lane.route.response, lane.sender_zone
    named = _named(head, policy)

    def require(raised: str | None) -> str:
        return gate.scale.require_cleared(policy.label, named, raised, zone, "answer-refused")

    label, raises = require(None), lane.answer.raises
    if not raises:
        return Labels(label, label, require)
    return _labels(gate, policy, lane.answer, require, label, gate.scale.above(zone) & raises)


def _named(head: Head | AnswerHead, policy: ContentPolicy) -> tuple[bytes, ...]:
    """What a peer says of the label: nothing, unless `label_from` asks for it."""
    return head.fields[policy.label_from.lower().encode("ascii")] if policy.label_from else ()


def _labels(
    gate: Gate,
    policy: ContentPolicy,
    rules: Rules,
    require: Callable[[str | None], str],
    label: str,
    above: Iterable[str],
) -> Labels:
    """`label` is the effective one so far; to one of `above` nothing can raise the body."""
    above = frozenset(above)
    at_most = gate.scale.highest_of((label, *(rules.raises - above))) or label
    redacts = policy.on_violation == "redact"
    return Labels(label, at_most, require, above if redacts else frozenset())
