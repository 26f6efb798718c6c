"""The worker's part of a receipt: what it alone knows of an attempt, as one JSON object.

    {"request":{"method":"POST","route":"orders",…},"content":{…},"answer":{…},
     "sender":{"name":…},"receiver":{…},"channel":{…},"policy":{…}}

Rules
- The seven keys, in this order, in compact JSON: they become part of the predicate as they stand.
- The first three tell of the transfer, the other four of its connections. The second half is the
  same for all transfers over them, so the notary reads each one once.
- The notary takes nothing that it has not parsed and found to be the very octets that orjson writes
  for what was read: so no key comes twice, and all readers of the receipt read the same.
- What this very process wrote (`workers: 1`) it does not read again: nobody came between. That it
  agrees with its submission is required all the same.
- Octets are bounded here, whatever a peer puts into its names: lists and maps get shorter.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from proxy.errors import EvidenceError
from proxy.model import Certificate, Outcome, Peer, Submission, Verdict
from proxy.model.signed import Verified
from proxy.receipt import terms

MAX_DETAILS: Final = 32_000
"""Octets."""
MAX_FURTHER: Final = 16
"""Receipts of gateways further on that one receipt names."""
_ENTRIES: Final = 32
"""Entries of a map or list, unless the details would become too large."""
_TRANSFER: Final = ("request", "content", "answer")
_CONNECTIONS: Final = ("sender", "receiver", "channel", "policy")
_CUT: Final = b',"sender":'
"""Where the second half begins. Its last place, for no key after it is anybody's choice."""
_KEPT: Final = 4096
"""Second halves that are remembered."""
_LONG: Final = 4096
"""Octets of one that is not remembered."""

_sender: Final = terms.Kept[Peer, tuple[str, str]](
    lambda peer: (terms.peer(peer, _ENTRIES), terms.channel(peer))
)
_receiver: Final = terms.Kept[Certificate, str](
    lambda certificate: terms.certificate(certificate, _ENTRIES)
)


class _Own(bytes):
    """Details that this process has written; what comes through a channel never is of this type."""

    text: str
    """What stands between the braces."""
    about: "_About"


def details(outcome: Outcome) -> bytes:
    """The details of `outcome`, at most `MAX_DETAILS` octets.

    Raises `EvidenceError` where they hold text that is not Unicode.
    """
    try:
        sender, channel = _sender(outcome.sender)
        receiver = "null" if outcome.receiver is None else _receiver(outcome.receiver)
        text = _write(outcome, sender, receiver, channel, _ENTRIES)
        own = _Own(f"{{{text}}}".encode())
        for entries in (4, 0):
            if len(own) <= MAX_DETAILS:
                break
            sender = terms.peer(outcome.sender, entries)
            receiver = terms.certificate(outcome.receiver, entries)
            text = _write(outcome, sender, receiver, channel, entries)
            own = _Own(f"{{{text}}}".encode())
    except (TypeError, ValueError):
        raise EvidenceError("an outcome holds what JSON cannot say") from None
    if len(own) > MAX_DETAILS:
        raise EvidenceError("details without lists and maps are still too large")
    delivered = outcome.request.delivered
    sha256 = None if delivered is None else delivered.sha256
    own.text, own.about = text, (terms.cut(outcome.sender.name), outcome.route, sha256)
    return own


def _write(outcome: Outcome, sender: str, receiver: str, channel: str, entries: int) -> str:
    policy = _policy(
        outcome.policy_sha256, outcome.route, outcome.listener, outcome.upstream, outcome.rule
    )
    return (
        f'"request":{_request(outcome)},"content":{{{terms.content(outcome.request, entries)}}},'
        f'"answer":{_answer(outcome, entries)},"sender":{sender},"receiver":{receiver},'
        f'"channel":{channel},"policy":{policy}'
    )


def _request(outcome: Outcome) -> str:
    method, target = outcome.method, outcome.target_hmac
    keyed = "null" if target is None else f'{{"hmacSha256":"{target.hex()}"}}'
    return (
        f'{{"method":{"null" if method is None else terms.known(terms.cut(method))},'
        f'"route":{terms.optional(outcome.route)},"target":{keyed},'
        f'"contentLength":{terms.count(outcome.content_length)},'
        f'"signature":{_signature(outcome.signature)}}}'
    )


def _signature(verified: Verified | None) -> str:
    """By which key: its thumbprint (RFC 7638), or the name of a secret."""
    if verified is None:
        return "null"
    created = "null" if verified.created is None else str(verified.created)
    return (
        f'{{"keyid":{terms.quote(terms.cut(verified.key))},'
        f'"algorithm":{terms.quote(verified.algorithm)},"created":{created}}}'
    )


