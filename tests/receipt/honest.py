"""One statement of every kind that the product writes, by the ends that a transfer can have."""

import hashlib
from dataclasses import replace
from typing import Any

import orjson

from proxy.model import Content, Digest, Event, Outcome, Report, Verdict
from proxy.receipt import statement
from tests.receipt.outcomes import ORIGIN, SENDER, START, intent_of, outcome, refusal

PLACE = statement.Place(2, "spiffe://example/etl/orders/orders", 42, b"\x01" * 32)
Said = dict[str, Any]


def of(found: Outcome) -> Said:
    """What the statement about this outcome says."""
    built = statement.build(statement.submission(found), PLACE, origin=ORIGIN, completed=START)
    said: Said = orjson.loads(built)
    return said


def whole(data: bytes, form: str = "json") -> Content:
    digest = Digest(len(data), sha256=hashlib.sha256(data).digest())
    return Content(digest, digest, Report(form), "internal")


def part(came: int, went: int | None, form: str = "ndjson") -> Content:
    """It ended in the middle."""
    delivered = None if went is None else Digest(went)
    return Content(Digest(came, hmac_sha256=b"\x0b" * 32), delivered, Report(form), "internal")


def _tunnel(verdict: Verdict, request: Content, answer: Content | None, **changes: Any) -> Outcome:
    values: dict[str, Any] = {
        "status": None, "answer_status": None, "method": "tunnel", "target_hmac": None,
        "content_length": None,
    }  # fmt: skip
    return outcome(verdict, request=request, answer=answer, **(values | changes))


MASKED_ANSWER = Content(
    Digest(90),
    Digest(80, sha256=b"\x02" * 32),
    Report("json", 1, {"$.ssn": 1}, changed=True),
    "internal",
)
SHUT = Content(Digest(0), None, None, None)
MOVING = Content(Digest(9), Digest(9), Report("opaque"), "internal")
_ENDS: dict[str, Outcome] = {
    "masked": outcome(),
    "masked-both-ways": outcome(answer=MASKED_ANSWER),
    "as-it-came": outcome(request=whole(b"{}")),
    "without-content": outcome(request=whole(b"", "opaque"), answer=whole(b"", "opaque")),
    "redirected": outcome(status=303, answer_status=303),
    "opaque": outcome(request=whole(b"x", "opaque")),
    "sender-left": outcome(status=None, answer=part(10, 5)),
    "answer-refused": outcome(status=502, problem="answer-refused", answer=None),
    "log-unavailable": outcome(problem="log-unavailable"),
    "repeated-further-on": outcome(answer_repeated=True, answer=whole(b"")),
    "with-receipts": outcome(further=(b"\x01" * 32, b"\x02" * 32)),
    "of-a-process": outcome(sender=replace(SENDER, certificate=None, channel=None), receiver=None),
    "refused": refusal(),
    "refused-early": refusal("malformed", route=None, method=None, target_hmac=None, request=SHUT),
    "repeated": refusal("duplicate", status=201, duplicate_of=7),
    "rejected-in-the-middle": outcome(
        Verdict.REJECTED, status=422, problem="finding-rejected", request=part(50, 40),
        answer_status=None, answer=None,
    ),
    "answered-early": outcome(Verdict.FAILED, request=part(50, 40)),
    "refused-by-the-upstream": outcome(Verdict.FAILED, status=404, answer_status=404),
    "cut-off": outcome(
        Verdict.FAILED, status=None, problem="request-incomplete", request=part(50, None),
        answer_status=None, answer=None,
    ),
    "no-answer": outcome(
        Verdict.INDETERMINATE, status=504, problem="upstream-timeout", answer_status=None,
        answer=None,
    ),
    "half-an-answer": outcome(
        Verdict.INDETERMINATE, status=None, problem="upstream-closed", answer=part(10, 5)
    ),
    "tunnel": _tunnel(Verdict.DELIVERED, whole(b"SELECT", "opaque"), whole(b"1", "opaque")),
    "tunnel-one-way": _tunnel(Verdict.DELIVERED, whole(b"", "opaque"), SHUT),
    "tunnel-the-other-way": _tunnel(Verdict.DELIVERED, SHUT, whole(b"1", "opaque")),
    "tunnel-refused": _tunnel(
        Verdict.REJECTED, SHUT, None, problem="not-allowed", receiver=None, route=None
    ),
    "tunnel-that-was-not-open": _tunnel(
        Verdict.REJECTED, replace(SHUT, received=Digest(9)), SHUT, problem="content-not-allowed"
    ),
    "tunnel-idle": _tunnel(Verdict.FAILED, whole(b"x", "opaque"), SHUT, problem="tunnel-idle"),
    "tunnel-broken": _tunnel(Verdict.FAILED, MOVING, MOVING, problem="upstream-closed"),
    "tunnel-undecided": _tunnel(
        Verdict.INDETERMINATE, whole(b"x", "opaque"), MOVING, problem="upstream-closed"
    ),
}  # fmt: skip
_INTERRUPTED = statement.build_interrupted(
    intent_of(outcome()), PLACE, origin=ORIGIN, completed=START
)
_EVENT = statement.build_event(
    Event("stop", {"clean": True}),
    statement.Place(0, statement.event_stream(ORIGIN), 7, None),
    origin=ORIGIN,
    completed=START,
)
STATEMENTS: dict[str, Said] = {
    **{name: of(found) for name, found in _ENDS.items()},
    "interrupted": orjson.loads(_INTERRUPTED),
    "event": orjson.loads(_EVENT),
}
"""What each says, parsed."""
