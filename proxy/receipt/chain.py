"""Receipts of several gateways about one transfer: does each go on where the one before it ended?

    sender ── hop 1 ── hop 2 ── hop 3 ── receiver

Hops are counted from the sender. Each must hold by itself, by the key of its own gateway; then of
every two neighbours, the outer (nearer to the sender) and the inner one:

names     the outer receipt names the inner one by SHA-256 of its envelope, as the last of those
          that came with the answer; what it names before that, the inner one names too. The
          innermost names none, so that nothing can be missing at the end
transfer  both are about the same Transfer-Id
identity  where the certificates of the gateways are known: the outer one forwarded to the key of
          the inner one's, and the inner one was spoken to by the key of the outer one's
request   what the outer one delivered is what the inner one received
answer    what the inner one answered is what the outer one received

Content is compared by SHA-256 where both say it in plain. What the inner one changed or refused it
says under the transfer's own key: whoever has that key and the content itself can compare all the
same, and for everybody else there is the size. What was compared by which is told, never assumed.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.errors import EvidenceError
from proxy.model import Verdict
from proxy.receipt import dsse, reading


@dataclass(frozen=True, slots=True)
class Hop:
    """What one gateway gave, and what is known of it by other ways."""

    envelope: bytes
    key: Ed25519PublicKey
    """Signs this gateway's receipts."""
    spki_sha256: str | None = None
    """Of the certificate by which it speaks to others, in hexadecimal; None: not to be compared."""
    receipt_key: bytes | None = None
    """Of `Transfer-Receipt-Key`."""


@dataclass(frozen=True, slots=True)
class Link:
    """One receipt of a chain that holds."""

    number: int
    """1 is nearest to the sender."""
    statement: Mapping[str, Any]
    agreed: tuple[str, ...]
    """What the next one was found to have in common with it, a line each; none for the last."""


def require_chain(hops: Sequence[Hop], content: bytes | None = None) -> tuple[Link, ...]:
    """The links from `hops`, the sender's own gateway first.

    `content` is what was sent, for keyed digests. Fails closed: raises EvidenceError, which names
    the hop that does not hold or does not fit.
    """
    if len(hops) < 2:
        raise EvidenceError("a chain has two receipts at least")
    said = [_receipt(number, hop) for number, hop in enumerate(hops, 1)]
    try:
        named = [_named(number, statement) for number, statement in enumerate(said, 1)]
        _require_names(hops, named)
        agreed = [
            tuple(_agree(number, hops, said, content)) for number, _ in enumerate(hops[1:], 1)
        ]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise EvidenceError("a receipt lacks what every transfer receipt has") from None
    return tuple(map(Link, range(1, len(hops) + 1), said, [*agreed, ()]))


def _receipt(number: int, hop: Hop) -> Mapping[str, Any]:
    try:
        return reading.parse(dsse.verify(hop.envelope, hop.key))
    except EvidenceError as error:
        raise EvidenceError(f"hop {number}: {error}") from None


