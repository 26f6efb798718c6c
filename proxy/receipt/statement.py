"""What a leaf of the log says: one in-toto Statement v1 about one attempt, or about the gateway.

    {"_type": "https://in-toto.io/Statement/v1",
     "subject": [{"name": "delivered:<transfer id>", "digest": {"sha256": "<content>"}}],
     "predicateType": "https://lockgate.dev/transfer-receipt/v1",
     "predicate": {"transferId": …, "attemptId": …, "attempt": "1", "kind": "delivered", …}}

Rules
- Two hands write a receipt. The worker writes `details`: what only it knows, `request` to `policy`
  of the predicate. The notary writes the rest around it: who is judged, the verdict, the place in
  the log, the time. It takes `details` only where they are exactly the seven known keys, in their
  order and in the very octets that we write, and agree with the submission; so a worker that is no
  longer ours can forge neither place, time or log nor the attempt of another.
- Compact JSON, keys in a fixed order: the same submission gives the same octets.
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
- What happened to the gateway itself has a predicate type of its own, and the subject
  `event:<kind>:<number>`: no verifier of receipts can take it for one.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from proxy.errors import EvidenceError
from proxy.model import Event, Intent, Outcome, Submission, Verdict
from proxy.receipt import terms

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://lockgate.dev/transfer-receipt/v1"
EVENT_TYPE: Final = "https://lockgate.dev/log-event/v1"
EVENTS: Final = ("start", "stop", "recovery", "reload", "key", "refused-handshakes")
MAX_STATEMENT: Final = 46_000
"""Octets. In base64 and with its signature such a statement stays within a 65,535 octet leaf."""
MAX_DETAILS: Final = 32_000
"""Octets of the worker's part."""
_DETAILS: Final = ("request", "content", "answer", "sender", "receiver", "channel", "policy")
_ENTRIES: Final = 32


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement stands: all that the notary, and nobody else, knows."""

    attempt: int
    """1 for the first attempt of a transfer; 0 for an event, which has none."""
    stream: str
    """`<sender>/<route>`, see `stream_of`."""
    number: int
    """1 for the first statement of a stream."""
    previous: bytes | None
    """SHA-256 of the envelope before this one in the stream; None for the first."""


def stream_of(sender: str, route: str | None) -> str:
    """The name of the sequence in which statements about this sender and route are numbered."""
    if len(sender.encode()) > terms.NAME:
        sender = "sha256:" + hashlib.sha256(sender.encode()).hexdigest()
    return f"{sender}/{route or '-'}"


def event_stream(origin: str) -> str:
    """The name of the sequence in which a log's events are numbered."""
    return f"{origin}/log"


def submission(outcome: Outcome) -> Submission:
    """The outcome as it goes to the notary. Raises `EvidenceError` as `details` does."""
    delivered = outcome.request.delivered
    return Submission(
        attempt_id=outcome.attempt_id,
        transfer_id=outcome.transfer_id,
        verdict=outcome.verdict,
        status=outcome.status,
        problem=outcome.problem,
        sender=outcome.sender.name,
        route=outcome.route,
        received_at=outcome.received_at,
        details=details(outcome),
        delivered_sha256=None if delivered is None else delivered.sha256,
        claim=outcome.claim,
        content_sha256=outcome.content_sha256,
        duplicate_of=outcome.duplicate_of,
    )


def details(outcome: Outcome) -> bytes:
    """The worker's part of a receipt: a JSON object of at most `MAX_DETAILS` octets.

    Raises `EvidenceError` where that cannot be: a text that is not Unicode.
    """
    for entries in (_ENTRIES, 4, 0):
        try:
            found = orjson.dumps(_details(outcome, entries))
        except (TypeError, ValueError):
            raise EvidenceError("an outcome holds what JSON cannot say") from None
        if len(found) <= MAX_DETAILS:
            return found
    raise EvidenceError("the details of an outcome without lists and maps are still too large")


