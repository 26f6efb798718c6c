"""What a receipt says: one in-toto Statement v1 about one attempt of one transfer.

    {"_type": "https://in-toto.io/Statement/v1",
     "subject": [{"name": "delivered:<transfer id>", "digest": {"sha256": "<content>"}}],
     "predicateType": "https://lockgate.dev/transfer-receipt/v1",
     "predicate": {"transferId": …, "attempt": "1", "kind": "delivered", …}}

Rules
- Compact JSON, keys in a fixed order: the same outcome gives the same octets.
- Counters that may pass 2^53 are strings. Maps hold at most 32 entries, and `others` counts what
  the rest add up to. A statement is at most `MAX_STATEMENT` octets, whatever a peer puts into its
  names: lists and maps are shortened until it is.
- A content digest is the subject of `delivered` alone, so that a verifier that looks no further
  than the subject cannot take a refusal for a delivery. Every other verdict has the subject
  `<verdict>:<transfer id>`, whose digest is SHA-256 of that very name and reveals nothing.
- Received content has a plain SHA-256 only where it is the delivered one. Anything else would let a
  reader of the log enumerate what was masked, so it is left out here even if it is handed in.
- An attempt that a crash cut short is known only by its intent: `build_interrupted` says
  `indeterminate`, `recovered: true`, and null for all that nobody knows any more.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from proxy.errors import EvidenceError
from proxy.model import Certificate, Content, Digest, Intent, Outcome, Peer, Verdict

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://lockgate.dev/transfer-receipt/v1"
MAX_STATEMENT: Final = 46_000
"""Octets. In base64 and with its signature such a statement stays within a 65,535 octet leaf."""
_ENTRIES: Final = 32
_NAME: Final = 1024
"""Octets of the longest name of a peer, path or SAN that is written out."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement stands: all that the notary, and nobody else, knows."""

    attempt: int
    """1 for the first attempt of a transfer."""
    stream: str
    """`<sender>/<route>`, see `stream_of`."""
    number: int
    """1 for the first statement of a stream."""
    previous: bytes | None
    """SHA-256 of the envelope before this one in the stream; None for the first."""
    duplicate_of: int | None = None
    """Index of the leaf that says `delivered` about the same transfer."""


def stream_of(sender: str, route: str | None) -> str:
    """The name of the sequence in which statements about this sender and route are numbered."""
    if len(sender.encode()) > _NAME:
        sender = "sha256:" + hashlib.sha256(sender.encode()).hexdigest()
    return f"{sender}/{route or '-'}"


def build(
    outcome: Outcome,
    *,
    attempt: int,
    sequence: int,
    previous: bytes | None,
    stream: str,
    origin: str,
    duplicate_of: int | None = None,
) -> bytes:
    """The statement about `outcome`, at most `MAX_STATEMENT` octets of JSON.

    Raises `EvidenceError` where that cannot be: a text that is not Unicode, a name without end.
    """
    place = Place(attempt, stream, sequence, previous, duplicate_of)
    for entries in (_ENTRIES, 4, 0):
        try:
            predicate = _predicate(outcome, place, origin, entries)
            statement = orjson.dumps(_statement(predicate, outcome))
        except (TypeError, ValueError):
            raise EvidenceError("an outcome holds what JSON cannot say") from None
        if len(statement) <= MAX_STATEMENT:
            return statement
    raise EvidenceError("a statement without lists and maps is still too large")


def build_interrupted(
    intent: Intent,
    *,
    attempt: int,
    sequence: int,
    previous: bytes | None,
    stream: str,
    origin: str,
    completed: datetime,
) -> bytes:
    """The statement about an attempt of which a crash left no more than `intent`."""
    predicate = {
        "transferId": intent.transfer_id,
        "attempt": str(attempt),
        "kind": Verdict.INDETERMINATE.value,
        "disposition": {"status": None, "problem": None, "duplicateOf": None, "recovered": True},
        "sequence": _sequence(Place(attempt, stream, sequence, previous)),
        "request": {"method": None, "route": intent.route},
        "content": None,
        "answer": None,
        "sender": {"name": _cut(intent.sender)},
        "receiver": None,
        "channel": None,
        "policy": {"sha256": None, "route": intent.route},
        "time": {"received": timestamp(intent.started), "completed": timestamp(completed)},
        "log": {"origin": origin},
    }
    return orjson.dumps(_statement(predicate, None))


def _statement(predicate: dict[str, Any], outcome: Outcome | None) -> dict[str, Any]:
    name = f"{predicate['kind']}:{predicate['transferId']}"
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    if outcome is not None and outcome.verdict is Verdict.DELIVERED:
        delivered = outcome.request.delivered
        if delivered is not None and delivered.sha256 is not None:
            sha256 = delivered.sha256.hex()
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": sha256}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }


