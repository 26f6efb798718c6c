"""The fields of our own, and the header of a message on the other side of the gate.

Which of the peer's fields cross is decided in `crossing`.
"""

import re
from functools import lru_cache

import orjson

from proxy.errors import Refusal
from proxy.model import AnswerHead, Head, Headers, Peer
from proxy.wire.crossing import crossing, options
from proxy.wire.digests import format_sha256
from proxy.wire.identity import identity_fields
from proxy.wire.lines import Fields

_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)
_DUPLICATE = (b"transfer-duplicate", b"?1")
"""A Boolean that is true (RFC 9651, section 3.3.6)."""
_OWN_LINKS = b"/.well-known/lockgate/"


def transfer_id(head: Head) -> str | None:
    """The sender's Transfer-Id in lower case; None when there is none.

    Raises `Refusal` ("transfer-id-malformed") unless it is one UUID in the form of RFC 9562.
    """
    values = head.fields[b"transfer-id"]
    if not values:
        return None
    if len(values) > 1 or _UUID.fullmatch(values[0]) is None:
        raise Refusal("transfer-id-malformed", "Transfer-Id is not one UUID")
    return values[0].decode("ascii").lower()


def trace_id(head: Head) -> str | None:
    """The trace that a request belongs to, 32 hexadecimal digits, for the log alone (W3C Trace
    Context, section 3.2); None when no traceparent, or no valid one, says so."""
    values = head.fields[b"traceparent"]
    found = _TRACEPARENT.fullmatch(values[0]) if len(values) == 1 else None
    if found is None or (found[1] == b"00" and found[3] is not None):
        return None
    return found[2].decode("ascii")


def forward_request(
    head: Head,
    *,
    gateway: str,
    upstream_host: str,
    peer: Peer,
    transfer_id: str,
    label: str | None,
    content_digest: bytes | None,
    keep_digest: bool,
    own_uri: str | None = None,
) -> Fields:
    """The fields of a request as the upstream gets it, without those of its framing.

    `gateway` is our pseudonym in Via and Forwarded; `upstream_host` the Host; `content_digest` the
    32 octets of the SHA-256 of what is delivered, where it is known already; `keep_digest` is True
    when the upstream gets the content that the sender described.
    Raises `Refusal`: loop, head-too-large.
    """
    via = head.fields[b"via"]
    if via:
        _require_no_loop(via, gateway)
    host = b"".join(head.fields[b"host"])
    kept = crossing(head.headers, keep_digest)
    kept.remove((b"host", host))
    if head.method == "OPTIONS":
        kept = [_forwarded_once(*pair) for pair in kept]
    fields = [(b"host", upstream_host.encode("ascii")), *kept]
    fields += [(b"via", value) for value in (*via, _via(head.http_version, gateway))]
    fields += identity_fields(peer, gateway=gateway, host=host, own_uri=own_uri)
    fields.append((b"transfer-id", transfer_id.encode("ascii")))
    if takes_trailers(head):
        fields.append((b"te", b"trailers"))
    if label is not None:
        fields.append((b"data-sensitivity", label.encode("ascii")))
    if content_digest is not None and not (keep_digest and head.fields[b"content-digest"]):
        fields.append((b"content-digest", format_sha256(content_digest)))
    return fields


def forward_answer(
    head: AnswerHead,
    *,
    gateway: str,
    transfer_id: str,
    keep_digest: bool,
    label: str | None = None,
) -> Fields:
    """The fields of an answer as the sender gets it, without those of its framing.

    `label` is that of its content; None where it has none.

    The upstream's receipts are taken off (`evidence` reads them from `head`). That it is a
    gateway, and answers for the second time, is passed on: it is why there is no content.
    """
    fields = _without_ours(crossing(head.headers, keep_digest))
    via = (*head.fields[b"via"], _via(head.http_version, gateway))
    fields += [(b"via", value) for value in via]
    fields.append((b"transfer-id", transfer_id.encode("ascii")))
    if label is not None:
        fields.append((b"data-sensitivity", label.encode("ascii")))
    if is_repeated(head):
        fields.append(_DUPLICATE)
    return fields


def forward_interim(headers: Headers, *, gateway: str, keep_digest: bool) -> Fields:
    """The fields of an interim answer (1xx) as the sender gets it."""
    fields = _without_ours(crossing(headers, keep_digest))
    via = tuple(value for name, value in headers if name == b"via")
    return fields + [(b"via", value) for value in (*via, _via("1.1", gateway))]


def is_repeated(head: AnswerHead) -> bool:
    """True when the upstream is a gateway and says that it had delivered the transfer before."""
    return head.fields[_DUPLICATE[0]] == (_DUPLICATE[1],)


def repeated(transfer_id: str) -> Fields:
    """The fields of an answer to what has been delivered already, without those of its receipt."""
    return [(b"transfer-id", transfer_id.encode("ascii")), _DUPLICATE]


def problem(refusal: Refusal, transfer_id: str) -> tuple[Fields, bytes]:
    """The fields (without framing) and the content of an answer that refuses (RFC 9457).

    It says what the public tables say, title and advice, and nothing of the reason.
    """
    body = orjson.dumps(
        {
            "type": f"urn:lockgate:problem:{refusal.code}",
            "title": refusal.title,
            "status": refusal.status,
            "detail": refusal.advice,
            "instance": f"urn:uuid:{transfer_id}",
        }
    )
    fields = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"transfer-id", transfer_id.encode("ascii")),
    ]
    if refusal.retry_after is not None:
        fields.append((b"retry-after", b"%d" % refusal.retry_after))
    return fields, body + b"\n"


def may_go_on(head: Head) -> bool:
    """False where Max-Forwards says that a request has come to its end (RFC 9110, 7.6.2)."""
    return not any(re.fullmatch(rb"0+", value) for value in head.fields[b"max-forwards"])


def _forwarded_once(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Max-Forwards counts down (RFC 9110, section 7.6.2)."""
    if name != b"max-forwards" or not value.isdigit() or len(value) > 9:
        return name, value
    return name, b"%d" % max(0, int(value) - 1)


def _without_ours(fields: Fields) -> Fields:
    """Without what leads past the gate, and without links that look like ours."""
    return [
        (name, value)
        for name, value in fields
        if name != b"alt-svc" and not (name == b"link" and _OWN_LINKS in value)
    ]


def takes_trailers(head: Head) -> bool:
    """The sender takes trailers and knows that it tells nobody but us (RFC 9110, 10.1.4)."""
    if not head.fields[b"te"]:
        return False
    nominated = b"te" in options(head.headers, b"connection")
    return nominated and b"trailers" in options(head.headers, b"te")


@lru_cache(16)
def _via(version: str, gateway: str) -> bytes:
    return f"{version} {gateway}".encode("ascii")


def _require_no_loop(via: tuple[bytes, ...], gateway: str) -> None:
    """Fails closed: a comment that looks like our own entry counts as one."""
    own = gateway.lower().encode("ascii")
    for element in b",".join(via).lower().split(b","):
        words = element.partition(b"(")[0].split()
        if own in words[1:2]:
            raise Refusal("loop", "our pseudonym is in Via already")
