"""A statement agrees with itself: every honest one does, and none that cannot be true.

That whatever a real transfer or tunnel ends in agrees is looked at where they end: the evidence of
`tests/edge`, the receipts of `tests/scenarios` and of the fuzz all go through the same question.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import EvidenceError
from proxy.receipt import reading, words
from proxy.receipt.agreement import require_consistent
from proxy.receipt.statement import PREDICATE_TYPE
from tests.receipt import anything
from tests.receipt.honest import STATEMENTS
from tests.receipt.test_chain import Said, all_of, put, subject, torn

Change = Callable[[Said], object]
OTHER = {"sha256": "00" * 32, "bytes": "90"}
LIES: dict[str, tuple[str, Change, str]] = {
    "unchanged-yet-other": ("masked", put("content.changed", False), "delivered what it did not"),
    "two-plain-digests": (
        "as-it-came", put("content.received.sha256", "00" * 32), "in plain is not what was deliv"
    ),
    "two-plain-digests-and-changed": (
        "as-it-came", all_of(put("content.received.sha256", "00" * 32),
                             put("content.changed", True)), "in plain is not what was delivered",
    ),
    "two-plain-sizes": ("as-it-came", put("content.received.bytes", "3"), "in plain is not what"),
    "plain-and-not-delivered": (
        "as-it-came", put("content.delivered", None), "in plain is not what was delivered"
    ),
    "plain-and-changed": ("as-it-came", put("content.changed", True), "in plain is not what was"),
    "other-answer": ("masked", put("answer.received.sha256", "00" * 32), "answer: what was rece"),
    "answer-unchanged-yet-other": (
        "masked-both-ways", put("answer.changed", False), "answer: it changed nothing"
    ),
    "nothing-of-a-size": (
        "as-it-came", all_of(put("content.received.bytes", "0"),
                             put("content.delivered.bytes", "0")), "the digest of others",
    ),
    "something-of-no-size": (
        "without-content", all_of(put("content.received.bytes", "5"),
                                  put("content.delivered.bytes", "5")), "the digest of others",
    ),
    "more-than-came": ("answered-early", put("content.delivered.bytes", "51"), "more than it rec"),
    "unseen-and-changed": (
        "masked", put("content.opaque", True), "it was forwarded unseen, and changed"
    ),
    "unseen-yet-parsed": ("as-it-came", put("content.opaque", True), "opaque and format contra"),
    "opaque-yet-seen": ("opaque", put("content.opaque", False), "opaque and format contradict"),
    "delivered-with-500": ("masked", put("answer.status", 500), "and answered 201"),
    "delivered-with-500-passed-on": (
        "masked", all_of(put("answer.status", 500), put("disposition.status", 500)),
        "says delivered, and the upstream answered 500",
    ),
    "delivered-with-100": (
        "sender-left", put("answer.status", 199), "says delivered, and the upstream answered 199"
    ),
    "delivered-without-answer": (
        "sender-left", put("answer", None), "says delivered, and the upstream answered None"
    ),
    "delivered-nothing": (
        "masked", torn("content", 100), "it says delivered, and not what"
    ),
    "delivered-of-no-digest": ("masked", torn("content", 9, 9), "it says delivered, and not what"),
    "answered-otherwise": ("refused-by-the-upstream", put("disposition.status", 200), "told 404"),
    "a-tunnel-with-a-status": ("tunnel", put("answer.status", 200), "a status of a tunnel"),
    "a-tunnel-that-answers": ("tunnel", put("disposition.status", 200), "a status of a tunnel"),
    "a-tunnel-without-its-end": ("tunnel", torn("content", 9, 9), "a tunnel that did not end"),
    "a-tunnel-without-an-answer": ("tunnel", put("answer", None), "a tunnel that did not end"),
    "a-tunnel-of-http": ("masked", put("request.method", "tunnel"), "a status of a tunnel"),
    "no-content": ("masked", put("content", None), "nothing is said of a content"),
    "recovered-with-content": ("masked", put("disposition.recovered", True), "nothing is said of"),
    "recovered-and-delivered": ("interrupted", put("kind", "delivered"), "after a crash"),
    "recovered-and-answered": (
        "interrupted", put("answer", {"status": 200, "receipts": None}), "after a crash"
    ),
}  # fmt: skip
FORMS: dict[str, tuple[str, object]] = {
    "verdict-misspelt": ("kind", "dellivered"),
    "verdict-in-capitals": ("kind", "Delivered"),
    "verdict-of-a-list": ("kind", ["delivered"]),
    "no-id": ("transferId", None),
    "empty-id": ("transferId", ""),
    "an-id-of-a-number": ("transferId", 7),
    "a-size-with-spaces": ("content.delivered.bytes", " 1_1 "),
    "a-size-with-zeros": ("content.delivered.bytes", "090"),
    "a-size-below-zero": ("content.delivered.bytes", "-1"),
    "a-size-in-other-digits": ("content.delivered.bytes", "٩٠"),
    "a-size-beyond-all": ("content.delivered.bytes", "9" * 5000),
    "a-size-as-a-number": ("content.delivered.bytes", 90),
    "no-size": ("content.delivered", {"sha256": "00" * 32}),
    "a-digest-in-capitals": ("content.delivered.sha256", "AB" * 32),
    "a-short-digest": ("content.received.hmacSha256", "ab"),
    "plain-and-keyed": ("content.received", OTHER | {"hmacSha256": "00" * 32}),
    "content-of-a-text": ("content.received", "x"),
    "content-as-a-list": ("content", []),
    "changed-as-a-text": ("content.changed", "false"),
    "counts-of-a-list": ("content.masked", ["x"]),
    "a-count-of-a-number": ("content.findings", {"x": 1}),
    "places-of-a-list": ("content.foundAt", ["x"]),
    "a-place-of-a-number": ("content.foundAt", {"us_ssn": {"$": 1}}),
    "unscanned-as-a-number": ("content.unscanned", 2),
    "lowered-as-a-list": ("content.lowered", ["us_ssn"]),
    "shadow-as-a-number": ("content.shadow", {"deny[0]": 1}),
    "a-status-of-truth": ("answer.status", True),
    "a-status-as-a-text": ("answer.status", "201"),
    "receipts-of-text": ("answer.receipts", ["x"]),
    "not-a-repetition": ("answer.duplicate", False),
    "not-recovered": ("disposition.recovered", False),
    "a-sender-as-a-text": ("sender", "spiffe://x"),
    "a-receiver-as-a-text": ("receiver", "x"),
    "a-method-of-a-number": ("request.method", 5),
    "a-target-as-a-text": ("request.target", "x"),
    "a-place-with-zeros": ("sequence.number", "042"),
    "another-time": ("time.completed", "2026-05-01 12:00"),
    "a-log-of-a-number": ("log.origin", 5),
}


def changed(kind: str, change: Change) -> Said:
    """A statement whose predicate is changed, and whose subject follows it."""
    said = copy.deepcopy(STATEMENTS[kind])
    change(said["predicate"])
    said["subject"] = subject(said["predicate"])
    return said


def fault(said: Said) -> str:
    with pytest.raises(EvidenceError) as caught:
        require_consistent(said)
    return str(caught.value)


@pytest.mark.parametrize("kind", STATEMENTS)
def test_what_the_product_writes_agrees_with_itself(kind: str) -> None:
    require_consistent(STATEMENTS[kind])


@pytest.mark.parametrize(("kind", "change", "why"), LIES.values(), ids=LIES)
def test_what_cannot_be_true_does_not(kind: str, change: Change, why: str) -> None:
    assert why in fault(changed(kind, change))


@pytest.mark.parametrize(("path", "value"), FORMS.values(), ids=FORMS)
def test_a_member_of_another_form_does_not(path: str, value: object) -> None:
    said = copy.deepcopy(STATEMENTS["masked"])
    put(path, value)(said["predicate"])
    assert fault(said)


@pytest.mark.parametrize("kind", STATEMENTS)
@pytest.mark.parametrize(
    "subjects",
    [
        [{"name": "delivered:other", "digest": {"sha256": "00" * 32}}],
        [],
        None,
        ["x"],
        [{"name": 5, "digest": "x"}],
    ],
    ids=["other", "none", "null", "text", "forms"],
)
def test_a_subject_of_anything_else_does_not(kind: str, subjects: object) -> None:
    assert "subject" in fault(STATEMENTS[kind] | {"subject": subjects})


@pytest.mark.parametrize("kind", STATEMENTS)
def test_each_half_of_the_subject_is_held_against_what_it_is_about(kind: str) -> None:
    (told,) = STATEMENTS[kind]["subject"]
    other = hashlib.sha256(b"another").hexdigest()
    for change in ({"name": "delivered:other"}, {"digest": {"sha256": other}}):
        assert "its subject is another" in fault(STATEMENTS[kind] | {"subject": [told | change]})
    assert "not one subject" in fault(STATEMENTS[kind] | {"subject": [told, told]})


def test_members_that_nobody_knows_are_ignored() -> None:
    said = copy.deepcopy(STATEMENTS["masked"])
    for place in (said, said["predicate"], said["predicate"]["content"], said["predicate"]["log"]):
        place["further"] = {"x": [1]}
    require_consistent(said)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where anything can stand in a statement."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield (*way, key)
        if isinstance(value[key], (dict, list)):
            yield from places(value[key], (*way, key))


@st.composite
def mutated(draw: st.DrawFn) -> Said:
    """A statement with any JSON in any place, or with nothing there."""
    said = copy.deepcopy(STATEMENTS[draw(st.sampled_from(sorted(STATEMENTS)))])
    kinds = (said["_type"], said["predicateType"])
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(places(said))))
        place = said
        for step in way:
            place = place[step]
        if draw(st.booleans()) and isinstance(place, dict):
            del place[last]
        else:
            place[last] = draw(anything.JSON | st.sampled_from(["delivered", "0", "00" * 32]))
        if not isinstance(said.get("predicate"), dict):
            said["predicate"] = {}
    said["_type"], said["predicateType"] = kinds
    return said


@given(mutated())
def test_any_json_in_any_place_is_refused_or_can_be_read_by_all(said: Said) -> None:
    assert words.describe(said) is not None
    try:
        require_consistent(said)
    except EvidenceError:
        return
    reading.summary(said)
    if said["predicateType"] == PREDICATE_TYPE:
        assert list(reading.digests(said)) is not None
        assert list(reading.further(said)) is not None
