"""What a statement says, what it never says, and that others read it."""

import hashlib
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from importlib import resources
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from proxy.errors import PROBLEMS, EvidenceError
from proxy.model import Content, Digest, Event, Intent, Outcome, Report, Verdict
from proxy.receipt import dsse, reading, statement, terms, tiles
from tests.receipt import anything, plain
from tests.receipt.outcomes import ORIGIN, START, intent_of, outcome, refusal
from tests.receipt.test_dsse import KEY

with warnings.catch_warnings():
    # protobuf warns about its own C types while it is imported; nothing else is let through.
    warnings.simplefilter("ignore", DeprecationWarning)
    from google.protobuf import json_format  # type: ignore[import-untyped]
    from in_toto_attestation.v1 import statement_pb2  # type: ignore[import-untyped]
    from in_toto_attestation.v1.statement import Statement  # type: ignore[import-untyped]

PLACE = statement.Place(1, "spiffe://example/etl/orders/orders", 42, b"\x01" * 32)
EVENT = Event("reload", {"from": "00" * 32, "to": "01" * 32})
INTERRUPTED = statement.build_interrupted(
    intent_of(outcome()), PLACE, origin=ORIGIN, completed=START
)
EVENTS = statement.Place(0, statement.event_stream(ORIGIN), 42, b"\x01" * 32)
RELOADED = statement.build_event(EVENT, EVENTS, origin=ORIGIN, completed=START)


def build(found: Outcome, place: statement.Place = PLACE, completed: datetime = START) -> bytes:
    submission = statement.submission(found)
    return statement.build(submission, place, origin=ORIGIN, completed=completed)


def predicate(said: bytes) -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads(said)["predicate"]
    return value


@cache
def schema(name: str) -> Draft202012Validator:
    file = resources.files("proxy.receipt") / "schema" / f"{name}.json"
    value = orjson.loads(file.read_bytes())
    Draft202012Validator.check_schema(value)
    return Draft202012Validator(value)


# --- the octets ----------------------------------------------------------------------------------


@given(anything.OUTCOME, anything.PLACE, anything.ORIGIN, anything.TIME)
def test_a_receipt_is_what_the_plain_construction_writes(
    found: Outcome, place: statement.Place, origin: str, completed: datetime
) -> None:
    submission = statement.submission(found)
    said = statement.build(submission, place, origin=origin, completed=completed)
    assert said == plain.receipt(found, place, origin, completed)
    schema("transfer-receipt-v1").validate(predicate(said))


@given(anything.INTENT, anything.PLACE, anything.ORIGIN, anything.TIME)
def test_an_interrupted_attempt_is_what_the_plain_construction_writes(
    intent: Intent, place: statement.Place, origin: str, completed: datetime
) -> None:
    said = statement.build_interrupted(intent, place, origin=origin, completed=completed)
    assert said == plain.interrupted(intent, place, origin, completed)
    schema("transfer-receipt-v1").validate(predicate(said))


@given(anything.ANY_EVENT, anything.PLACE, anything.ORIGIN, anything.TIME)
def test_an_event_is_what_the_plain_construction_writes(
    event: Event, place: statement.Place, origin: str, completed: datetime
) -> None:
    said = statement.build_event(event, place, origin=origin, completed=completed)
    assert said == plain.event(event, place, origin, completed)


@given(anything.EVENT)
def test_every_kind_of_event_has_its_schema(event: Event) -> None:
    place = statement.Place(0, statement.event_stream(ORIGIN), 1, None)
    said = statement.build_event(event, place, origin=ORIGIN, completed=START)
    schema("log-event-v1").validate(predicate(said))


@pytest.mark.parametrize("said", [build(outcome()), INTERRUPTED], ids=["receipt", "interrupted"])
def test_the_schema_admits_no_receipt_that_lacks_anything_or_has_more(said: bytes) -> None:
    whole = predicate(said)
    for key in whole:
        less = {name: value for name, value in whole.items() if name != key}
        assert not schema("transfer-receipt-v1").is_valid(less)
        assert not schema("transfer-receipt-v1").is_valid(whole | {key: 7})
    assert not schema("transfer-receipt-v1").is_valid(whole | {"more": None})


@pytest.mark.parametrize("kind", statement.EVENTS)
def test_the_schema_admits_no_event_that_lacks_anything_or_has_more(kind: str) -> None:
    whole = predicate(RELOADED) | {"kind": kind}
    assert schema("log-event-v1").is_valid(whole) is (kind == "reload")
    assert not schema("log-event-v1").is_valid(whole | {"details": {}})
    assert not schema("log-event-v1").is_valid(whole | {"more": None})