def _predicate(outcome: Outcome, place: Place, origin: str, entries: int) -> dict[str, Any]:
    duplicate = None if place.duplicate_of is None else str(place.duplicate_of)
    answer = None
    if outcome.answer_status is not None or outcome.answer is not None:
        answer = {"status": outcome.answer_status} | (_content(outcome.answer, entries) or {})
    return {
        "transferId": outcome.transfer_id,
        "attempt": str(place.attempt),
        "kind": outcome.verdict.value,
        "disposition": {
            "status": outcome.status,
            "problem": outcome.problem,
            "duplicateOf": duplicate,
        },
        "sequence": _sequence(place),
        "request": {
            "method": None if outcome.method is None else _cut(outcome.method),
            "route": outcome.route,
            "target": None
            if outcome.target_hmac is None
            else {"hmacSha256": outcome.target_hmac.hex()},
            "contentLength": _count(outcome.content_length),
            "signature": None,
        },
        "content": _content(outcome.request, entries),
        "answer": answer,
        "sender": _peer(outcome.sender, entries),
        "receiver": None if outcome.receiver is None else _certificate(outcome.receiver, entries),
        "channel": _channel(outcome.sender),
        "policy": {
            "sha256": outcome.policy_sha256.hex(),
            "route": outcome.route,
            "listener": outcome.listener,
            "upstream": outcome.upstream,
        },
        "time": {
            "received": timestamp(outcome.received_at),
            "completed": timestamp(outcome.completed_at),
        },
        "log": {"origin": origin},
    }


def _sequence(place: Place) -> dict[str, Any]:
    return {
        "stream": place.stream,
        "number": str(place.number),
        "previous": None if place.previous is None else place.previous.hex(),
    }


def _content(content: Content | None, entries: int) -> dict[str, Any] | None:
    if content is None:
        return None
    delivered, report = content.delivered, content.report
    known = delivered.sha256 if delivered is not None else None
    result: dict[str, Any] = {
        "received": _digest(content.received, plain=content.received.sha256 == known),
        "delivered": None if delivered is None else _digest(delivered, plain=True),
        "format": None,
        "opaque": False,
        "changed": False,
        "records": None,
        "masked": {},
        "findings": {},
        "label": content.label,
    }
    if report is not None:
        result |= {
            "format": report.format,
            "opaque": report.format == "opaque",
            "changed": report.changed,
            "records": _count(report.records),
            "masked": _counts(report.masked, entries),
            "findings": _counts(report.findings, entries),
        }
    return result


def _digest(digest: Digest, *, plain: bool) -> dict[str, str]:
    result = {}
    if plain and digest.sha256 is not None:
        result["sha256"] = digest.sha256.hex()
    elif digest.hmac_sha256 is not None:
        result["hmacSha256"] = digest.hmac_sha256.hex()
    return result | {"bytes": str(digest.size)}


def _counts(counts: Mapping[str, int], entries: int) -> dict[str, str]:
    """At most `entries` of them, most frequent first, and `others` for what the rest add up to."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = [item for item in ranked if len(item[0].encode()) <= _NAME and item[0] != "others"]
    result = {name: str(count) for name, count in kept[:entries]}
    rest = sum(counts.values()) - sum(count for _, count in kept[:entries])
    return result | ({"others": str(rest)} if rest else {})


def _peer(peer: Peer, entries: int) -> dict[str, Any]:
    name = {"name": _cut(peer.name)}
    return name if peer.certificate is None else name | _certificate(peer.certificate, entries)


def _certificate(certificate: Certificate, entries: int) -> dict[str, Any]:
    short = [san for san in certificate.sans if len(san.encode()) <= _NAME][:entries]
    result: dict[str, Any] = {
        "spkiSha256": certificate.spki_sha256.hex(),
        "certSha256": certificate.sha256.hex(),
        "sans": short,
    }
    rest = len(certificate.sans) - len(short)
    return result | ({"otherSans": str(rest)} if rest else {})


def _channel(peer: Peer) -> dict[str, str] | None:
    if peer.channel is None:
        return None
    return {
        "tls": peer.channel.version,
        "cipher": peer.channel.cipher,
        "group": peer.channel.group,
        "exporterSha256": peer.channel.exporter_sha256.hex(),
    }


def _count(value: int | None) -> str | None:
    return None if value is None else str(value)


def _cut(name: str) -> str:
    return name if len(name.encode()) <= _NAME else name.encode()[:_NAME].decode(errors="ignore")


def timestamp(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds, `2026-01-31T12:00:00.000000Z`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