def build(submission: Submission, place: Place, *, origin: str, completed: datetime) -> bytes:
    """The statement about `submission`, at most `MAX_STATEMENT` octets of JSON.

    Raises `EvidenceError` where the details are not what `details` writes about this submission, or
    a text is not Unicode. Fails closed.
    """
    told = _require_details(submission)
    predicate = {
        "transferId": submission.transfer_id,
        "attemptId": submission.attempt_id.hex(),
        "attempt": str(place.attempt),
        "kind": submission.verdict.value,
        "disposition": {
            "status": submission.status,
            "problem": submission.problem,
            "duplicateOf": terms.count(submission.duplicate_of),
        },
        "sequence": _sequence(place),
        **told,
        "time": {
            "received": terms.timestamp(submission.received_at),
            "completed": terms.timestamp(completed),
        },
        "log": {"origin": origin},
    }
    name = f"{submission.verdict.value}:{submission.transfer_id}"
    delivered = submission.delivered_sha256 if submission.verdict is Verdict.DELIVERED else None
    return _statement(name, delivered, PREDICATE_TYPE, predicate)


def _require_details(submission: Submission) -> dict[str, Any]:
    try:
        told = orjson.loads(submission.details)
        if len(submission.details) > MAX_DETAILS or orjson.dumps(told) != submission.details:
            raise ValueError
        if tuple(told) != _DETAILS or told["request"]["route"] != submission.route:
            raise ValueError
        if told["sender"]["name"] != terms.cut(submission.sender):
            raise ValueError
        if submission.verdict is Verdict.DELIVERED:
            delivered = told["content"]["delivered"].get("sha256")
            if delivered != terms.hexadecimal(submission.delivered_sha256):
                raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError):
        raise EvidenceError("the details of a submission are not what a worker writes") from None
    return dict(told)


def build_interrupted(intent: Intent, place: Place, *, origin: str, completed: datetime) -> bytes:
    """The statement about an attempt of which a crash left no more than `intent`."""
    predicate = {
        "transferId": intent.transfer_id,
        "attemptId": intent.attempt_id.hex(),
        "attempt": str(place.attempt),
        "kind": Verdict.INDETERMINATE.value,
        "disposition": {"status": None, "problem": None, "duplicateOf": None, "recovered": True},
        "sequence": _sequence(place),
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
    name = f"{Verdict.INDETERMINATE.value}:{intent.transfer_id}"
    return _statement(name, None, PREDICATE_TYPE, predicate)


def build_event(event: Event, place: Place, *, origin: str, completed: datetime) -> bytes:
    """The statement about something that happened to the gateway itself.

    Raises `EvidenceError` for a kind that is none of `EVENTS`, and for details that JSON cannot say
    or that are too large.
    """
    if event.kind not in EVENTS:
        raise EvidenceError("an event of a kind that has no name in the log")
    predicate = {
        "kind": event.kind,
        "sequence": _sequence(place),
        "details": dict(event.details),
        "time": {"completed": terms.timestamp(completed)},
        "log": {"origin": origin},
    }
    return _statement(f"event:{event.kind}:{place.number}", None, EVENT_TYPE, predicate)


def _statement(name: str, sha256: bytes | None, kind: str, predicate: dict[str, Any]) -> bytes:
    try:
        digest = hashlib.sha256(name.encode()).hexdigest() if sha256 is None else sha256.hex()
        statement = orjson.dumps(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": name, "digest": {"sha256": digest}}],
                "predicateType": kind,
                "predicate": predicate,
            }
        )
    except (TypeError, ValueError):
        raise EvidenceError("a statement would hold what JSON cannot say") from None
    if len(statement) > MAX_STATEMENT:
        raise EvidenceError("a statement would be too large")
    return statement


def _details(outcome: Outcome, entries: int) -> dict[str, Any]:
    answer = None
    if outcome.answer_status is not None or outcome.answer is not None:
        answer = {"status": outcome.answer_status} | (terms.content(outcome.answer, entries) or {})
    receiver, target = outcome.receiver, outcome.target_hmac
    return {
        "request": {
            "method": None if outcome.method is None else terms.cut(outcome.method),
            "route": outcome.route,
            "target": None if target is None else {"hmacSha256": target.hex()},
            "contentLength": terms.count(outcome.content_length),
            "signature": None,
        },
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
    }


def _sequence(place: Place) -> dict[str, Any]:
    return {
        "stream": place.stream,
        "number": str(place.number),
        "previous": None if place.previous is None else place.previous.hex(),
    }