def test_the_longest_statement_fits_into_a_leaf() -> None:
    """Characters that JSON spells with six octets, wherever a peer can bring its own."""
    long = "spiffe://" + "\x01" * 1000
    intent = replace(intent_of(outcome()), sender=long, transfer_id="\x01" * 128)
    place = statement.Place(2**63, statement.stream_of(long, "orders"), 2**63, b"\x01" * 32)
    submission = replace(
        statement.submission(outcome(method="\x01" * 1024)), transfer_id="\x01" * 128
    )
    for said in (
        statement.build(submission, place, origin=ORIGIN, completed=START),
        statement.build_interrupted(intent, place, origin=ORIGIN, completed=START),
    ):
        frame = len(said) - len(submission.details)
        assert frame + statement.MAX_DETAILS < statement.MAX_STATEMENT
    assert len(dsse.sign(b"x" * statement.MAX_STATEMENT, KEY)) <= tiles.MAX_ENTRY


def test_what_would_be_too_large_is_refused() -> None:
    endless = Event("refused-handshakes", {"counts": {f"l{n}:r": "1" for n in range(5000)}})
    with pytest.raises(EvidenceError):
        statement.build_event(endless, PLACE, origin=ORIGIN, completed=START)
    submission = replace(statement.submission(outcome()), transfer_id="x" * 129)
    with pytest.raises(EvidenceError):
        statement.build(submission, PLACE, origin=ORIGIN, completed=START)


def test_no_problem_code_is_cut() -> None:
    for code in PROBLEMS:
        assert predicate(build(refusal(code)))["disposition"]["problem"] == code
    assert len(predicate(build(refusal("x" * 1000)))["disposition"]["problem"]) == 128


# --- what it says --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [build(outcome()), build(refusal()), build(outcome(Verdict.FAILED)), INTERRUPTED, RELOADED],
)
def test_in_toto_reads_and_validates_our_statements(said: bytes) -> None:
    message = json_format.Parse(said, statement_pb2.Statement())
    theirs = Statement.copy_from_pb(message)
    theirs.validate()
    assert theirs.pb.predicate_type in (statement.PREDICATE_TYPE, statement.EVENT_TYPE)


def test_the_subject_of_a_delivery_is_the_delivered_content() -> None:
    found = outcome()
    assert found.request.delivered is not None
    assert found.request.delivered.sha256 is not None
    [subject] = orjson.loads(build(found))["subject"]
    assert subject["digest"] == {"sha256": found.request.delivered.sha256.hex()}
    assert subject["name"] == f"delivered:{found.transfer_id}"


@pytest.mark.parametrize("verdict", [Verdict.REJECTED, Verdict.FAILED, Verdict.INDETERMINATE])
def test_no_other_verdict_has_content_for_its_subject(verdict: Verdict) -> None:
    found = outcome(verdict)
    [subject] = orjson.loads(build(found))["subject"]
    name = f"{verdict.value}:{found.transfer_id}"
    assert subject == {
        "name": name,
        "digest": {"sha256": hashlib.sha256(name.encode()).hexdigest()},
    }


def test_what_was_changed_or_refused_has_no_plain_digest_even_if_one_is_handed_in() -> None:
    secret = hashlib.sha256(b"the unmasked original").digest()
    received = Digest(21, sha256=secret, hmac_sha256=b"\x07" * 32)
    changed = replace(outcome().request, received=received)
    nothing = Content(received, None, None, None)
    for found in (outcome(request=changed), refusal(request=nothing)):
        said = build(replace(found, content_sha256=secret))
        assert secret.hex().encode() not in said
        assert predicate(said)["content"]["received"] == {"hmacSha256": "07" * 32, "bytes": "21"}


def test_unchanged_content_is_received_as_it_is_delivered() -> None:
    digest = Digest(6, sha256=hashlib.sha256(b"as is").digest())
    found = outcome(request=Content(digest, digest, Report("opaque"), "internal"))
    content = predicate(build(found))["content"]
    assert content["received"] == content["delivered"]
    assert content["opaque"] is True


def test_counters_are_strings_and_absent_ones_null() -> None:
    content = predicate(build(outcome()))["content"]
    assert (content["records"], content["masked"], content["findings"]) == (
        "1",
        {"$.ssn": "1"},
        {"us_ssn": "1"},
    )
    for size, told in ((2**63, str(2**63)), (None, None)):
        assert predicate(build(outcome(content_length=size)))["request"]["contentLength"] == told


