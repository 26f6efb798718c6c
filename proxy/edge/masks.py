"""Header fields and the query, masked before they go on, in both directions and in trailers.

Where a route masks any of them, what would give the masked value away goes as well: a signature
over the head (RFC 9421), which whoever has the public key can try guesses against; and, where it
masks the query, Referer and Content-Location, which may repeat it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from proxy.content.head import Counts, HeadMasks
from proxy.content.shadow import Shadow
from proxy.edge.transfer import Transfer
from proxy.model import AnswerHead, Head, Headers
from proxy.wire.crossing import crossing_trailers
from proxy.wire.names import plain

_SIGNATURES: Final = frozenset([b"signature", b"signature-input"])
_WITH_A_TARGET: Final = frozenset([b"referer", b"content-location"])


def masked_request(transfer: Transfer) -> Head:
    """The request's head as it goes on; what was masked is counted in the transfer.

    Raises Refusal ("unparseable") for a query that cannot be read.
    """
    head, rules = transfer.known_head, transfer.known_lane.request
    if rules.shadow is not None:
        _note(rules.shadow, head.headers, transfer.shadow_request, head.query)
    masks = rules.head
    if not masks:
        return head
    counts = transfer.masked_request
    headers = tuple(masked_fields(masks, head.headers, counts))
    if head.query is None or not masks.query:
        return replace(head, headers=headers)
    headers = tuple(pair for pair in headers if plain(pair[0]) not in _WITH_A_TARGET)
    query = masks.masked_query(head.query, counts)
    target = head.path if query is None else f"{head.path}?{query}"
    return replace(head, headers=headers, query=query, target=target)


def masked_answer(transfer: Transfer) -> AnswerHead:
    """The answer's head as it goes on; what was masked is counted in the transfer."""
    head, rules = transfer.known_answer_head, transfer.known_lane.answer
    if rules.shadow is not None:
        _note(rules.shadow, head.headers, transfer.shadow_answer)
    if not rules.head:
        return head
    masked = masked_fields(rules.head, head.headers, transfer.masked_answer)
    return replace(head, headers=tuple(masked))


def masked_trailers(
    transfer: Transfer, trailers: Headers, keep_digest: bool
) -> list[tuple[bytes, bytes]]:
    """The trailers of the request that cross, masked."""
    if not trailers:
        return []
    kept = crossing_trailers(transfer.known_head.headers, trailers, keep_digest)
    rules = transfer.known_lane.request
    if rules.shadow is not None:
        _note(rules.shadow, kept, transfer.shadow_request)
    return masked_fields(rules.head, kept, transfer.masked_request)


def _note(
    shadow: Shadow,
    headers: Sequence[tuple[bytes, bytes]],
    counts: Counts,
    query: str | None = None,
) -> None:
    """Count what rules in shadow would have masked."""
    fields = ((plain(name), value) for name, value in headers)
    for rule, number in shadow.beside(fields, query).items():
        counts[rule] = counts.get(rule, 0) + number


def masked_fields(
    masks: HeadMasks, headers: Sequence[tuple[bytes, bytes]], counts: Counts
) -> list[tuple[bytes, bytes]]:
    """A head's or a trailer section's. Names count in every spelling (`plain`)."""
    if not masks:
        return list(headers)
    kept = []
    for name, value in headers:
        known = plain(name)
        new = None if known in _SIGNATURES else masks.header(known, value, counts)
        if new is not None:
            kept.append((name, new))
    return kept
