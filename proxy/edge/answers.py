"""What each side is told: the request's head, the answer's, where the receipt stands, problems.

held answer         Transfer-Receipt and Link in the head: the receipt is durable before it
streamed, chunked   Transfer-Receipt in a trailer, behind the octets that were withheld for it,
                    for a sender that says `TE: trailers`; for others as below
streamed, sized     nothing can follow the content: a Link in the head leads to the receipt
"""

import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import Literal

from proxy.content.codings import accepted_codings
from proxy.edge.integrity import of_problem, wanted
from proxy.edge.masks import masked_answer, masked_fields, masked_trailers
from proxy.edge.outbound import Outbound
from proxy.edge.receipts import RECEIPTS_PATH
from proxy.edge.relay import Held, Request
from proxy.edge.signed import own_signatures
from proxy.edge.signing import accept_signature
from proxy.edge.transfer import Transfer
from proxy.errors import Refusal
from proxy.model import AnswerHead, Earlier, Framing, Headers, Receipt
from proxy.model.value import value
from proxy.wire import headers as wire
from proxy.wire.crossing import announced_trailers, crossing_trailers, without_conditions
from proxy.wire.evidence import (
    NOTHING,
    Evidence,
    evidence_fields,
    fits,
    key_field,
    receipt_field,
)
from proxy.wire.lines import spelt

Fields = list[tuple[bytes, bytes]]
_UNSIGNED = frozenset(["signature-required", "signature-malformed", "signature-refused"])
_NOT_ASKED = frozenset([b"accept-encoding", b"range", b"if-range"])
"""For what is looked into: it has to come whole, in codings that we know."""
Place = Literal["header", "trailer", "link", "log"]


@value(frozen=True, slots=True)
class Reply:
    """The head of the answer that goes to the sender, without what the receipt adds."""

    status: int
    fields: Fields
    framing: Framing
    place: Place
    keep_digest: bool
    """True when what the upstream says of the content holds for the sender too."""
    digests: Mapping[bytes, str]
    """Field -> algorithm, of the digests that follow a stream, since the sender wants them."""


def upstream_request(transfer: Transfer, upstream: Outbound, held: Held) -> Request:
    """The head that goes to the upstream (docs/http.md).

    Raises Refusal: loop, head-too-large, condition-refused.
    """
    flow, gate, lane = transfer.known_request, transfer.gate, transfer.known_lane
    head = transfer.masked_head or transfer.known_head
    unseen, whole, empty = flow.format == "opaque", held.whole, head.framing.length == 0
    keep_digest = not flow.changed if whole else unseen
    ours = whole and not empty and not (keep_digest and head.fields[b"content-digest"])
    fields = wire.forward_request(
        head,
        gateway=gate.loaded.settings.name,
        upstream_host=upstream.endpoint.authority,
        peer=transfer.peer,
        transfer_id=transfer.id,
        label=flow.told(whole=whole),
        content_digest=flow.delivered_sha256 if ours else None,
        keep_digest=keep_digest,
        own_uri=gate.own_uri,
    )
    if not lane.answers_unseen:
        fields = without_conditions(fields, head.method, hides=lane.answers_hide)
        fields = [field for field in fields if field[0] not in _NOT_ASKED]
        codings = lane.route.response.codings
        accepted = accepted_codings(head.fields[b"accept-encoding"], codings)
        fields.append((b"accept-encoding", accepted))
    digest_trailer = not whole and not unseen
    trailers, names = Fields(), list[bytes]()
    if held.trailers:
        # What is whole has its digest in the head by now, and is chunked for no more than trailers.
        crossed = masked_trailers(transfer, held.trailers, keep_digest)
        trailers = [pair for pair in crossed if pair[0] != b"content-digest"]
        names = [name for name, _ in trailers]
    if not whole:
        names = announced_trailers(head.headers, keep_digest)
        names += [b"content-digest"] if digest_trailer else []
    fields += _announce(names)
    framing = Framing(length=flow.delivered_size) if whole else head.framing
    if digest_trailer or trailers:
        framing = Framing(chunked=True)
    fields = own_signatures(transfer, upstream.endpoint, head, fields, framing)
    return Request(
        head.method, head.target, fields, framing, digest_trailer, keep_digest, tuple(trailers)
    )