def test_a_map_holds_32_entries_and_counts_the_others() -> None:
    report = Report("json", 1, {f"$.f{n:03}": n for n in range(1, 101)}, {"others": 5})
    found = outcome(request=replace(outcome().request, report=report))
    content = predicate(build(found))["content"]
    assert len(content["masked"]) == 33
    assert sum(map(int, content["masked"].values())) == sum(range(1, 101))
    assert content["masked"]["$.f100"] == "100"
    assert content["findings"] == {"others": "5"}


def test_where_it_was_found_is_said_by_type_and_path_and_the_rest_summed() -> None:
    ssn = {f"$.f{n:03}": n for n in range(1, 41)} | {"…": 1000}
    at = {"us_ssn": ssn, "iban": {"$.x": 100}}
    report = Report("json", 1, {}, {"us_ssn": 1820, "iban": 100}, found_at=at, unscanned=3)
    content = predicate(build(outcome(request=replace(outcome().request, report=report))))[
        "content"
    ]
    assert content["foundAt"]["iban"] == {"$.x": "100"}
    assert sum(map(int, content["foundAt"]["us_ssn"].values())) == 1820
    assert len(content["foundAt"]["us_ssn"]) == 32
    assert int(content["foundAt"]["us_ssn"]["…"]) == 1000 + sum(range(1, 10))
    assert content["unscanned"] == "3"
    nothing = predicate(build(outcome()))["content"]
    assert not {"foundAt", "unscanned"} & nothing.keys()


def test_what_is_named_others_is_counted_with_the_others() -> None:
    findings = {"others": 1000} | {f"type{n}": 1 for n in range(40)}
    found = outcome(request=replace(outcome().request, report=Report("json", 1, {}, findings)))
    said = build(found)
    assert said.count(b'"others":') == 1
    assert predicate(said)["content"]["findings"]["others"] == str(1000 + 40 - 32)


def test_a_sender_whose_name_is_too_long_is_numbered_under_its_digest() -> None:
    long = "spiffe://" + "x" * 5000
    digest = hashlib.sha256(long.encode()).hexdigest()
    assert statement.stream_of(long, "orders") == f"sha256:{digest}/orders"


