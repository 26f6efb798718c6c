"""Receipts of several gateways about one transfer: does each go on where the one before it ended?

    sender ── hop 1 ── hop 2 ── hop 3 ── receiver

Hops are counted from the sender. Each receipt must hold by itself, by the key of its own gateway,
and agree with itself (`agreement`); then every two neighbours are held against each other, the
outer (nearer to the sender) and the inner one. `neighbours` does that, but for the first point:

receipt   the outer receipt names the inner one by SHA-256 of its envelope, as the last of those
          that came with the answer; what it names before that, the inner one names too. Where the
          innermost names none, nothing is missing at the end; else this point of it is not shown

A contradiction is an error, and names the hop. Whatever cannot be compared is a point as well, one
that is not shown, with the reason; nothing is left out in silence.

A repetition: a gateway that has delivered a transfer answers it, when it comes again, with its
receipt of then and no content. The gateway before it says in its own receipt that it was told so
(`answer.duplicate`). What the receipt of then names came with the answer of then, so that it may be
missing here, and what it says is held against the attempt of now, as far as that goes.

Who stands behind the last gateway may answer with a receipt of its own making, and honest gateways
pass it on, or name it where there is no room for it. So what is named behind the last key is no
contradiction, and never shown.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.errors import EvidenceError
from proxy.receipt import dsse, reading
from proxy.receipt.agreement import require_consistent
from proxy.receipt.measure import Measured
from proxy.receipt.neighbours import Pair, Point, compared, is_repetition, masked_the_query


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
    points: tuple[Point, ...]
    """What it was held against the next one for; of the last, that it ends here, if it does not."""


def require_chain(
    hops: Sequence[Hop],
    content: Measured | None = None,
    target: str | None = None,
    beyond: Sequence[bytes] = (),
) -> tuple[Link, ...]:
    """The links from `hops`, the sender's own gateway first.

    `content` is what was sent, measured with the receipt key of every hop, and `target` what was
    asked for: both are for keyed digests. `beyond`: envelopes that came from further on, for which
    there is no key. Fails closed: raises EvidenceError, which names the hop that does not hold or
    does not fit.
    """
    if not hops:
        raise EvidenceError("a chain has two receipts at least")
    said = [_receipt(number, hop) for number, hop in enumerate(hops, 1)]
    try:
        named = [_named(number, statement) for number, statement in enumerate(said, 1)]
        if len(hops) + len(beyond) < 2:
            raise EvidenceError(_alone(named[0]))
        found: list[list[Point]] = [[] for _ in said]
        for index, point in enumerate(_require_names(hops, named, said, beyond)):
            found[index].append(point)
        for number, (one, other) in enumerate(pairwise(zip(hops, said, strict=True)), 1):
            rewriters = (n for n, each in enumerate(said[:number], 1) if _rewrites(each))
            pair = _pair(number, one, other, next(rewriters, None))
            found[number - 1] += compared(pair, content, target)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise EvidenceError("a receipt lacks what every transfer receipt has") from None
    numbers = range(1, len(hops) + 1)
    return tuple(map(Link, numbers, said, map(tuple, found)))


def _alone(names: Sequence[str]) -> str:
    text = "a chain has two receipts at least"
    if names:
        text += f": hop 1 names receipts further on that are not here: {', '.join(names)}"
    return text


def _rewrites(statement: Mapping[str, Any]) -> bool:
    return masked_the_query(statement["predicate"])


def _pair(
    number: int,
    one: tuple[Hop, Mapping[str, Any]],
    other: tuple[Hop, Mapping[str, Any]],
    rewriter: int | None,
) -> Pair:
    (here, outer), (there, inner) = one, other
    return Pair(
        number=number,
        outer=outer["predicate"],
        inner=inner["predicate"],
        keys=(here.receipt_key, there.receipt_key),
        spkis=(here.spki_sha256, there.spki_sha256),
        rewriter=rewriter,
    )


def _receipt(number: int, hop: Hop) -> Mapping[str, Any]:
    try:
        statement = reading.parse(dsse.verify(hop.envelope, hop.key))
        require_consistent(statement)
        return statement
    except EvidenceError as error:
        raise EvidenceError(f"hop {number}: {error}") from None


def _named(number: int, statement: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        return reading.further(statement)
    except EvidenceError as error:
        raise EvidenceError(f"hop {number}: {error}") from None


# --- the receipts --------------------------------------------------------------------------------


def _require_names(
    hops: Sequence[Hop],
    named: Sequence[tuple[str, ...]],
    said: Sequence[Mapping[str, Any]],
    beyond: Sequence[bytes],
) -> list[Point]:
    envelopes = [*(hop.envelope for hop in hops), *beyond]
    digests = [hashlib.sha256(envelope).hexdigest() for envelope in envelopes]
    points = []
    for number, names in enumerate(named[: len(digests) - 1], 1):
        if not names:
            raise EvidenceError(f"hop {number} names no receipt, but hop {number + 1} follows it")
        if names[-1] != digests[number]:
            raise EvidenceError(_other(number, names, digests))
        if number == len(hops):
            points.append(Point("receipt", False, _keyless(names[-1], said[-1], beyond[0])))
        else:
            text = f"it names the receipt of hop {number + 1}: SHA-256 {names[-1]}"
            points.append(Point("receipt", True, text))
    for number, (names, following) in enumerate(pairwise(named), 1):
        more = len(names) - 1
        if more > len(following) or names[:-1] != following[len(following) - more :]:
            raise EvidenceError(f"hop {number} names others behind hop {number + 1} than that does")
    if named[-1] and not beyond:
        points.append(Point("receipt", False, _missing(named[-1][-1], said)))
    return points


def _keyless(digest: str, said: Mapping[str, Any], envelope: bytes) -> str:
    """Of the receipt behind the last key: whoever answered may have made it up."""
    text = f"it names a receipt further on, for which no key is here (--key): SHA-256 {digest}"
    try:
        other = reading.parse(dsse.parse(envelope).payload)["predicate"].get("transferId")
    except EvidenceError:
        return f"{text}, and it is none that can be read"
    if other != said["predicate"]["transferId"]:
        return f"{text}, which by its own words is about another transfer: {other}"
    return text


def _missing(digest: str, said: Sequence[Mapping[str, Any]]) -> str:
    """Of the receipt that the last hop names, and that is not here."""
    text = f"it names a receipt further on that is not here: SHA-256 {digest}"
    if len(said) > 1 and is_repetition(said[-2]["predicate"]):
        return f"{text}, which came with its answer of then"
    return text


def _other(number: int, names: tuple[str, ...], digests: Sequence[str]) -> str:
    """Why hop `number` does not go on to the one that follows it here."""
    if names[-1] in digests:
        at = digests.index(names[-1]) + 1
        return f"hop {number + 1} is out of its place: hop {number} names hop {at} as the next"
    if digests[number] in names:
        return f"between hop {number} and hop {number + 1} one is missing: {names[-1]}"
    return f"hop {number} names another receipt than that of hop {number + 1}"
