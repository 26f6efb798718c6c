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
- Counters that may pass 2^53 are strings. Maps of a receipt hold at most 32 entries, those of an
  event 256, and `others` counts what the rest add up to. A statement is at most `MAX_STATEMENT`
  octets, whatever a peer puts into its names: lists and maps are shortened until it is.
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
from typing import Final

import orjson

from proxy.errors import EvidenceError
from proxy.model import Event, Intent, Outcome, Submission, Verdict
from proxy.receipt import terms
from proxy.receipt.details import MAX_DETAILS as MAX_DETAILS
from proxy.receipt.details import details as details
from proxy.receipt.details import require_details

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://lockgate.dev/transfer-receipt/v1"
EVENT_TYPE: Final = "https://lockgate.dev/log-event/v1"
EVENTS: Final = (
    "start", "stop", "recovery", "reload", "key", "refused-handshakes", "refused-transfers"
)  # fmt: skip
MAX_STATEMENT: Final = 46_000
"""Octets. In base64 and with its signature such a statement stays within a 65,535 octet leaf."""
_LONGEST_ID: Final = 128
"""Characters of a transfer id or a problem code; both have fewer than half of it."""
_INDICES: Final = 2**63
"""Leaves that a log can have. A reader takes no index beyond them, nor one below zero."""


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


def submission(outcome: Outcome, *, owed: bool = False) -> Submission:
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
        owed=owed,
    )


def build(submission: Submission, place: Place, *, origin: str, completed: datetime) -> bytes:
    """The statement about `submission`, at most `MAX_STATEMENT` octets of JSON.

    Raises `EvidenceError` where the details are not what `details` writes about this submission, a
    text is not Unicode, or `duplicate_of` is no index of a leaf. Fails closed: what no reader takes
    would stand in the log for good.
    """
    delivered = submission.delivered_sha256 if submission.verdict is Verdict.DELIVERED else None
    status, problem, duplicate = submission.status, submission.problem, submission.duplicate_of
    if duplicate is not None and not 0 <= duplicate < _INDICES:
        raise EvidenceError("a submission names a leaf that no log can have")
    try:
        disposition = (
            f'{{"status":{"null" if status is None else status},'
            f'"problem":{"null" if problem is None else terms.known(problem[:_LONGEST_ID])},'
            f'"duplicateOf":{terms.count(duplicate)}}}'
        )
        middle = f"{disposition},{_sequence(place)},{require_details(submission)}"
        times = _times(submission.received_at, completed)
        return _receipt(submission, submission.verdict, place, middle, times, origin, delivered)
    except (TypeError, ValueError):
        raise EvidenceError("a submission holds what JSON cannot say") from None


def build_interrupted(intent: Intent, place: Place, *, origin: str, completed: datetime) -> bytes:
    """The statement about an attempt of which a crash left no more than `intent`."""
    try:
        name, route = terms.quote(terms.cut(intent.sender)), terms.quote(intent.route)
        middle = (
            '{"status":null,"problem":null,"duplicateOf":null,"recovered":true},'
            f'{_sequence(place)},"request":{{"method":null,"route":{route}}},"content":null,'
            f'"answer":null,"sender":{{"name":{name}}},"receiver":null,"channel":null,'
            f'"policy":{{"sha256":null,"route":{route}}}'
        )
        times = _times(intent.started, completed)
        return _receipt(intent, Verdict.INDETERMINATE, place, middle, times, origin, None)
    except (TypeError, ValueError):
        raise EvidenceError("an intent holds what JSON cannot say") from None


def _receipt(
    attempt: Submission | Intent,
    verdict: Verdict,
    place: Place,
    middle: str,
    times: str,
    origin: str,
    delivered: bytes | None,
) -> bytes:
    """`middle` is what stands from the value of `disposition` to the policy."""
    transfer_id = attempt.transfer_id
    if len(transfer_id) > _LONGEST_ID:
        raise EvidenceError("a transfer id is too long")
    predicate = (
        f'{{"transferId":{terms.quote(transfer_id)},"attemptId":"{attempt.attempt_id.hex()}",'
        f'"attempt":"{place.attempt}","kind":"{verdict}","disposition":{middle},'
        f'{times},"log":{{"origin":{terms.known(origin)}}}}}'
    )
    return _statement(f"{verdict}:{transfer_id}", delivered, PREDICATE_TYPE, predicate)


def _times(received: datetime, completed: datetime) -> str:
    began, ended = terms.timestamp(received), terms.timestamp(completed)
    return f'"time":{{"received":"{began}","completed":"{ended}"}}'


def build_event(event: Event, place: Place, *, origin: str, completed: datetime) -> bytes:
    """The statement about something that happened to the gateway itself.

    Raises `EvidenceError` for a kind that is none of `EVENTS`, and for details that JSON cannot say
    or that are too large.
    """
    if event.kind not in EVENTS:
        raise EvidenceError("an event of a kind that has no name in the log")
    try:
        predicate = (
            f'{{"kind":"{event.kind}",{_sequence(place)},'
            f'"details":{orjson.dumps(dict(event.details)).decode()},'
            f'"time":{{"completed":"{terms.timestamp(completed)}"}},'
            f'"log":{{"origin":{terms.known(origin)}}}}}'
        )
        return _statement(f"event:{event.kind}:{place.number}", None, EVENT_TYPE, predicate)
    except (TypeError, ValueError):
        raise EvidenceError("an event holds what JSON cannot say") from None


def _statement(name: str, sha256: bytes | None, kind: str, predicate: str) -> bytes:
    digest = hashlib.sha256(name.encode()).hexdigest() if sha256 is None else sha256.hex()
    statement = (
        f'{{"_type":"{STATEMENT_TYPE}","subject":[{{"name":{terms.quote(name)},'
        f'"digest":{{"sha256":"{digest}"}}}}],"predicateType":"{kind}","predicate":{predicate}}}'
    ).encode()
    if len(statement) > MAX_STATEMENT:
        raise EvidenceError("a statement would be too large")
    return statement


def _sequence(place: Place) -> str:
    return (
        f'"sequence":{{"stream":{terms.known(place.stream)},"number":"{place.number}",'
        f'"previous":{terms.octets(place.previous)}}}'
    )