def _named(number: int, statement: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        return reading.further(statement)
    except EvidenceError as error:
        raise EvidenceError(f"hop {number}: {error}") from None


# --- the receipts --------------------------------------------------------------------------------


def _require_names(hops: Sequence[Hop], named: Sequence[tuple[str, ...]]) -> None:
    digests = [hashlib.sha256(hop.envelope).hexdigest() for hop in hops]
    for number, names in enumerate(named[:-1], 1):
        if not names:
            raise EvidenceError(f"hop {number} names no receipt, but hop {number + 1} follows it")
        if names[-1] != digests[number]:
            raise EvidenceError(_other(number, names, digests))
    if named[-1]:
        raise EvidenceError(
            f"hop {len(hops)} names a receipt further on that is not here: {named[-1][-1]}"
        )
    for number, (names, following) in enumerate(pairwise(named), 1):
        beyond = len(names) - 1
        if beyond > len(following) or names[:-1] != following[len(following) - beyond :]:
            raise EvidenceError(f"hop {number} names others behind hop {number + 1} than that does")


def _other(number: int, names: tuple[str, ...], digests: Sequence[str]) -> str:
    """Why hop `number` does not go on to the one that follows it here."""
    if names[-1] in digests:
        at = digests.index(names[-1]) + 1
        return f"hop {number + 1} is out of its place: hop {number} names hop {at} as the next"
    if digests[number] in names:
        return f"between hop {number} and hop {number + 1} one is missing: {names[-1]}"
    return f"hop {number} names another receipt than that of hop {number + 1}"


# --- two neighbours ------------------------------------------------------------------------------


def _agree(
    number: int, hops: Sequence[Hop], said: Sequence[Mapping[str, Any]], content: bytes | None
) -> Iterator[str]:
    outer, inner = said[number - 1]["predicate"], said[number]["predicate"]
    if outer["transferId"] != inner["transferId"]:
        raise EvidenceError(f"hop {number} and hop {number + 1} are about two transfers")
    if _require_identity(number, hops, outer, inner):
        yield "each was connected to the other, by the keys of their certificates"
    yield _require_request(number, outer, inner, hops[number].receipt_key, content)
    told = _require_answer(number, outer, inner)
    if told:
        yield told


def _require_identity(
    number: int, hops: Sequence[Hop], outer: Mapping[str, Any], inner: Mapping[str, Any]
) -> bool:
    """True when it could be compared, and agrees."""
    here, there = hops[number - 1].spki_sha256, hops[number].spki_sha256
    receiver, sender = outer["receiver"] or {}, inner["sender"] or {}
    if there is not None and receiver.get("spkiSha256") != there:
        raise EvidenceError(f"hop {number} forwarded to another than hop {number + 1}")
    if here is not None and sender.get("spkiSha256") != here:
        raise EvidenceError(f"hop {number + 1} received it from another than hop {number}")
    return here is not None and there is not None


def _require_request(
    number: int,
    outer: Mapping[str, Any],
    inner: Mapping[str, Any],
    key: bytes | None,
    content: bytes | None,
) -> str:
    gave, got = outer["content"]["delivered"] or {"bytes": "0"}, inner["content"]["received"]
    whole = inner["kind"] == Verdict.DELIVERED
    if int(got["bytes"]) > int(gave["bytes"]) or (whole and got["bytes"] != gave["bytes"]):
        raise _torn(number, "delivered", number + 1, "received")
    size, same = got["bytes"], got["bytes"] == gave["bytes"]
    if same and "sha256" in gave and "sha256" in got:
        if gave["sha256"] != got["sha256"]:
            raise _torn(number, "delivered", number + 1, "received")
        return f"it delivered what hop {number + 1} received: {size} bytes, SHA-256 {got['sha256']}"
    if same and _is(content, gave) and key is not None and "hmacSha256" in got:
        keyed = hmac.digest(key, content or b"", "sha256").hex()
        if not hmac.compare_digest(keyed, got["hmacSha256"]):
            raise _torn(number, "delivered", number + 1, "received")
        return f"it delivered what hop {number + 1} received: {size} bytes, HMAC-SHA256 {keyed}"
    if same:
        return f"it delivered {size} bytes and hop {number + 1} received as many: {_why(got, key)}"
    return f"hop {number + 1} received {size} of {gave['bytes']} bytes before it refused"


def _is(content: bytes | None, digest: Mapping[str, Any]) -> bool:
    return content is not None and hashlib.sha256(content).hexdigest() == digest.get("sha256")


def _why(got: Mapping[str, Any], key: bytes | None) -> str:
    if "hmacSha256" not in got:
        return "no digest is known"
    if key is None:
        return "their digest is keyed, and the key is not here"
    return "their digest is keyed, and takes the content to compare"


def _require_answer(number: int, outer: Mapping[str, Any], inner: Mapping[str, Any]) -> str | None:
    """What the answers have in common; None where the inner one's was not another's to compare."""
    came, went = outer["answer"] or {}, inner["answer"] or {}
    told, heard = inner["disposition"]["status"], came.get("status")
    if told is not None and heard != told:
        raise EvidenceError(f"hop {number + 1} answered {told}, and hop {number} was told {heard}")
    gave, got = went.get("delivered"), came.get("received")
    if inner["disposition"]["problem"] is not None or not gave or not got:
        return None
    if got["bytes"] == "0" != gave["bytes"]:
        return f"hop {number + 1} had delivered it before, and did not repeat its answer of then"
    differ = "sha256" in got and "sha256" in gave and got["sha256"] != gave["sha256"]
    if differ or (got["bytes"] != gave["bytes"] and outer["kind"] == Verdict.DELIVERED):
        raise _torn(number + 1, "answered", number, "received")
    if "sha256" in got and "sha256" in gave:
        return f"it received what hop {number + 1} answered: {got['bytes']} bytes"
    return f"hop {number + 1} answered {gave['bytes']} bytes, of which it received {got['bytes']}"


def _torn(giver: int, gave: str, taker: int, got: str) -> EvidenceError:
    return EvidenceError(f"what hop {giver} {gave} is not what hop {taker} {got}")