def reply(transfer: Transfer, held: Held) -> Reply:
    """The head of an upstream's answer as it goes on."""
    head, flow, lane = masked_answer(transfer), transfer.known_answer, transfer.known_lane
    unchanged = flow.format == "opaque" or (held.whole and not flow.changed)
    keep_digest = unchanged and not _hides(transfer)
    fields = wire.forward_answer(
        head,
        gateway=transfer.gate.loaded.settings.name,
        transfer_id=transfer.id,
        keep_digest=keep_digest,
        label=flow.told(whole=held.whole),
    )
    if not head.fields[b"date"]:
        fields.append(_date())
    if not lane.answers_unseen:
        fields = [pair for pair in fields if pair[0] != b"accept-ranges"]
    place = _place(lane.route.receipt, held, transfer)
    trailing = crossing_trailers(head.headers, held.trailers, keep_digest)
    behind = place == "trailer" or (trailing and _takes_trailers(transfer))
    framing = Framing(chunked=True) if behind else _framing(transfer, held, unchanged)
    if place == "link":
        fields += _pointer(transfer, transfer.id)
    names: list[bytes] = []
    if framing.chunked and _takes_trailers(transfer):
        names = announced_trailers(head.headers, keep_digest)
        names = [name for name, _ in trailing] if held.whole else names
    wants = wanted(transfer) if transfer.answer_has_body else {}
    if wants:
        said = {name for name, _ in fields}.union(names)
        wants = {field: name for field, name in wants.items() if field not in said}
    if held.whole:
        fields += [(field, flow.delivered_digest(name)) for field, name in wants.items()]
        wants = {}
    elif not (framing.chunked and _can_follow(transfer)):
        wants = {}
    fields += _announce([*names, *wants] + [b"transfer-receipt"] * (place == "trailer"))
    return Reply(head.status, fields, framing, place, keep_digest, wants)


def _framing(transfer: Transfer, held: Held, unchanged: bool) -> Framing:
    """How an answer is framed behind which nothing follows."""
    head = transfer.known_answer_head
    if not transfer.answer_has_body:
        unseen = transfer.known_lane.answers_unseen
        return _spoken_of(head) if unseen else Framing(length=0)
    if held.whole:
        return Framing(length=len(held.data))
    return head.framing if unchanged else Framing(chunked=True)


def trailers(transfer: Transfer, reply: Reply, held: Held) -> Fields:
    """The trailers of an upstream's answer as they go on, without what the receipt adds."""
    if not held.trailers and not reply.digests:
        return []
    head, fields = transfer.known_answer_head, transfer.known_lane.answer.head
    kept = crossing_trailers(head.headers, held.trailers, reply.keep_digest)
    kept = masked_fields(fields, kept, transfer.masked_answer)
    flow = transfer.known_answer
    return kept + [(each, flow.delivered_digest(name)) for each, name in reply.digests.items()]


def _announce(names: list[bytes]) -> Fields:
    """Trailer, where there is anything to announce (RFC 9110, section 6.6.2)."""
    return [(b"trailer", b", ".join(dict.fromkeys(map(spelt, names))))] if names else []


def _takes_trailers(transfer: Transfer) -> bool:
    """True where trailers can follow: content does, and HTTP/1.0 has none."""
    modern = transfer.known_head.http_version == "1.1"
    return modern and transfer.known_answer_head.framing.length != 0


