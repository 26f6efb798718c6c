"""The stop at which a request must prove that it is signed as its route demands (RFC 9421); and
what becomes of its signature behind that.

It comes before anything is reserved and before the content is read, so that who cannot sign uses
up neither an id nor a place. Whether it has expired is asked again when the content has come: else
who holds the rest of a request back could have it delivered at whatever time they like.

What the signature says of the content is a Content-Digest, to which the stops of the content hold;
its nonce goes to the table of ids with the id.
"""

from dataclasses import replace
from datetime import UTC, datetime
from time import time
from typing import Final

from proxy.edge.signing import Signing
from proxy.edge.transfer import Transfer
from proxy.errors import Refusal
from proxy.model import Framing, Head, Peer
from proxy.model.signed import Verified
from proxy.observe.metrics import Metrics
from proxy.settings.address import Endpoint
from proxy.wire.crossing import options
from proxy.wire.signature import INPUT, SIGNATURE, SignatureFailure, request_message, verify
from proxy.wire.signature_travel import Fields, still_signed

_WHOLE: Final = frozenset({'"@target-uri"', '"@request-target"'})
"""Each says all of the target (RFC 9421, section 2.2): `@query` does not tell `/a?` from `/a`."""
_CODES: Final = {
    "missing": "signature-required",
    "tag": "signature-required",
    "malformed": "signature-malformed",
    "ambiguous": "signature-malformed",
    "component-malformed": "signature-malformed",
    "not-yet": "signature-expired",
    "expired": "signature-expired",
    "stale": "signature-expired",
}
"""Why a signature does not hold -> what its sender is told; of all others that it is refused."""


def require_signature(transfer: Transfer, metrics: Metrics) -> None:
    """The request is signed as its route demands, where it does: `transfer.signature` says how, and
    `transfer.require_in_force` asks later whether it still holds.

    Fails closed. Raises Refusal: signature-required, signature-malformed, signature-refused,
    signature-expired.
    """
    lane, head, now = transfer.known_lane, transfer.known_head, time()
    if lane.signing is None:
        return
    skew, route = lane.signing.demands.skew, lane.route.name
    try:
        verified = _verified(lane.signing, head, transfer.peer, now)
    except SignatureFailure as failure:
        raise _refusal(failure, metrics, route) from None

    def require_in_force() -> None:
        if verified.expires is None or verified.expires + skew < time():
            raise _refusal(SignatureFailure("expired"), metrics, route)

    transfer.signature, transfer.require_in_force = verified, require_in_force
    metrics.signature(route, "verified", now - (verified.created or now))


def _refusal(failure: SignatureFailure, metrics: Metrics, route: str) -> Refusal:
    """Counted, as what its sender is told."""
    metrics.signature(route, failure.reason)
    code = _CODES.get(failure.reason, "signature-refused")
    return Refusal(code, f"{failure.reason}: {failure.detail}")


def _verified(signing: Signing, head: Head, peer: Peer, now: float) -> Verified:
    """Raises `SignatureFailure`."""
    if signing.authorities is not None:
        hosts = head.fields[b"host"]
        if len(hosts) != 1 or hosts[0].lower() not in signing.authorities:
            raise SignatureFailure("authority")
    message = request_message(head, signing.scheme)
    moment = datetime.fromtimestamp(now, UTC)
    verified = verify(message, signing.keys(peer), signing.demanded(head), moment)
    if head.target.endswith("?") and _WHOLE.isdisjoint(verified.components):
        raise SignatureFailure("component-missing", "by @query an empty one and none are the same")
    for name in options(head.headers, b"connection"):
        if verified.covers(name.decode("latin-1")):
            reason = "Connection keeps a field that is covered from going on"
            raise SignatureFailure("component-malformed", reason)
    return verified


def own_signatures(
    transfer: Transfer, endpoint: Endpoint, head: Head, fields: Fields, framing: Framing
) -> Fields:
    """`fields` of what goes to an upstream, without signatures of what we have changed.

    `head` has the method and the target with which it goes.
    """
    if not (head.fields[SIGNATURE] or head.fields[INPUT]):
        return fields  # nor have they one, then
    came = request_message(transfer.known_head, "https" if transfer.peer.channel else "http")
    length = [] if framing.length is None else [(b"content-length", b"%d" % framing.length)]
    goes = replace(
        came,
        fields=(*fields, *length),
        target=head.target,
        scheme="https" if endpoint.secure else "http",
        authority=endpoint.authority,
    )
    return still_signed(fields, came, goes)
