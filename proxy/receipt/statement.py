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
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from proxy.errors import EvidenceError
from proxy.model import Intent, Outcome, Verdict
from proxy.receipt import terms

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://lockgate.dev/transfer-receipt/v1"
MAX_STATEMENT: Final = 46_000
"""Octets. In base64 and with its signature such a statement stays within a 65,535 octet leaf."""
_ENTRIES: Final = 32


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
    if len(sender.encode()) > terms.NAME:
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
        "sender": {"name": terms.cut(intent.sender)},
        "receiver": None,
        "channel": None,
        "policy": {"sha256": None, "route": intent.route},
        "time": {
            "received": terms.timestamp(intent.started),
            "completed": terms.timestamp(completed),
        },
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
    answer = None
    if outcome.answer_status is not None or outcome.answer is not None:
        answer = {"status": outcome.answer_status} | (terms.content(outcome.answer, entries) or {})
    receiver = outcome.receiver
    return {
        "transferId": outcome.transfer_id,
        "attempt": str(place.attempt),
        "kind": outcome.verdict.value,
        "disposition": {
            "status": outcome.status,
            "problem": outcome.problem,
            "duplicateOf": terms.count(place.duplicate_of),
        },
        "sequence": _sequence(place),
        "request": _request(outcome),
        "content": terms.content(outcome.request, entries),
        "answer": answer,
        "sender": terms.peer(outcome.sender, entries),
        "receiver": None if receiver is None else terms.certificate(receiver, entries),
        "channel": terms.channel(outcome.sender),
        "policy": {
            "sha256": outcome.policy_sha256.hex(),
            "route": outcome.route,
            "listener": outcome.listener,
            "upstream": outcome.upstream,
        },
        "time": {
            "received": terms.timestamp(outcome.received_at),
            "completed": terms.timestamp(outcome.completed_at),
        },
        "log": {"origin": origin},
    }


def _request(outcome: Outcome) -> dict[str, Any]:
    target = outcome.target_hmac
    return {
        "method": None if outcome.method is None else terms.cut(outcome.method),
        "route": outcome.route,
        "target": None if target is None else {"hmacSha256": target.hex()},
        "contentLength": terms.count(outcome.content_length),
        "signature": None,
    }


def _sequence(place: Place) -> dict[str, Any]:
    return {
        "stream": place.stream,
        "number": str(place.number),
        "previous": None if place.previous is None else place.previous.hex(),
    }