def _answer(outcome: Outcome, entries: int) -> str:
    answer, status = outcome.answer, outcome.answer_status
    if answer is None and status is None:
        return "null"
    told = f'"status":{"null" if status is None else status},"receipts":{_further(outcome.further)}'
    if outcome.answer_repeated:
        told += ',"duplicate":true'
    return f"{{{told}}}" if answer is None else f"{{{told},{terms.content(answer, entries)}}}"


def _further(digests: tuple[bytes, ...]) -> str:
    """What the gateways behind us gave as evidence: null for nothing."""
    if not digests:
        return "null"
    return "[" + ",".join([f'"{digest.hex()}"' for digest in digests[-MAX_FURTHER:]]) + "]"


@lru_cache(maxsize=1024)
def _policy(
    sha256: bytes, route: str | None, listener: str, upstream: str | None, rule: str | None
) -> str:
    """`rule` is there only where an entry admitted the sender."""
    admitted = "" if rule is None else f',"rule":{terms.known(rule)}'
    return (
        f'{{"sha256":{terms.octets(sha256)},"route":{terms.optional(route)},'
        f'"listener":{terms.quote(listener)},"upstream":{terms.optional(upstream)}{admitted}}}'
    )


# --- the notary's side ---------------------------------------------------------------------------

_About = tuple[object, object, bytes | None]
"""The sender's name, the route, and SHA-256 of what was delivered."""

_connections: Final[dict[bytes, tuple[object, object]]] = {}
"""Second halves that were found well, and whom and which route they name."""


def require_details(submission: Submission) -> str:
    """What stands between the braces of the details.

    Raises `EvidenceError` unless they are what `details` writes about this very submission: its
    sender, its route, and the content that a delivery has for its subject. Fails closed.
    """
    found = submission.details
    try:
        if isinstance(found, _Own):
            text, about = found.text, found.about
        else:
            text, about = found[1:-1].decode(), _require_written(found)
        sender, route, delivered = about
        if sender != terms.cut(submission.sender) or route != submission.route:
            raise ValueError
        if submission.verdict is Verdict.DELIVERED and delivered != submission.delivered_sha256:
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError):
        raise EvidenceError("the details of a submission are not what a worker writes") from None
    return text


def _require_written(octets: bytes) -> _About:
    if len(octets) > MAX_DETAILS:
        raise ValueError
    cut = octets.rindex(_CUT)
    route, delivered = _require_transfer(octets[:cut] + b"}")
    rest = octets[cut + 1 :]
    sender, policy = _connections.get(rest) or _require_connections(rest)
    if route != policy:
        raise ValueError
    return sender, route, delivered


def _require_transfer(octets: bytes) -> tuple[object, bytes | None]:
    """The route, and the digest of what was delivered, if anything was."""
    told = _require_own(octets, _TRANSFER)
    delivered = told["content"]["delivered"]
    answer = told["answer"]
    if answer is not None:
        _require_further(answer["receipts"])
    return told["request"]["route"], None if delivered is None else _plain(delivered)


def _require_further(digests: object) -> None:
    """Digests in their only spelling, for whoever follows them to the receipts that they name."""
    if digests is None:
        return
    if not isinstance(digests, list) or not 0 < len(digests) <= MAX_FURTHER:
        raise TypeError
    for digest in digests:
        if len(digest) != 64 or bytes.fromhex(digest).hex() != digest:
            raise ValueError


def _plain(delivered: object) -> bytes | None:
    """The digest in its only spelling: a reader takes no other, nor a null in its place."""
    if not isinstance(delivered, dict):
        raise TypeError
    if "sha256" not in delivered:
        return None
    sha256 = bytes.fromhex(delivered["sha256"])
    if sha256.hex() != delivered["sha256"]:
        raise ValueError
    return sha256


def _require_connections(rest: bytes) -> tuple[object, object]:
    told = _require_own(b"{" + rest, _CONNECTIONS)
    for key in ("receiver", "channel"):
        if told[key] is not None and not isinstance(told[key], dict):
            raise TypeError
    parties = told["sender"]["name"], told["policy"]["route"]
    if len(rest) <= _LONG:
        while len(_connections) >= _KEPT:
            del _connections[next(iter(_connections))]
        _connections[rest] = parties
    return parties


def _require_own(octets: bytes, keys: tuple[str, ...]) -> Mapping[str, Any]:
    told = orjson.loads(octets)
    if not isinstance(told, dict) or tuple(told) != keys or orjson.dumps(told) != octets:
        raise ValueError
    return told
