"""What digests say of a body: what is held against it, and what is said of answers that want it.

A request's content is the whole representation unless it says that it is a part (RFC 9530, section
3). An answer's is, unless it is a part, or an answer to a change that speaks of another resource
(section 3.1): then Repr-Digest may be of what is not there, and is left alone.
"""

from proxy.edge.transfer import Transfer
from proxy.errors import Refusal
from proxy.model import AnswerHead, Head
from proxy.wire.crossing import options
from proxy.wire.digests import (
    CONTENT,
    DIGESTS,
    REPRESENTATION,
    WISHED,
    ContentDigest,
    digest_of,
    parse_content_digest,
    preferred,
)

_SAFE = frozenset(["GET", "HEAD"])
_OF_DIGESTS = frozenset(["digest-required", "digest-malformed", "digest-mismatch"])
_WANTS = {CONTENT: b"want-content-digest", REPRESENTATION: b"want-repr-digest"}


def request_integrity(head: Head, *, required: bool, signed: bool = False) -> ContentDigest | None:
    """What compares a request's body with what is declared of it; None when nothing is or will be.

    Where the Content-Digest of the head was `signed`, that one must count: one in a trailer, or a
    Repr-Digest, was said by nobody who signed. Raises Refusal: digest-required, digest-malformed.
    """
    integrity = _integrity(head, whole=not head.fields[b"content-range"], required=required)
    if required and integrity is None:
        raise Refusal("digest-required", "this route requires a Content-Digest")
    if signed and not (integrity is not None and integrity.present):
        raise Refusal("digest-required", "no algorithm of the signed Content-Digest counts")
    return integrity


def answer_integrity(transfer: Transfer) -> ContentDigest | None:
    """The same of an answer. Raises Refusal: digest-malformed."""
    head = transfer.known_answer_head
    if head.status in (204, 304) or transfer.known_head.method == "HEAD":
        return None  # what they say is of content that is not there
    return _integrity(head, whole=_is_whole(transfer), required=False)


def wanted(transfer: Transfer) -> dict[bytes, str]:
    """Field -> algorithm, of what the sender wants to be told of the answer's content."""
    found, head = {}, transfer.known_head
    for field, want in _WANTS.items():
        values = head.fields[want]
        name = preferred(values) if values else None
        if name is not None and (field == CONTENT or _is_whole(transfer)):
            found[field] = name
    return found


def of_problem(transfer: Transfer, code: str, body: bytes) -> list[tuple[bytes, bytes]]:
    """What a refusal says of digests: those of its own content, where the sender wants such, and
    which ones we want, where that is why it was refused."""
    head, fields = transfer.head, []
    if head is None:
        return []
    for field, want in _WANTS.items():
        name = preferred(head.fields[want])
        if name is not None:
            fields.append((field, digest_of(name, body)))
        if code in _OF_DIGESTS and (field == CONTENT or head.fields[field]):
            fields.append((want, WISHED))
    return fields


def _integrity(head: Head | AnswerHead, *, whole: bool, required: bool) -> ContentDigest | None:
    content, representation = head.fields[CONTENT], head.fields[REPRESENTATION]
    late = head.framing.chunked and (required or _announced(head))
    if not (content or representation or late):
        return None
    declared = parse_content_digest(content)
    of_whole = parse_content_digest(representation) if whole else None
    if not (declared or late or (of_whole and not required)):
        return None
    return ContentDigest(declared, of_whole, trailers=late)


def _announced(head: Head | AnswerHead) -> bool:
    return not set(DIGESTS).isdisjoint(options(head.headers, b"trailer"))


def _is_whole(transfer: Transfer) -> bool:
    """True where an answer's content is the representation that a Repr-Digest of it speaks of."""
    head = transfer.known_answer_head
    elsewhere = head.fields[b"content-location"] and transfer.known_head.method not in _SAFE
    return head.status != 206 and not elsewhere