def _hides(transfer: Transfer) -> bool:
    """True when what the answer says of its resource may be said of what the sender must not see:
    an answer without content, or an error, has the validators of content that no stop has seen."""
    lane = transfer.known_lane
    return lane.answers_hide or not (lane.answers_unseen or transfer.answer_has_body)


def _place(wanted: str, held: Held, transfer: Transfer) -> Place:
    """Where the receipt can stand: HTTP/1.0 has no trailers, and a stated length ends an answer."""
    if wanted == "log":
        return "log"
    possible = _takes_trailers(transfer)
    if wanted == "trailer":
        return "trailer" if possible else "link"
    if held.whole:
        return "header"
    sized = transfer.known_answer_head.framing.length is not None
    possible = _can_follow(transfer)
    if wanted == "header" or not possible or (sized and transfer.known_answer.format == "opaque"):
        return "link"
    return "trailer"


def _can_follow(transfer: Transfer) -> bool:
    """True where trailers can follow, and are read."""
    return _takes_trailers(transfer) and _reads_trailers(transfer)


def _reads_trailers(transfer: Transfer) -> bool:
    """True for a sender that says so, and for a gateway, which names the receipt in its own.

    A receipt is longer than the 4,096 octets that curl and Wget allow a line of a trailer section:
    they take the whole answer for broken. Others drop trailers without a word.
    """
    head = transfer.known_head
    return wire.takes_trailers(head) or bool(head.fields[b"via"])


def _spoken_of(head: AnswerHead) -> Framing:
    """The length that an answer without a body states of the one that it stands for. Where bodies
    are looked into, masking would have changed it, so nothing is stated there."""
    values = head.fields[b"content-length"]
    return Framing(length=int(values[0]) if values else 0)


def receipt_fields(
    transfer: Transfer, receipt: Receipt, place: Place, behind: Evidence = NOTHING
) -> Headers:
    """What is said of the receipt: itself (those behind us first, ours last), keys, its Link."""
    if place in ("link", "log"):
        return ()
    limit = transfer.gate.loaded.settings.listeners[transfer.listener].limits.receipts
    fields = evidence_fields(behind, receipt.envelope, transfer.key, limit)
    return (*_link(transfer, str(receipt.index)), *fields)


def _pointer(transfer: Transfer, name: str) -> Fields:
    """The key to the digests, and where the receipt can be fetched by a sender who can be known
    again: an address alone is nobody."""
    return [*_link(transfer, name), key_field((transfer.key,))]


def _link(transfer: Transfer, name: str) -> Fields:
    if transfer.peer.certificate is None and transfer.peer.uid is None:
        return []
    return [(b"link", f'<{RECEIPTS_PATH}{name}>; rel="receipt"'.encode("ascii"))]


def repeated(transfer: Transfer, earlier: Earlier) -> Fields:
    """An answer that says no more than that the transfer has been delivered, and has a receipt.

    The key to its digests is not among it: it went out with the receipt, and nobody else has it.
    """
    fields = [_date(), *wire.repeated(transfer.id)]
    if transfer.known_lane.route.receipt != "log":
        receipt = receipt_field(earlier.envelope)
        fields += [receipt] if fits(receipt) else []
        fields += _link(transfer, str(earlier.index))
    return fields


def problem(transfer: Transfer, refusal: Refusal) -> tuple[Fields, bytes]:
    """An error answer (RFC 9457): the code and what it means, never the reason."""
    fields, body = wire.problem(refusal, transfer.id)
    lane, head = transfer.lane, transfer.head
    if refusal.code in _UNSIGNED and lane and lane.signing and head:
        asked = accept_signature(lane.signing, head)
        fields.append((b"accept-signature", asked))
    return [_date(), *fields, *of_problem(transfer, refusal.code, body)], body


def _date() -> tuple[bytes, bytes]:
    """RFC 9110, section 6.6.1: of our own answers, and of those that came without."""
    return b"date", _written(int(time.time()))


@lru_cache(1)
def _written(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode("ascii")
