"""What a statement says, what it never says, and that others read it."""

import hashlib
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from proxy.errors import EvidenceError
from proxy.model import Content, Digest, Intent, Outcome, Peer, Report, Verdict
from proxy.receipt import reading, statement
from tests.notary.samples import CERTIFICATE, ORIGIN, outcome, refusal

with warnings.catch_warnings():
    # protobuf warns about its own C types while it is imported; nothing else is let through.
    warnings.simplefilter("ignore", DeprecationWarning)
    from google.protobuf import json_format  # type: ignore[import-untyped]
    from in_toto_attestation.v1 import statement_pb2  # type: ignore[import-untyped]
    from in_toto_attestation.v1.statement import Statement  # type: ignore[import-untyped]


def build(found: Outcome, **changes: Any) -> bytes:
    stream = statement.stream_of(found.sender.name, found.route)
    place: dict[str, Any] = {
        "attempt": 1,
        "sequence": 42,
        "previous": b"\x01" * 32,
        "stream": stream,
        "origin": ORIGIN,
    }
    return statement.build(found, **(place | changes))


def predicate(found: Outcome, **changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads(build(found, **changes))["predicate"]
    return value


@pytest.mark.parametrize("found", [outcome(), refusal(), outcome(Verdict.FAILED)])
def test_in_toto_reads_and_validates_our_statements(found: Outcome) -> None:
    message = json_format.Parse(build(found), statement_pb2.Statement())
    theirs = Statement.copy_from_pb(message)
    theirs.validate()
    assert theirs.pb.predicate_type == statement.PREDICATE_TYPE


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


def test_the_same_outcome_gives_the_same_octets() -> None:
    found = outcome()
    assert build(found) == build(found)
    assert b": " not in build(found).replace(found.transfer_id.encode(), b"")


def test_what_was_changed_or_refused_has_no_plain_digest_even_if_one_is_handed_in() -> None:
    secret = hashlib.sha256(b"the unmasked original").digest()
    received = Digest(21, sha256=secret, hmac_sha256=b"\x07" * 32)
    changed = replace(outcome().request, received=received)
    nothing = Content(received, None, None, None)
    for found in (outcome(request=changed), refusal(request=nothing)):
        said = build(found)
        assert secret.hex().encode() not in said
        assert orjson.loads(said)["predicate"]["content"]["received"] == {
            "hmacSha256": "07" * 32,
            "bytes": "21",
        }


def test_unchanged_content_is_received_as_it_is_delivered() -> None:
    digest = Digest(6, sha256=hashlib.sha256(b"as is").digest())
    found = outcome(request=Content(digest, digest, Report("opaque"), "internal"))
    content = predicate(found)["content"]
    assert content["received"] == content["delivered"]
    assert content["opaque"] is True


def test_counters_are_strings_and_absent_ones_null() -> None:
    content = predicate(outcome())["content"]
    assert (content["records"], content["masked"], content["findings"]) == (
        "1",
        {"$.ssn": "1"},
        {"us_ssn": "1"},
    )
    assert predicate(outcome(content_length=2**63))["request"]["contentLength"] == str(2**63)
    assert predicate(outcome(content_length=None))["request"]["contentLength"] is None


def test_a_map_holds_32_entries_and_counts_the_others() -> None:
    report = Report("json", 1, {f"$.f{n:03}": n for n in range(1, 101)}, {"others": 5})
    found = outcome(request=replace(outcome().request, report=report))
    content = predicate(found)["content"]
    assert len(content["masked"]) == 33
    assert sum(map(int, content["masked"].values())) == sum(range(1, 101))
    assert content["masked"]["$.f100"] == "100"
    assert content["findings"] == {"others": "5"}


def test_a_peer_with_endless_names_still_gets_a_statement_that_fits() -> None:
    names = tuple(f"spiffe://example/{'x' * 900}{n}" for n in range(500))
    peer = Peer(certificate=replace(CERTIFICATE, uris=(*names, "u" * 9000), spiffe=names[0]))
    masked = {f"$.{'y' * 900}{n}": 1 for n in range(500)}
    request = replace(outcome().request, report=Report("json", 1, masked))
    found = outcome(
        sender=peer, receiver=peer.certificate, request=request, answer=request, method="M" * 30_000
    )
    said = build(found)
    assert len(said) <= statement.MAX_STATEMENT
    told = orjson.loads(said)["predicate"]
    assert len(told["sender"]["sans"]) + int(told["sender"]["otherSans"]) == 502
    assert reading.summarise(said).sender == names[0]


def test_a_sender_whose_name_is_too_long_is_numbered_under_its_digest() -> None:
    long = "spiffe://" + "x" * 5000
    digest = hashlib.sha256(long.encode()).hexdigest()
    assert statement.stream_of(long, "orders") == f"sha256:{digest}/orders"


def test_text_that_is_not_unicode_is_refused_and_nothing_else_is_raised() -> None:
    with pytest.raises(EvidenceError):
        build(outcome(method="\ud800"))


def test_an_interrupted_attempt_says_what_is_known_and_no_more() -> None:
    started = datetime(2026, 1, 31, 12, tzinfo=UTC)
    said = statement.build_interrupted(
        Intent("an-id", "spiffe://a/b", "orders", started),
        attempt=2,
        sequence=7,
        previous=None,
        stream="spiffe://a/b/orders",
        origin=ORIGIN,
        completed=started,
    )
    summary = reading.summarise(said)
    assert (summary.verdict, summary.sender, summary.route) == (
        Verdict.INDETERMINATE,
        "spiffe://a/b",
        "orders",
    )
    assert summary.received == started
    told = orjson.loads(said)["predicate"]
    assert told["disposition"]["recovered"] is True
    assert told["content"] is None


def test_what_is_read_back_is_what_was_said() -> None:
    found = refusal("replayed", route=None)
    summary = reading.summarise(build(found, attempt=3, duplicate_of=9))
    assert summary.transfer_id == found.transfer_id
    assert (summary.verdict, summary.problem, summary.route) == (Verdict.REJECTED, "replayed", None)
    assert (summary.place.attempt, summary.place.number) == (3, 42)
    assert (summary.place.previous, summary.place.duplicate_of) == (b"\x01" * 32, 9)
    assert (summary.received, summary.completed) == (found.received_at, found.completed_at)


@pytest.mark.parametrize(
    "path", [("transferId",), ("kind",), ("attempt",), ("sequence", "number"), ("time", "received")]
)
@pytest.mark.parametrize("value", [None, 7.5, [], {}])
def test_a_statement_that_lacks_what_every_receipt_has_is_refused(
    path: tuple[str, ...], value: object
) -> None:
    whole = orjson.loads(build(outcome()))
    inner = whole["predicate"]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(EvidenceError):
        reading.summarise(orjson.dumps(whole))