@given(anything.TIME, st.integers(-1000, 1000))
def test_a_time_is_told_in_utc_whatever_zone_it_comes_in(time: datetime, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    if datetime(2, 1, 1, tzinfo=UTC) < time < datetime(9998, 1, 1, tzinfo=UTC):
        assert terms.timestamp(time.astimezone(zone)) == plain.timestamp(time)
    assert terms.timestamp(time) == plain.timestamp(time)


def test_an_event_of_no_known_kind_is_refused() -> None:
    with pytest.raises(EvidenceError):
        statement.build_event(Event("delivered", {}), PLACE, origin=ORIGIN, completed=START)


@pytest.mark.parametrize("value", [b"octets", object(), "\ud800", {1: 2}, 2**70])
def test_an_event_says_what_json_can_say(value: object) -> None:
    with pytest.raises(EvidenceError):
        statement.build_event(
            Event("stop", {"clean": value}), PLACE, origin=ORIGIN, completed=START
        )


def test_text_that_is_not_unicode_is_refused_and_nothing_else_is_raised() -> None:
    good = statement.submission(outcome())
    bad = [
        (replace(good, transfer_id="\ud800"), PLACE, ORIGIN),
        (replace(good, sender="\ud800"), PLACE, ORIGIN),
        (replace(good, problem="\ud800"), PLACE, ORIGIN),
        (good, replace(PLACE, stream="\ud800"), ORIGIN),
        (good, PLACE, "\ud800"),
    ]
    for submission, place, origin in bad:
        with pytest.raises(EvidenceError):
            statement.build(submission, place, origin=origin, completed=START)
    for field in ("transfer_id", "sender", "route"):
        changes: dict[str, Any] = {field: "\ud800"}
        intent = replace(intent_of(outcome()), **changes)
        with pytest.raises(EvidenceError):
            statement.build_interrupted(intent, PLACE, origin=ORIGIN, completed=START)


# --- read back -----------------------------------------------------------------------------------


@given(anything.OUTCOME, anything.PLACE, anything.TIME)
def test_what_is_read_back_is_what_was_said(
    found: Outcome, place: statement.Place, completed: datetime
) -> None:
    summary = reading.summarise(build(found, place, completed))
    delivered = found.request.delivered if found.verdict is Verdict.DELIVERED else None
    assert summary == reading.Summary(
        transfer_id=found.transfer_id,
        attempt_id=found.attempt_id,
        verdict=found.verdict,
        status=found.status,
        problem=found.problem,
        place=place,
        received=found.received_at,
        completed=completed,
        origin=ORIGIN,
        delivered_sha256=None if delivered is None else delivered.sha256,
        duplicate_of=found.duplicate_of,
    )


def test_an_interrupted_attempt_says_what_is_known_and_no_more() -> None:
    summary = reading.summarise(INTERRUPTED)
    assert (summary.verdict, summary.sender, summary.route) == (
        Verdict.INDETERMINATE,
        "spiffe://example/etl/orders",
        "orders",
    )
    told = predicate(INTERRUPTED)
    assert told["disposition"]["recovered"] is True
    assert told["content"] is None


def test_an_event_is_read_back_and_is_no_receipt() -> None:
    summary = reading.summarise(RELOADED)
    assert (summary.event, summary.details) == ("reload", dict(EVENT.details))
    assert (summary.verdict, summary.attempt_id, summary.transfer_id) == (None, None, "")
    assert reading.parse_entry(RELOADED)["subject"][0]["name"] == "event:reload:42"
    with pytest.raises(EvidenceError, match="transfer receipt"):
        reading.parse(RELOADED)


def test_a_route_that_was_not_known_is_none() -> None:
    found = refusal(route=None)
    place = replace(PLACE, stream=statement.stream_of(found.sender.name, None))
    assert reading.summarise(build(found, place)).route is None


PATHS = [
    ("transferId",),
    ("attemptId",),
    ("kind",),
    ("attempt",),
    ("sequence", "stream"),
    ("sequence", "number"),
    ("time", "received"),
    ("time", "completed"),
    ("log", "origin"),
    ("disposition", "duplicateOf"),
    ("disposition", "problem"),
    ("disposition", "status"),
    ("sequence", "previous"),
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [True, 7.5, [], {}])
def test_a_statement_that_lacks_what_every_receipt_has_is_refused(
    path: tuple[str, ...], value: object
) -> None:
    with pytest.raises(EvidenceError):
        reading.summarise(changed(build(outcome()), path, value))


@pytest.mark.parametrize("path", [path for path in PATHS if path[0] in ("sequence", "kind", "log")])
def test_an_event_that_lacks_what_every_event_has_is_refused(path: tuple[str, ...]) -> None:
    with pytest.raises(EvidenceError):
        reading.summarise(changed(RELOADED, path, 7.5))
    with pytest.raises(EvidenceError):
        reading.summarise(changed(RELOADED, ("details",), None))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("time", "received"), "2026-W01-1T12:00:00.000000Z"),
        (("time", "received"), "2026-05-01T12:00:00Z"),
        (("time", "received"), "2026-05-01T12:00:00.000000+00:00"),
        (("time", "received"), "2026-05-32T12:00:00.000000Z"),
        (("time", "completed"), "2026-05-01t12:00:00.000000Z\n"),
        (("attemptId",), "AB" * 16),
        (("attemptId",), "ab" * 15),
        (("sequence", "previous"), "ab" * 31),
        (("sequence", "previous"), "ab " * 32),
        (("sequence", "number"), "-1"),
        (("sequence", "number"), "٣"),
        (("sequence", "number"), "1" * 20),
    ],
)
def test_what_is_spelt_otherwise_is_refused(path: tuple[str, ...], value: str) -> None:
    with pytest.raises(EvidenceError):
        reading.summarise(changed(build(outcome()), path, value))


def test_a_subject_that_contradicts_its_predicate_is_refused() -> None:
    whole = orjson.loads(build(outcome()))
    for subject in (
        {"name": "delivered:another", "digest": whole["subject"][0]["digest"]},
        {"name": whole["subject"][0]["name"], "digest": {"sha256": "00" * 32}},
    ):
        with pytest.raises(EvidenceError):
            reading.summarise(orjson.dumps(whole | {"subject": [subject]}))


def changed(said: bytes, path: tuple[str, ...], value: object) -> bytes:
    whole = orjson.loads(said)
    inner = whole["predicate"]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return orjson.dumps(whole)


def test_a_receipt_names_the_entry_that_admitted_the_sender_and_none_where_none_did() -> None:
    assert predicate(build(outcome(rule="allow[3]")))["policy"]["rule"] == "allow[3]"
    assert "rule" not in predicate(build(refusal("no-route")))["policy"]
